//! Content in a temporary file.

#[cfg(feature = "forms")]
pub(crate) mod persist;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;

use crate::descriptors::Permit;
use crate::runtime::{Blocking, BlockingPool};

/// A completely written temporary file. It has no name, so the system removes it with its last
/// handle, however the process ends.
#[derive(Debug)]
pub(crate) struct Stored {
    /// `None` only while it is dropped.
    file: Option<File>,
    /// True if the file was linked to a name.
    #[cfg_attr(not(feature = "forms"), expect(dead_code, reason = "only uploads are persisted"))]
    named: AtomicBool,
    length: u64,
    pool: BlockingPool,
    permit: Option<Permit>,
}

/// Creates a file without a name that only the server's user may read or write.
pub(crate) fn create(directory: &Path) -> io::Result<File> {
    let file = tempfile::tempfile_in(directory)?;
    #[cfg(unix)]
    {
        use std::fs::Permissions;
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(file)
}

impl Stored {
    pub(crate) fn new(file: File, length: u64, pool: BlockingPool, permit: Option<Permit>) -> Self {
        Self { file: Some(file), named: AtomicBool::new(false), length, pool, permit }
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Reads at `position`, at least one byte except at the end, without affecting other readers.
    pub(crate) fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<usize> {
        let length = self.left(position).min(buffer.len());
        let Some(buffer) = buffer.get_mut(..length).filter(|buffer| !buffer.is_empty()) else {
            return Ok(0);
        };
        match read_file_at(self.file()?, buffer, position)? {
            // The file was truncated by another process.
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }

    /// Reads the next piece at `position`, at most `most` bytes.
    pub(crate) fn piece(self: &Arc<Self>, position: u64, most: usize) -> Blocking<Bytes> {
        let stored = Arc::clone(self);
        self.pool.run(move || {
            let mut piece = vec![0; stored.left(position).min(most)];
            let count = stored.read_at(&mut piece, position)?;
            piece.truncate(count);
            Ok(piece.into())
        })
    }

    fn left(&self, position: u64) -> usize {
        usize::try_from(self.length.saturating_sub(position)).unwrap_or(usize::MAX)
    }
}

/// Closing the last handle frees the blocks, which takes time for a large file, so it happens on
/// the blocking pool.
impl Drop for Stored {
    fn drop(&mut self) {
        let (file, permit) = (self.file.take(), self.permit.take());
        drop(self.pool.run(move || {
            drop(file);
            drop(permit);
            Ok(())
        }));
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_file_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}
