//! Listening sockets.

use std::io;
use std::task::{Context, Poll, ready};

use httpants_core::{Address, ConnectionInfo};
#[cfg(target_os = "linux")]
use httpants_driver::linux::accept;
use httpants_driver::runtime;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
#[cfg(target_os = "linux")]
use tokio::net::{TcpStream, UnixStream};

use crate::Transport;

/// A listening socket that is registered with tokio.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// The local address, read once, because reading it for each accepted connection would cost a
    /// system call.
    local: Address,
    /// True if accepting does not wait for tokio's readiness, until no connection is left.
    #[cfg(target_os = "linux")]
    retries: bool,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    fn new(socket: Socket, local: Address) -> Self {
        Self {
            socket,
            local,
            #[cfg(target_os = "linux")]
            retries: false,
        }
    }

    /// Accepts without waiting for tokio's readiness; returns `None` if there is no connection.
    #[cfg(target_os = "linux")]
    #[cold]
    fn try_accept(&self) -> Option<io::Result<(Transport, ConnectionInfo)>> {
        let accepted = match &self.socket {
            Socket::Tcp(listener) => accept(listener),
            Socket::Unix(listener) => accept(listener),
        };
        match accepted {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            accepted => Some(accepted.and_then(|(socket, remote)| {
                let (transport, remote) = match remote {
                    Some(remote) => (TcpStream::from_std(socket.into())?.into(), remote.into()),
                    None => (UnixStream::from_std(socket.into())?.into(), Address::Unix),
                };
                Ok((transport, ConnectionInfo::new(remote, self.local)))
            })),
        }
    }

    pub(crate) fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        inside_runtime()?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?.into();
        Ok(Self::new(Socket::Tcp(TcpListener::from_std(listener)?), local))
    }

    #[cfg(unix)]
    pub(crate) fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        inside_runtime()?;
        listener.set_nonblocking(true)?;
        Ok(Self::new(Socket::Unix(UnixListener::from_std(listener)?), Address::Unix))
    }
}

/// Returns an error outside of a runtime, where tokio would panic when registering a socket.
fn inside_runtime() -> io::Result<()> {
    match tokio::runtime::Handle::try_current() {
        Ok(_) => Ok(()),
        Err(_) => Err(io::Error::other("outside of a tokio runtime: call run() instead of awaiting serve()")),
    }
}

impl runtime::Listener for Listener {
    type Transport = Transport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Transport, ConnectionInfo)>> {
        #[cfg(target_os = "linux")]
        if self.retries {
            match self.try_accept() {
                None => self.retries = false,
                Some(accepted) => return Poll::Ready(accepted),
            }
        }
        Poll::Ready(Ok(match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, remote) = ready!(listener.poll_accept(context))?;
                (Transport::from(stream), ConnectionInfo::new(remote, self.local))
            }
            #[cfg(unix)]
            Socket::Unix(listener) => {
                let (stream, _) = ready!(listener.poll_accept(context))?;
                (Transport::from(stream), ConnectionInfo::new(Address::Unix, self.local))
            }
        }))
    }

    #[cfg(target_os = "linux")]
    fn retry_accept(&mut self) {
        self.retries = true;
    }
}
