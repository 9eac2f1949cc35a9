//! Buffers that are moved out of the connection while the transport uses them.
//!
//! A caller that shares a connection behind a lock must not hold the lock while it calls the
//! transport, which may be foreign code. It moves the buffers out, unlocks, reads or writes, and
//! then returns the buffers or the number of bytes.

use super::Connection;
use super::recv_buffer::RecvBuf;
use super::send_queue::{Segment, SendQueue, Transmit};
use super::state::Receiving;
use crate::message::now::Now;

/// The receive buffer of a connection, from [`Connection::lend_recv_buf`].
#[derive(Debug)]
#[must_use = "return it with return_recv_buf: the connection cannot receive without it"]
pub struct RecvBuffer(RecvBuf);

impl RecvBuffer {
    /// Returns the free space to read into, which is initialised and never empty.
    pub fn room(&mut self) -> &mut [u8] {
        self.0.rest()
    }
}

/// Bytes and ranges of files that were taken out of a connection to be sent, from
/// [`Connection::take_transmit`].
#[derive(Debug, Default)]
pub struct TransmitQueue(SendQueue);

/// The number of bytes that were sent, from [`TransmitQueue::advance`], to be passed to
/// [`Connection::handle_transmitted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "pass it to handle_transmitted, so that the connection counts the sent bytes"]
pub struct Transmitted {
    memory: u64,
    files: u64,
}

impl Transmitted {
    /// Returns the number of bytes that were sent.
    #[must_use]
    pub fn count(self) -> u64 {
        self.memory.saturating_add(self.files)
    }
}

impl core::ops::AddAssign for Transmitted {
    fn add_assign(&mut self, other: Self) {
        self.memory = self.memory.saturating_add(other.memory);
        self.files = self.files.saturating_add(other.files);
    }
}

impl TransmitQueue {
    /// Returns the bytes, or the range of a file, to be sent next; `None` if the queue is empty.
    #[must_use]
    pub fn poll(&self) -> Option<Transmit<'_>> {
        self.0.poll()
    }

    /// Removes `count` bytes, which were sent, from the front.
    pub fn advance(&mut self, count: u64) -> Transmitted {
        let before = (self.0.memory(), self.0.len());
        self.0.sent(count);
        let memory = before.0.saturating_sub(self.0.memory());
        Transmitted { memory, files: before.1.saturating_sub(self.0.len()).saturating_sub(memory) }
    }

    /// Returns true if the queue is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Content that the connection dropped without sending it, from [`Connection::take_dropped`].
/// Dropping this value may run code of the application, if the content was made with
/// [`bytes::Bytes::from_owner`].
#[derive(Debug, Default)]
pub struct Dropped {
    _segments: alloc::collections::VecDeque<Segment>,
}

/// Input and output for callers that share the connection behind a lock.
impl Connection {
    /// Moves the receive buffer out; returns `None` if nothing is to be received
    /// ([`wants_recv`](Self::wants_recv)) or the buffer is already lent. Nothing is parsed until it
    /// is returned by [`return_recv_buf`](Self::return_recv_buf).
    pub fn lend_recv_buf(&mut self) -> Option<RecvBuffer> {
        if self.recv.is_lent() || !self.wants_recv() {
            return None;
        }
        let size = self.wanted_size();
        Some(RecvBuffer(self.recv.lend(size)))
    }

    /// Takes the receive buffer back, with `count` bytes read into the beginning of its free space.
    /// At the end of the stream, return it with 0 and call [`handle_eof`](Self::handle_eof). After
    /// [`Event::Upgraded`](super::Event::Upgraded) these bytes also belong to the new protocol
    /// ([`take_upgrade`](Self::take_upgrade)).
    pub fn return_recv_buf(&mut self, buffer: RecvBuffer, count: usize, now: Now) {
        self.recv.take_back(buffer.0);
        self.recv.commit(count);
        if self.state.recv == Receiving::Closed {
            self.recv.consume(usize::MAX);
        }
        self.handle_recv(count, now);
    }

    /// Moves everything that waits to be sent to the end of `queue`. Returns false if nothing was
    /// waiting. Report sent bytes by [`handle_transmitted`](Self::handle_transmitted); until then
    /// they count as waiting.
    pub fn take_transmit(&mut self, queue: &mut TransmitQueue) -> bool {
        if self.send.is_empty() {
            return false;
        }
        let memory = self.send.memory();
        self.lent.memory = self.lent.memory.saturating_add(memory);
        self.lent.files = self.lent.files.saturating_add(self.send.len() - memory);
        queue.0.take_over(&mut self.send);
        true
    }

    /// Records bytes that were moved out by [`take_transmit`](Self::take_transmit) as sent. If
    /// `queue` is empty, its storage is returned to the connection.
    pub fn handle_transmitted(&mut self, queue: &mut TransmitQueue, sent: Transmitted, now: Now) {
        self.set_now(now);
        if queue.is_empty() {
            self.send.recycle(&mut queue.0);
        }
        let memory = sent.memory.min(self.lent.memory);
        let files = sent.files.min(self.lent.files);
        self.lent.memory -= memory;
        self.lent.files -= files;
        self.has_sent(memory.saturating_add(files));
    }

    /// Records that the transport has sent `count` bytes of a unit that it will report as
    /// transmitted only as a whole, such as a TLS record. They count only as progress for
    /// [`Timeouts::write`](crate::Timeouts::write) and
    /// [`half_closed`](crate::Timeouts::half_closed). The same number of bytes is subtracted from
    /// the progress when they are reported as transmitted later, so that nothing counts twice.
    pub fn handle_partly_transmitted(&mut self, count: u64, now: Now) {
        self.set_now(now);
        if count > 0 && self.has_unsent() {
            self.times.progressed_ahead(self.now.mono, count, &self.config.timeouts);
        }
    }

    /// Returns true if [`take_dropped`](Self::take_dropped) would return content.
    #[must_use]
    pub fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Takes the content that was unsent when the connection broke. Drop it while no lock is held.
    #[must_use = "dropping it drops the content, so do that outside a lock"]
    pub fn take_dropped(&mut self) -> Dropped {
        Dropped { _segments: core::mem::take(&mut self.dropped) }
    }
}
