//! A stream that lets other tasks run between its reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::response::Upgraded;

/// Number of reads after which other tasks get a turn.
const MAX_IN_A_ROW: u8 = 16;

/// The stream below the WebSocket frames. Tungstenite reads until a message is complete, and a
/// client may send endless empty fragments.
#[derive(Debug)]
pub(super) struct Paced {
    /// `None` after [`give_up`](Self::give_up).
    stream: Option<Upgraded>,
    /// Number of reads since the last one that waited.
    in_a_row: u8,
    /// True if bytes were received since the last call of [`has_received`](Self::has_received).
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

    /// Closes the transport, because the client does not respond.
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
