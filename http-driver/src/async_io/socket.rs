//! A socket that is registered with the reactor.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use ::async_io::Async;

/// A socket, and whether the last read drained it.
///
/// The reactor's readiness is one-shot, so each wait costs a system call. After a read that
/// returned fewer bytes than the buffer has, a second read would find none, so the socket waits for
/// readiness first.
#[derive(Debug)]
pub(super) struct Socket {
    watched: Async<socket2::Socket>,
    pub(super) drained: bool,
}

impl Socket {
    /// Registers a non-blocking socket with the reactor.
    pub(super) fn new(socket: socket2::Socket) -> io::Result<Self> {
        Ok(Self { watched: Async::new_nonblocking(socket)?, drained: false })
    }

    pub(super) fn inner(&self) -> &socket2::Socket {
        self.watched.get_ref()
    }

    /// Reads; waits for readiness first if the last read drained the socket.
    pub(super) fn poll_read_with<T>(
        &mut self,
        context: &mut Context<'_>,
        mut read: impl FnMut(&socket2::Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            if self.drained {
                ready!(self.watched.poll_readable(context))?;
                self.drained = false;
            }
            match read(self.inner()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.drained = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Writes without waiting for readiness first, because the socket is nearly always writable.
    pub(super) fn poll_write_with<T>(
        &self,
        context: &mut Context<'_>,
        mut write: impl FnMut(&socket2::Socket) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        loop {
            match write(self.inner()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(self.watched.poll_writable(context))?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return Poll::Ready(result),
            }
        }
    }
}
