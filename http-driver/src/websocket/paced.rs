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
    stream: Upgraded,
    /// Reads since the last one that waited.
    in_a_row: u8,
}

impl Paced {
    pub(super) fn new(stream: Upgraded) -> Self {
        Self { stream, in_a_row: 0 }
    }
}

impl AsyncRead for Paced {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.in_a_row == MAX_IN_A_ROW {
            self.in_a_row = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.in_a_row = if read.is_ready() { self.in_a_row + 1 } else { 0 };
        read
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(context)
    }
}
