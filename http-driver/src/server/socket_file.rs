//! The files of unix sockets, from the bind to the end.

use std::io;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
#[cfg(unix)]
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::Arc;

use super::listen::ListenAddress;

/// The files of unix sockets, held by every worker: the last one to stop listening removes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketFiles(#[cfg(unix)] Vec<Arc<SocketFile>>);

impl SocketFiles {
    /// A socket was bound to this address.
    pub(crate) fn made(&mut self, address: &ListenAddress) -> io::Result<()> {
        #[cfg(unix)]
        if let ListenAddress::Unix(path) = address {
            self.0.push(Arc::new(SocketFile::made(path)?));
        }
        #[cfg(not(unix))]
        let _ = address;
        Ok(())
    }
}

/// The file that a bind made; removed when it is dropped, unless it is another one by then.
#[cfg(unix)]
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl SocketFile {
    /// The file that was just made at this path.
    fn made(path: &Path) -> io::Result<Self> {
        // The server may change its directory meanwhile.
        let path = std::path::absolute(path)?;
        let file = path.symlink_metadata()?;
        Ok(Self { path, device: file.dev(), inode: file.ino() })
    }
}

/// To be dropped before the socket is closed: until then the number of the file is not given
/// to another one.
#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode)) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
