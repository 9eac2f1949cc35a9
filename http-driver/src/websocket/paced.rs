//! A stream that lets other tasks run between its reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::response::Upgraded;

/// Reads after which other tasks get a turn.
const MAX_IN_A_ROW: u8 = 16;

/// The stream below the frames. One message is read until it is complete, and a client may send
/// fragments without content and without an end.
#[derive(Debug)]
pub(super) struct Paced {
    /// Dropped where the client was given up.
    stream: Option<Upgraded>,
    /// Reads since the last one that waited.
    in_a_row: u8,
    /// Bytes were received since this was last asked.
    has_received: bool,
}

impl Paced {
    pub(super) fn new(stream: Upgraded) -> Self {
        Self { stream: Some(stream), in_a_row: 0, has_received: false }
    }

    /// Returns whether bytes were received since the last call.
    pub(super) fn has_received(&mut self) -> bool {
        std::mem::take(&mut self.has_received)
    }

    /// Closes the transport: the client is gone without a word.
    pub(super) fn give_up(&mut self) {
        self.stream = None;
    }

    fn stream(&mut self) -> io::Result<Pin<&mut Upgraded>> {
        let gone = || io::Error::new(io::ErrorKind::TimedOut, "the client did not respond to a ping in time");
        self.stream.as_mut().map(Pin::new).ok_or_else(gone)
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.in_a_row == MAX_IN_A_ROW {
            self.in_a_row = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = self.stream()?.poll_read(context, buffer);
        self.has_received |= matches!(read, Poll::Ready(Ok(1..)));
        self.in_a_row = if read.is_ready() { self.in_a_row + 1 } else { 0 };
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_close(context)
    }
}
