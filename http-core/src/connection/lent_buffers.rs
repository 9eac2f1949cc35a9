//! Buffers that leave the connection while the transport works with them.
//!
//! A caller that shares a connection behind a lock must not hold it while the transport runs,
//! which may be foreign code. So it moves the buffers out, unlocks, reads or writes, and brings
//! them, or the number of bytes, back.

use super::Connection;
use super::recv_buffer::RecvBuf;
use super::send_queue::{Segment, SendQueue, Transmit};
use super::state::Receiving;
use crate::message::now::Now;

/// The buffer of a connection to receive into, from [`Connection::lend_recv_buf`].
#[derive(Debug)]
#[must_use = "give it back by return_recv_buf: the connection receives nothing without it"]
pub struct RecvBuffer(RecvBuf);

impl RecvBuffer {
    /// Returns room to read into, all of it initialised and never empty.
    pub fn room(&mut self) -> &mut [u8] {
        self.0.rest()
    }
}

/// Bytes and stretches of files that were taken out of a connection to be sent, from
/// [`Connection::take_transmit`].
#[derive(Debug, Default)]
pub struct TransmitQueue(SendQueue);

/// Bytes that have left, from [`TransmitQueue::advance`]; for
/// [`Connection::handle_transmitted`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "the connection must know what has left"]
pub struct Transmitted {
    memory: u64,
    files: u64,
}

impl Transmitted {
    /// Returns how many bytes have left.
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
    /// Returns bytes, or a stretch of a file, to be sent next; `None` when nothing waits here.
    #[must_use]
    pub fn poll(&self) -> Option<Transmit<'_>> {
        self.0.poll()
    }

    /// Removes `count` bytes, which have left, from the front.
    pub fn advance(&mut self, count: u64) -> Transmitted {
        let before = (self.0.memory(), self.0.len());
        self.0.sent(count);
        let memory = before.0.saturating_sub(self.0.memory());
        Transmitted { memory, files: before.1.saturating_sub(self.0.len()).saturating_sub(memory) }
    }

    /// Returns true if nothing waits here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Content that the connection dropped unsent, from [`Connection::take_dropped`]. Dropping it
/// may run the application's code, where the content is its own ([`bytes::Bytes::from_owner`]).
#[derive(Debug, Default)]
pub struct Dropped {
    _segments: alloc::collections::VecDeque<Segment>,
}

/// In and out, for callers that share the connection behind a lock.
impl Connection {
    /// Moves the receive buffer out; `None` while nothing is to be received
    /// ([`wants_recv`](Self::wants_recv)). Nothing is parsed until it is given back.
    pub fn lend_recv_buf(&mut self) -> Option<RecvBuffer> {
        if self.recv.is_lent() || !self.wants_recv() {
            return None;
        }
        let size = self.wanted_size();
        Some(RecvBuffer(self.recv.lend(size)))
    }

    /// Takes the receive buffer back, with `count` bytes read into the front of its room. For the end
    /// of the stream give it back with 0 and call [`handle_eof`](Self::handle_eof).
    /// Behind [`Event::Upgraded`](super::Event::Upgraded) those bytes belong to the new protocol,
    /// too ([`take_upgrade`](Self::take_upgrade)).
    pub fn return_recv_buf(&mut self, buffer: RecvBuffer, count: usize, now: Now) {
        self.recv.take_back(buffer.0);
        self.recv.commit(count);
        if self.state.recv == Receiving::Closed {
            self.recv.consume(usize::MAX);
        }
        self.handle_recv(count, now);
    }

    /// Moves all that waits to be sent to the end of a queue of the caller's; says whether
    /// there was something. Report what has left by
    /// [`handle_transmitted`](Self::handle_transmitted). Until then it counts as waiting.
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

    /// Records bytes of what [`take_transmit`](Self::take_transmit) gave as sent. A queue that is
    /// empty gives its storage back.
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

    /// Records that `count` bytes have left of what the transport holds and reports as transmitted
    /// only as a whole, as a secured one does with its records: progress for
    /// [`Timeouts::write`](crate::Timeouts::write) and
    /// [`half_closed`](crate::Timeouts::half_closed), and nothing else. It counts once: what is
    /// transmitted later is so much less progress.
    pub fn handle_partly_transmitted(&mut self, count: u64, now: Now) {
        self.set_now(now);
        if count > 0 && self.has_unsent() {
            self.times.progressed_ahead(self.now.mono, count, &self.config.timeouts);
        }
    }

    /// Returns true if [`take_dropped`](Self::take_dropped) has something.
    #[must_use]
    pub fn has_dropped(&self) -> bool {
        !self.dropped.is_empty()
    }

    /// Takes what the connection dropped unsent when it broke. Drop it where no lock is held.
    #[must_use = "it is dropped where this is dropped"]
    pub fn take_dropped(&mut self) -> Dropped {
        Dropped { _segments: core::mem::take(&mut self.dropped) }
    }
}
