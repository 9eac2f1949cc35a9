//! Received bytes that are not yet decrypted, in buffers cached per thread.

use std::cell::RefCell;
use std::io;
use std::task::{Context, Poll, ready};

use crate::runtime::Transport;

/// Buffer size: two of the largest records (RFC 8446 section 5.2), so that an upload takes few
/// system calls.
const SIZE: usize = 2 * (5 + (16 << 10) + 256);
/// Number of buffers that a thread keeps. One in use is usually empty again before the next is
/// needed.
const KEPT: usize = 16;

thread_local! {
    static POOL: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Bytes from the transport. It holds no buffer while it is empty.
#[derive(Default)]
pub(super) struct Received {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Received {
    pub(super) fn filled(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Removes bytes from the front.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
        self.release();
    }

    /// Reads once and appends the bytes; returns 0 at the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        transport: &mut impl Transport,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() {
            self.buffer = POOL.with_borrow_mut(Vec::pop).unwrap_or_else(|| vec![0; SIZE].into());
        }
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        let received = if room.is_empty() {
            Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()))
        } else {
            transport.poll_recv(context, room)
        };
        if let Poll::Ready(Ok(count)) = received {
            self.end = self.end.saturating_add(count).min(self.buffer.len());
        }
        self.release();
        Poll::Ready(ready!(received))
    }

    fn release(&mut self) {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
            let buffer = std::mem::take(&mut self.buffer);
            POOL.with_borrow_mut(|pool| {
                if !buffer.is_empty() && pool.len() < KEPT {
                    pool.push(buffer);
                }
            });
        }
    }
}
