//! Listening sockets that were created elsewhere: by the program or by its parent process.

use std::io::{self, ErrorKind};
use std::net::TcpListener;
#[cfg(unix)]
use std::os::unix::net::UnixListener;

#[cfg(unix)]
use listenfd::ListenFd;
use socket2::SockRef;

use super::listen::BoundSocket;
use super::socket_options::SocketOptions;

/// A listening socket created elsewhere, for [`Server::listener`](crate::Server::listener).
///
/// Its backlog is not changed, and its socket file is not removed when the server stops.
#[derive(Debug)]
pub struct ListenSocket(BoundSocket);

impl ListenSocket {
    /// Returns the sockets passed to the process (`LISTEN_FDS` and `LISTEN_PID`, as in systemd's
    /// socket activation) in order; none if there are none.
    ///
    /// Removes both variables, so that child processes do not inherit them; a second call returns
    /// no sockets. Call it before starting other threads, because changing the environment is not
    /// safe with threads.
    ///
    /// # Errors
    /// Returns [`ErrorKind::InvalidInput`], with the position, for a descriptor that is not a
    /// listening TCP or unix stream socket.
    #[cfg(unix)]
    pub fn take_inherited() -> io::Result<Vec<Self>> {
        let mut descriptors = ListenFd::from_env();
        let places = 0..descriptors.len();
        let taken = places.map(|place| {
            take(&mut descriptors, place).map_err(|error| {
                let text = format!("socket {} of LISTEN_FDS is not a listening TCP or unix socket: {error}", place + 1);
                io::Error::new(error.kind(), text)
            })
        });
        taken.collect()
    }

    /// Returns the socket with these options, as far as they apply to one that is already bound.
    pub(crate) fn bound(self, options: &SocketOptions) -> io::Result<BoundSocket> {
        if let BoundSocket::Tcp { listener, .. } = &self.0 {
            options.set_inherited(SockRef::from(listener))?;
        }
        Ok(self.0)
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
        BoundSocket::Tcp { listener, .. } => SockRef::from(listener).is_listener()?,
        BoundSocket::Unix(listener) => SockRef::from(listener).is_listener()?,
    } {
        return Err(io::Error::new(ErrorKind::InvalidInput, "socket is not listening"));
    }
    Ok(socket)
}

impl From<TcpListener> for ListenSocket {
    fn from(listener: TcpListener) -> Self {
        Self(BoundSocket::Tcp { listener, shares_port: false })
    }
}

#[cfg(unix)]
impl From<UnixListener> for ListenSocket {
    fn from(listener: UnixListener) -> Self {
        Self(BoundSocket::Unix(listener))
    }
}
