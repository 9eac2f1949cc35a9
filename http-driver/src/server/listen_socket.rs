//! Listening sockets that somebody else has made: the program itself, or what started it.

use std::io::{self, ErrorKind};
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

#[cfg(unix)]
use listenfd::ListenFd;
use socket2::SockRef;

use super::listen::BoundSocket;

/// A listening socket that was made elsewhere, for [`Server::listener`](crate::Server::listener).
///
/// Its backlog and its socket file are its maker's: the file stays when the server ends.
#[derive(Debug)]
pub struct ListenSocket(BoundSocket);

impl ListenSocket {
    /// The sockets that the process was started with (`LISTEN_FDS` and `LISTEN_PID`, as
    /// systemd's socket activation sets them), in their order; none where it was started
    /// without.
    ///
    /// The two variables are removed, so that they do not reach children, and a second call
    /// gives none. Call it before other threads are started: changing the environment beside
    /// them is not safe.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a descriptor that is no listening TCP or unix stream
    /// socket, with its place.
    #[cfg(unix)]
    pub fn inherited() -> io::Result<Vec<Self>> {
        let mut descriptors = ListenFd::from_env();
        let places = 0..descriptors.len();
        let taken = places.map(|place| {
            take(&mut descriptors, place).map_err(|error| {
                let text = format!("socket {} of LISTEN_FDS is no listening TCP or unix socket: {error}", place + 1);
                io::Error::new(error.kind(), text)
            })
        });
        taken.collect()
    }

    /// A socket for each worker: they share its queue.
    pub(crate) fn share(self, workers: usize) -> io::Result<Vec<BoundSocket>> {
        if let BoundSocket::Tcp(listener) = &self.0 {
            // Accepted sockets inherit it.
            SockRef::from(listener).set_tcp_nodelay(true)?;
        }
        self.0.share(workers)
    }
}

#[cfg(unix)]
fn take(descriptors: &mut ListenFd, place: usize) -> io::Result<ListenSocket> {
    let found = match descriptors.take_tcp_listener(place) {
        Ok(listener) => listener.map(ListenSocket::from),
        Err(_) => descriptors.take_unix_listener(place)?.map(ListenSocket::from),
    };
    let socket = found.ok_or(ErrorKind::NotFound)?;
    #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
    if !match &socket.0 {
        BoundSocket::Tcp(listener) => SockRef::from(listener).is_listener()?,
        BoundSocket::Unix(listener) => SockRef::from(listener).is_listener()?,
    } {
        return Err(io::Error::new(ErrorKind::InvalidInput, "socket is not listening"));
    }
    Ok(socket)
}

impl From<TcpListener> for ListenSocket {
    fn from(listener: TcpListener) -> Self {
        Self(BoundSocket::Tcp(listener))
    }
}

#[cfg(unix)]
impl From<UnixListener> for ListenSocket {
    fn from(listener: UnixListener) -> Self {
        Self(BoundSocket::Unix(listener))
    }
}
