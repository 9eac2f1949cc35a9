//! Content as a seekable reader.

use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};

use super::content::Content;

/// The content as [`std::io::Read`] and [`std::io::Seek`], with its own position.
///
/// It keeps the content alive. Reading blocks if the content is in a file.
pub struct BodyReader {
    content: Content,
    position: u64,
}

impl BodyReader {
    pub(crate) fn new(content: Content) -> Self {
        Self { content, position: 0 }
    }
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &self.content {
            Content::Memory(bytes) => {
                let start = usize::try_from(self.position).unwrap_or(usize::MAX);
                bytes.get(start..).unwrap_or_default().read(buffer)?
            }
            Content::File(stored) => stored.read_at(buffer, self.position)?,
        };
        self.position = self.position.saturating_add(count as u64);
        Ok(count)
    }
}

impl Seek for BodyReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
            SeekFrom::End(offset) => self.content.len().checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

impl fmt::Debug for BodyReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BodyReader(at {} of {} bytes)", self.position, self.content.len())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn reader_seeks_like_a_file() {
        let mut reader = BodyReader::new(Content::Memory(Bytes::from_static(b"0123456789")));
        let mut text = String::new();
        assert_eq!(reader.seek(SeekFrom::End(-3)).unwrap(), 7);
        assert_eq!((reader.read_to_string(&mut text).unwrap(), &*text), (3, "789"));
        assert_eq!(reader.seek(SeekFrom::Current(-9)).unwrap(), 1);
        assert!(reader.seek(SeekFrom::Current(-2)).is_err());
        assert_eq!(reader.stream_position().unwrap(), 1, "a failed seek moves nothing");
        assert_eq!(reader.seek(SeekFrom::Start(11)).unwrap(), 11);
        assert_eq!(reader.read(&mut [0; 4]).unwrap(), 0);
    }
}
