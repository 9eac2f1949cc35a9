//! The pieces of the content of a file response.

use bytes::Bytes;

/// A piece of a response's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Bytes in memory.
    Bytes(Bytes),
    /// A range of the file; never empty, never beyond its end.
    File {
        /// Offset of its first byte in the file.
        offset: u64,
        /// Length in bytes.
        len: u64,
    },
}

impl Segment {
    /// Returns the length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a segment is never empty")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }
}
