//! The files of unix sockets, from bind to removal.

#[cfg(unix)]
use std::fs::{File, Permissions};
#[cfg(unix)]
use std::io;
#[cfg(unix)]
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::Arc;

#[cfg(unix)]
use rustix::fs::{FlockOperation, OFlags, flock};
#[cfg(unix)]
use socket2::{Domain, SockAddr, Socket, Type};

#[cfg(unix)]
use super::socket_options::SocketOptions;

/// The files of unix sockets, shared by all workers: the last worker to stop listening removes
/// them.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketFiles(#[cfg(unix)] Vec<Arc<SocketFile>>);

impl SocketFiles {
    /// Adds the file of a socket that was bound to this path.
    #[cfg(unix)]
    pub(crate) fn made(&mut self, path: &Path) -> io::Result<()> {
        self.0.push(Arc::new(SocketFile::made(path)?));
        Ok(())
    }
}

/// A file created by a bind; removed on drop, unless another file has replaced it.
#[cfg(unix)]
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

#[cfg(unix)]
impl SocketFile {
    /// Identifies the file that was just created at this path.
    fn made(path: &Path) -> io::Result<Self> {
        // The process may change its working directory later.
        let path = std::path::absolute(path)?;
        let file = path.symlink_metadata()?;
        Ok(Self { path, device: file.dev(), inode: file.ino() })
    }
}

/// Must be dropped before the socket is closed: until then, its inode number is not reused.
#[cfg(unix)]
impl Drop for SocketFile {
    fn drop(&mut self) {
        let found = self.path.symlink_metadata();
        if found.is_ok_and(|file| (file.dev(), file.ino()) == (self.device, self.inode)) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds a socket file; replaces one left by a dead server.
///
/// A lock prevents other processes from doing the same at the same time: between the check and the
/// removal, a live server could replace the file, and a socket that is bound but does not listen
/// yet looks dead.
#[cfg(unix)]
pub(crate) fn bind(path: &Path, options: &SocketOptions) -> io::Result<UnixListener> {
    if path.as_os_str().is_empty() {
        // Linux would bind an empty path to an abstract name, which clients could not know.
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "missing socket path after unix:"));
    }
    let address = SockAddr::unix(path)?;
    let _lock = Lock::of(path)?;
    if is_dead(path, &address)? {
        std::fs::remove_file(path)?;
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address)?;
    // No client can connect before the socket listens.
    let listens = restrict(path, options).and_then(|()| socket.listen(options.backlog));
    if let Err(error) = listens {
        let _ = std::fs::remove_file(path);
        return Err(error);
    }
    Ok(socket.into())
}

/// Sets the group and the permissions of the file.
#[cfg(unix)]
fn restrict(path: &Path, options: &SocketOptions) -> io::Result<()> {
    let named = |what: &str, error: io::Error| io::Error::new(error.kind(), format!("{what}: {error}"));
    if let Some(group) = options.unix_group {
        chown(path, None, Some(group)).map_err(|error| named(&format!("cannot set the group {group}"), error))?;
    }
    if let Some(mode) = options.unix_mode {
        let permissions = Permissions::from_mode(mode);
        std::fs::set_permissions(path, permissions).map_err(|error| named("cannot set the permissions", error))?;
    }
    Ok(())
}

/// Returns whether no process listens on this socket file. A server with a full backlog is alive;
/// the check does not wait for it.
#[cfg(unix)]
fn is_dead(path: &Path, address: &SockAddr) -> io::Result<bool> {
    if !path.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        return Ok(false);
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket.connect(address).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}

/// The lock of a socket file: a file next to it that exists only while it is held.
#[cfg(unix)]
struct Lock {
    path: PathBuf,
    _file: File,
}

#[cfg(unix)]
impl Lock {
    /// Acquires the lock; waits for other processes, which hold it only while binding.
    fn of(socket: &Path) -> io::Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = std::path::absolute(PathBuf::from(path))?;
        let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
        loop {
            let mut options = File::options();
            let file = options.write(true).create(true).mode(0o600).custom_flags(no_follow).open(&path)?;
            rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
            let (locked, found) = (file.metadata()?, path.symlink_metadata());
            // The previous holder has removed the file.
            if found.is_ok_and(|found| (found.dev(), found.ino()) == (locked.dev(), locked.ino())) {
                return Ok(Self { path, _file: file });
            }
        }
    }
}

#[cfg(unix)]
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn one_of_concurrent_servers_replaces_a_dead_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for _ in 0..100 {
            drop(bind(&path, &SocketOptions::default()).unwrap());
            let barrier = Barrier::new(4);
            let bound: Vec<_> = std::thread::scope(|scope| {
                let start = || {
                    barrier.wait();
                    bind(&path, &SocketOptions::default())
                };
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
                threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
            });
            assert_eq!(bound.len(), 1, "a live server lost its socket");
            UnixStream::connect(&path).unwrap();
        }
        let names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["socket"]);
    }

    #[test]
    fn server_with_a_full_queue_is_alive() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let stuck = bind(&path, &SocketOptions { backlog: 1, ..SocketOptions::default() }).unwrap();
        let address = SockAddr::unix(&path).unwrap();
        let mut waiting = Vec::new();
        loop {
            let client = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            if client.connect(&address).is_err() {
                break;
            }
            waiting.push(client);
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        let other = path.clone();
        std::thread::spawn(move || sender.send(bind(&other, &SocketOptions::default()).map_err(|error| error.kind())));
        let bound = receiver.recv_timeout(std::time::Duration::from_secs(10)).unwrap();
        assert_eq!(bound.map(drop), Err(io::ErrorKind::AddrInUse));
        drop(stuck);
        bind(&path, &SocketOptions::default()).unwrap();
    }

    #[test]
    fn socket_file_has_the_mode_and_the_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let group = folder.path().metadata().unwrap().gid();
        let options = SocketOptions { unix_mode: Some(0o620), unix_group: Some(group), ..SocketOptions::default() };
        let _listener = bind(&path, &options).unwrap();
        let file = path.metadata().unwrap();
        assert_eq!((file.permissions().mode() & 0o7777, file.gid()), (0o620, group));
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn group_that_cannot_be_set_is_an_error_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        // No group can have this number.
        let options = SocketOptions { unix_group: Some(u32::MAX - 1), ..SocketOptions::default() };
        if rustix::process::geteuid().is_root() {
            return;
        }
        let error = bind(&path, &options).unwrap_err();
        assert!(error.to_string().starts_with("cannot set the group 4294967294: "), "{error}");
        assert!(!path.exists());
    }
}
