//! A socket that the reactor watches.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use ::async_io::Async;

/// A socket, and whether trying to read from it would be in vain.
///
/// The reactor forgets what to watch for with each event, so that each wait costs a
/// system call. Trying first would cost one more for every wait, and is left out where the last
/// attempt has shown that nothing is left.
#[derive(Debug)]
pub(super) struct Socket {
    watched: Async<socket2::Socket>,
    pub(super) drained: bool,
}

impl Socket {
    /// Has a socket watched that is set not to block.
    pub(super) fn new(socket: socket2::Socket) -> io::Result<Self> {
        Ok(Self { watched: Async::new_nonblocking(socket)?, drained: false })
    }

    pub(super) fn inner(&self) -> &socket2::Socket {
        self.watched.get_ref()
    }

    /// Waits first where the socket was drained, and where it turns out to be.
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

    /// Tries first: there is nearly always room.
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
