//! Listening sockets.

use std::io;
use std::task::{Context, Poll, ready};

use httpants_core::{Address, ConnectionInfo};
#[cfg(target_os = "linux")]
use httpants_driver::linux::try_accept;
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
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "tokio has no such call"))]
    retries: bool,
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
        Ok(Self { socket: Socket::Tcp(TcpListener::from_std(listener)?), local, retries: false })
    }

    #[cfg(unix)]
    pub(crate) fn unix(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        inside_runtime()?;
        listener.set_nonblocking(true)?;
        Ok(Self { socket: Socket::Unix(UnixListener::from_std(listener)?), local: Address::Unix, retries: false })
    }
}

/// Returns an error outside of a runtime, where tokio would panic when registering a socket.
fn inside_runtime() -> io::Result<()> {
    let outside = |_| io::Error::other("outside of a tokio runtime: call run() instead of awaiting serve()");
    tokio::runtime::Handle::try_current().map(drop).map_err(outside)
}

impl runtime::Listener for Listener {
    type Transport = Transport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Transport, ConnectionInfo)>> {
        #[cfg(target_os = "linux")]
        if self.retries {
            let accepted = match &self.socket {
                Socket::Tcp(listener) => try_accept(listener, self.local, TcpStream::from_std),
                Socket::Unix(listener) => try_accept(listener, self.local, UnixStream::from_std),
            };
            match accepted {
                Some(accepted) => return Poll::Ready(accepted),
                None => self.retries = false,
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
