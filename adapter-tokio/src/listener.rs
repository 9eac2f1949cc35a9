//! Listening sockets.

use std::io;
use std::task::{Context, Poll, ready};

use httpants_core::{Address, ConnectionInfo};
use httpants_driver::runtime;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;

use crate::Transport;

/// A listening socket that is registered with tokio.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// The local address, read once, because reading it for each accepted connection would cost a
    /// system call.
    local: Address,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn tcp(listener: std::net::TcpListener) -> io::Result<Self> {
        inside_runtime()?;
        listener.set_nonblocking(true)?;
        let local = listener.local_addr()?.into();
        Ok(Self { socket: Socket::Tcp(TcpListener::from_std(listener)?), local })
    }

    #[cfg(unix)]
    pub(crate) fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        inside_runtime()?;
        listener.set_nonblocking(true)?;
        Ok(Self { socket: Socket::Unix(UnixListener::from_std(listener)?), local: Address::Unix })
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
}
