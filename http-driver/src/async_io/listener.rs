//! Listening sockets.

use std::io;
use std::task::{Context, Poll};

use httpants_core::{Address, ConnectionInfo};

use super::Transport;
use super::socket::Socket;
use crate::runtime;

/// A listening socket that is registered with async-io.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    /// The local address, read once, because reading it for each accepted connection would cost a
    /// system call.
    local: Address,
}

impl Listener {
    pub(super) fn new(socket: socket2::Socket, local: Address) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Socket::new(socket)?, local })
    }
}

impl runtime::Listener for Listener {
    type Transport = Transport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Transport, ConnectionInfo)>> {
        self.socket.poll_read_with(context, accept).map(|accepted| {
            let (socket, remote) = accepted?;
            let remote = remote.map_or(Address::Unix, Address::from);
            Ok((Transport::new(socket, remote != Address::Unix)?, ConnectionInfo::new(remote, self.local)))
        })
    }

    fn retry_accept(&mut self) {
        self.socket.drained = false;
    }
}

#[cfg(target_os = "linux")]
fn accept(listener: &socket2::Socket) -> io::Result<(socket2::Socket, Option<std::net::SocketAddr>)> {
    crate::linux::accept(listener).map(|(socket, remote)| (socket.into(), remote))
}

/// Accepts a non-blocking connection; returns it with its IP address, if it has one.
#[cfg(not(target_os = "linux"))]
fn accept(listener: &socket2::Socket) -> io::Result<(socket2::Socket, Option<std::net::SocketAddr>)> {
    let (socket, remote) = listener.accept()?;
    socket.set_nonblocking(true)?;
    Ok((socket, remote.as_socket()))
}
