//! Connected sockets.

use std::io::{self, IoSlice, Read};
use std::net::{Shutdown, TcpStream};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::async_io::Async;

use super::socket::Socket;
use crate::runtime::{self, SendHint};

/// A connected socket that is registered with async-io.
#[derive(Debug)]
pub struct Transport {
    pub(super) socket: Socket,
    is_tcp: bool,
    /// The watch for the end of the peer's stream while received bytes are still unread.
    #[cfg(target_os = "linux")]
    peer: Option<Box<Async<PeerWatch>>>,
}

impl Transport {
    /// Registers a connected, non-blocking socket with the reactor.
    pub(super) fn new(socket: socket2::Socket, is_tcp: bool) -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(socket)?,
            is_tcp,
            #[cfg(target_os = "linux")]
            peer: None,
        })
    }
}

impl TryFrom<Async<TcpStream>> for Transport {
    type Error = io::Error;

    /// Converts a stream that was connected elsewhere.
    ///
    /// # Errors
    /// Returns the errors of registering it with the reactor again.
    fn try_from(stream: Async<TcpStream>) -> io::Result<Self> {
        Self::new(stream.into_inner()?.into(), true)
    }
}

#[cfg(unix)]
impl TryFrom<Async<std::os::unix::net::UnixStream>> for Transport {
    type Error = io::Error;

    /// Converts a stream that was connected elsewhere.
    ///
    /// # Errors
    /// Returns the errors of registering it with the reactor again.
    fn try_from(stream: Async<std::os::unix::net::UnixStream>) -> io::Result<Self> {
        Self::new(stream.into_inner()?.into(), false)
    }
}

impl runtime::Transport for Transport {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        let received = self.socket.poll_read_with(context, |mut socket| socket.read(buffer));
        if let Poll::Ready(Ok(count)) = received {
            // If the buffer is full, there may be more; a short read drained the socket. At the end
            // of the stream the socket stays readable.
            self.socket.drained = count < room;
        }
        #[cfg(target_os = "linux")]
        if received.is_pending() {
            // All bytes are read, so reading detects the end of the stream.
            self.peer = None;
        }
        received
    }

    fn retry_recv(&mut self) {
        self.socket.drained = false;
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        hint: SendHint,
    ) -> Poll<io::Result<usize>> {
        // Unix sockets have no such flag.
        let hint = if self.is_tcp { hint } else { SendHint::Last };
        self.socket.poll_write_with(context, |socket| send(socket, slices, hint))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.inner().shutdown(Shutdown::Write))
    }

    #[cfg(target_os = "linux")]
    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &std::fs::File,
        offset: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        use crate::linux::{declined, send_file};
        declined(self.socket.poll_write_with(context, |socket| send_file(socket, file, offset, length)))
    }

    #[cfg(target_os = "linux")]
    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        let watch = match self.peer.take() {
            Some(watch) if watch.get_ref().awaited() == awaited => watch,
            _ => match PeerWatch::new(self.socket.inner(), awaited).and_then(Async::new_nonblocking) {
                Ok(watch) => Box::new(watch),
                // There is no descriptor for a watch, which is not an error of the connection.
                Err(_) => return Poll::Pending,
            },
        };
        let watch = self.peer.insert(watch);
        loop {
            if let Poll::Ready(()) = watch.get_ref().poll()? {
                return Poll::Ready(Ok(()));
            }
            ready!(watch.poll_readable(context))?;
        }
    }

    fn reset_on_close(&mut self) {
        // A unix socket has no reset. If the option fails, the socket is already closed.
        if self.is_tcp {
            let _ = self.socket.inner().set_linger(Some(Duration::ZERO));
        }
    }
}

#[cfg(target_os = "linux")]
use crate::linux::{PeerWatch, send};
#[cfg(target_os = "linux")]
use crate::runtime::PeerClose;

#[cfg(not(target_os = "linux"))]
fn send(mut socket: &socket2::Socket, slices: &[IoSlice<'_>], _: SendHint) -> io::Result<usize> {
    use std::io::Write;
    match slices {
        [slice] => socket.write(slice),
        _ => socket.write_vectored(slices),
    }
}
