//! Reading files from the kernel's page cache.

use std::fs::File;
use std::io::IoSliceMut;

use rustix::io::ReadWriteFlags;

/// Reads bytes of the file at `offset` that the kernel has in memory. Returns `None` if the read
/// would wait for a disk, if the file system does not support `RWF_NOWAIT` (preadv2(2)), or if
/// nothing was read: Linux 5.9 and 5.10 may report that before the end of the file.
pub(crate) fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
    // -1 would mean the file's current position.
    i64::try_from(offset).ok()?;
    let buffers = &mut [IoSliceMut::new(buffer)];
    rustix::io::preadv2(file, buffers, offset, ReadWriteFlags::NOWAIT).ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_cached_returns_file_bytes_and_never_0() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"0123456789").unwrap();
        let file = File::open(path).unwrap();
        let mut buffer = [0; 4];
        // Not every file system supports `RWF_NOWAIT`.
        if let Some(count) = read_cached(&file, &mut buffer, 3) {
            assert_eq!(buffer[..count], b"3456"[..count]);
        }
        assert_eq!(read_cached(&file, &mut buffer, 10), None);
        assert_eq!(read_cached(&file, &mut buffer, u64::MAX), None);
    }
}
