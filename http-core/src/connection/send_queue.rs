//! The send queue: small pieces are gathered in one buffer, large ones are kept as they are, and
//! ranges of files are read by the adapter.

use alloc::collections::VecDeque;

use bytes::Bytes;

/// Maximum size of a piece that is copied after the head, so that a response is sent in one piece;
/// for larger ones, a second slice in the same system call costs less than the copy.
const COPIED: usize = 2 << 10;
/// Maximum capacity of an empty gathering buffer; beyond it, storage is freed.
const KEPT: usize = 16 << 10;

#[derive(Debug)]
pub(super) enum Segment {
    /// A number of bytes of the gathering buffer.
    Gathered(usize),
    Shared(Bytes),
    External {
        file: u64,
        offset: u64,
        length: u64,
    },
}

/// The number of bytes that were taken out of the queue of a connection and were not sent yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lent {
    pub(super) memory: u64,
    pub(super) files: u64,
}

/// The next bytes to send.
#[derive(Debug)]
#[non_exhaustive]
pub enum Transmit<'a> {
    /// Bytes, as slices for one vectored write.
    Bytes(Slices<'a>),
    /// A range of a file, from [`Connection::send_external`](crate::Connection::send_external). The
    /// caller sends it; the core only counts the bytes.
    External {
        /// The number that the caller has chosen for the file.
        file: u64,
        /// Offset of the range in the file, in bytes.
        offset: u64,
        /// Number of bytes of the range that remain to be sent.
        length: u64,
    },
}

/// An iterator over the slices of one vectored write, in order; none is empty.
#[derive(Clone, Debug)]
pub struct Slices<'a> {
    queue: &'a SendQueue,
    gathered_at: usize,
    segment: usize,
}

impl Slices<'_> {
    /// Returns true if a range of a file follows these slices. A transport may hold the bytes back
    /// until then (`MSG_MORE`).
    #[must_use]
    pub fn file_follows(&self) -> bool {
        self.queue.segments.iter().any(|segment| matches!(segment, Segment::External { .. }))
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let queue = self.queue;
        let length = match queue.segments.get(self.segment) {
            Some(Segment::Gathered(length)) => *length,
            Some(Segment::Shared(bytes)) => {
                self.segment += 1;
                return Some(bytes);
            }
            Some(Segment::External { .. }) => return None,
            None => queue.buffer.len() - self.gathered_at,
        };
        let slice = queue.buffer.get(self.gathered_at..self.gathered_at + length)?;
        self.segment += 1;
        self.gathered_at += length;
        (!slice.is_empty()).then_some(slice)
    }
}

/// The send queue of one connection.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    buffer: Vec<u8>,
    /// Number of bytes of the buffer that were sent.
    sent: usize,
    /// Number of bytes of the buffer that the segments cover; the rest follows the last segment.
    covered: usize,
    segments: VecDeque<Segment>,
    /// Number of bytes that wait in shared segments, and in files.
    shared: u64,
    external: u64,
}

impl SendQueue {
    /// Returns the number of waiting bytes, including those in files.
    pub(crate) fn len(&self) -> u64 {
        self.memory().saturating_add(self.external)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.len() == self.sent && self.shared | self.external == 0
    }

    /// Returns the number of waiting bytes that are in memory.
    pub(crate) fn memory(&self) -> u64 {
        (self.buffer.len() - self.sent) as u64 + self.shared
    }

    /// Returns the buffer to append heads and framing to.
    pub(crate) fn gather(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= COPIED {
            self.buffer.extend_from_slice(&bytes);
        } else {
            self.shared += bytes.len() as u64;
            self.append(Segment::Shared(bytes));
        }
    }

    pub(crate) fn push_external(&mut self, file: u64, offset: u64, length: u64) {
        if length > 0 {
            self.external = self.external.saturating_add(length);
            self.append(Segment::External { file, offset, length });
        }
    }

    fn append(&mut self, segment: Segment) {
        self.cover();
        self.segments.push_back(segment);
    }

    /// Makes a segment of the bytes that were gathered after the last segment.
    fn cover(&mut self) {
        let gathered = self.buffer.len() - self.covered.max(self.sent);
        if gathered > 0 {
            self.segments.push_back(Segment::Gathered(gathered));
        }
        self.covered = self.buffer.len();
    }

    /// Moves everything from another queue to the end of this one.
    pub(super) fn take_over(&mut self, other: &mut Self) {
        if self.is_empty() {
            return core::mem::swap(self, other);
        }
        if !other.segments.is_empty() {
            self.cover();
            let tail = other.buffer.len() - other.covered.max(other.sent);
            self.segments.append(&mut other.segments);
            self.covered += other.buffer.len() - other.sent - tail;
        }
        self.buffer.extend_from_slice(other.buffer.get(other.sent..).unwrap_or_default());
        self.shared += other.shared;
        self.external = self.external.saturating_add(other.external);
        other.clear();
    }

    pub(crate) fn poll(&self) -> Option<Transmit<'_>> {
        match self.segments.front() {
            _ if self.is_empty() => None,
            Some(Segment::External { file, offset, length }) => {
                Some(Transmit::External { file: *file, offset: *offset, length: *length })
            }
            _ => Some(Transmit::Bytes(Slices { queue: self, gathered_at: self.sent, segment: 0 })),
        }
    }

    /// Removes `count` sent bytes from the front.
    pub(crate) fn sent(&mut self, count: u64) {
        if count >= self.len() { self.clear() } else { self.sent_some(count) }
    }

    #[inline(never)]
    fn sent_some(&mut self, mut count: u64) {
        while count > 0 {
            let gone = match self.segments.front_mut() {
                None => {
                    let tail = usize::try_from(count).unwrap_or(usize::MAX);
                    self.sent = self.sent.saturating_add(tail).min(self.buffer.len());
                    break;
                }
                Some(Segment::Gathered(length)) => {
                    let part = usize::try_from(count).unwrap_or(usize::MAX).min(*length);
                    self.sent += part;
                    *length -= part;
                    count -= part as u64;
                    *length == 0
                }
                Some(Segment::Shared(bytes)) => {
                    let part = usize::try_from(count).unwrap_or(usize::MAX).min(bytes.len());
                    drop(bytes.split_to(part));
                    self.shared -= part as u64;
                    count -= part as u64;
                    bytes.is_empty()
                }
                Some(Segment::External { offset, length, .. }) => {
                    let part = count.min(*length);
                    *offset = offset.saturating_add(part);
                    *length -= part;
                    self.external = self.external.saturating_sub(part);
                    count -= part;
                    *length == 0
                }
            };
            if gone {
                self.segments.pop_front();
            }
        }
        // Prevents the buffer from growing while its beginning has been sent.
        if self.sent >= KEPT {
            self.buffer.drain(..self.sent);
            self.covered = self.covered.saturating_sub(self.sent);
            self.sent = 0;
        }
    }

    /// Returns true if the last `length` bytes wait in the gathering buffer.
    pub(super) fn ends_with(&self, length: u64) -> bool {
        (self.buffer.len() - self.covered.max(self.sent)) as u64 >= length
    }

    /// Drops the last `length` bytes if all of them wait in the gathering buffer; otherwise returns
    /// false.
    pub(super) fn retract(&mut self, length: u64) -> bool {
        let has_them = self.ends_with(length);
        if has_them {
            self.buffer.truncate(self.buffer.len() - usize::try_from(length).unwrap_or(0));
        }
        has_them
    }

    /// Drops everything that waits.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > KEPT || !self.segments.is_empty() {
            self.clear_storage();
        }
        (self.sent, self.covered, self.shared, self.external) = (0, 0, 0, 0);
    }

    #[inline(never)]
    fn clear_storage(&mut self) {
        self.buffer.shrink_to(KEPT);
        self.segments.clear();
    }

    /// Drops everything that waits and returns the segments, whose content may belong to the
    /// application.
    pub(super) fn clear_into_segments(&mut self) -> VecDeque<Segment> {
        let segments = core::mem::take(&mut self.segments);
        self.clear();
        segments
    }

    /// Returns the storage of the empty buffer.
    pub(crate) fn release(&mut self) -> Vec<u8> {
        self.segments.shrink_to(0);
        core::mem::take(&mut self.buffer)
    }

    /// Takes the storage of an empty queue if this one has none.
    pub(super) fn recycle(&mut self, empty: &mut Self) {
        let segments = core::mem::take(&mut empty.segments);
        if self.segments.capacity() == 0 {
            self.segments = segments;
        }
        self.supply_storage(core::mem::take(&mut empty.buffer));
    }

    /// Accepts storage for the gathering buffer if there is none.
    pub(crate) fn supply_storage(&mut self, storage: Vec<u8>) {
        if self.buffer.capacity() == 0 {
            self.buffer = storage;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slices(queue: &SendQueue) -> Vec<Vec<u8>> {
        match queue.poll() {
            Some(Transmit::Bytes(slices)) => slices.map(<[u8]>::to_vec).collect(),
            _ => vec![],
        }
    }

    /// Returns bytes whose values identify their position.
    fn large() -> Bytes {
        (0..3000).map(|at: u32| (at % 251) as u8).collect()
    }

    fn filled() -> SendQueue {
        let mut queue = SendQueue::default();
        queue.gather().extend_from_slice(b"head");
        queue.push(Bytes::from_static(b"small"));
        queue.push(large());
        queue.gather().extend_from_slice(b"tail");
        queue.push_external(7, 100, 50);
        queue.gather().extend_from_slice(b"end");
        queue
    }

    #[test]
    fn small_pieces_are_gathered_in_order() {
        let mut queue = filled();
        assert_eq!((queue.len(), queue.memory()), (3066, 3016));
        assert_eq!(slices(&queue), [b"headsmall".to_vec(), large().to_vec(), b"tail".to_vec()]);
        queue.sent(3013);
        assert!(matches!(queue.poll(), Some(Transmit::External { file: 7, offset: 100, length: 50 })));
        queue.sent(20);
        assert!(matches!(queue.poll(), Some(Transmit::External { file: 7, offset: 120, length: 30 })));
        queue.sent(30);
        assert_eq!(slices(&queue), [b"end"]);
        queue.sent(1000);
        assert!(queue.is_empty() && queue.poll().is_none());
    }

    #[test]
    fn partial_sends_of_any_size_send_the_same_bytes() {
        for step in [1, 2, 3, 7, 1000, 5000] {
            let out = drain(&mut filled(), step);
            let expected = [&b"headsmall"[..], &large(), b"tail", &(100..150).collect::<Vec<u8>>(), b"end"].concat();
            assert_eq!(out, expected, "in steps of {step}");
        }
    }

    /// Takes bytes from the front of a queue until it is empty.
    fn drain(queue: &mut SendQueue, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while let Some(transmit) = queue.poll() {
            let piece = match transmit {
                Transmit::Bytes(slices) => slices.flatten().copied().take(step).collect(),
                Transmit::External { offset, length, .. } => {
                    (offset..offset + length).take(step).map(|at| at as u8).collect::<Vec<_>>()
                }
            };
            queue.sent(piece.len() as u64);
            out.extend(piece);
        }
        out
    }

    #[test]
    fn taken_over_queue_is_sent_after_queued_bytes() {
        for (sent_here, sent_there, has_end) in [(0, 0, true), (3, 2, true), (3012, 3010, false), (3070, 3066, true)] {
            let queues = || {
                let (mut queue, mut other) = (filled(), filled());
                if !has_end {
                    queue.sent(queue.len() - 3);
                    queue.push_external(1, 7, 9);
                }
                queue.sent(sent_here);
                other.sent(sent_there);
                (queue, other)
            };
            let (mut queue, mut other) = queues();
            let expected = [drain(&mut queue, 1000), drain(&mut other, 1000)].concat();
            let (mut queue, mut other) = queues();
            let (length, memory) = (queue.len() + other.len(), queue.memory() + other.memory());
            queue.take_over(&mut other);
            assert_eq!((queue.len(), queue.memory(), other.len()), (length, memory, 0));
            assert!(other.is_empty() && other.poll().is_none());
            queue.gather().extend_from_slice(b"behind");
            assert_eq!(drain(&mut queue, 5), [&expected[..], b"behind"].concat());
        }
    }

    #[test]
    fn endless_stream_does_not_grow_the_buffer() {
        let mut queue = SendQueue::default();
        queue.push(Bytes::from(vec![0; 1000]));
        for _ in 0..10_000 {
            queue.push(Bytes::from(vec![0; 1000]));
            queue.sent(1000);
        }
        assert!(queue.gather().capacity() < 4 * KEPT);
        assert_eq!(queue.len(), 1000);
        // The same in large steps.
        for _ in 0..1000 {
            (0..20).for_each(|_| queue.push(Bytes::from(vec![0; 1000])));
            queue.sent(20_000);
        }
        assert!(queue.gather().capacity() < 8 * KEPT);
        assert_eq!(queue.len(), 1000);
    }

    #[test]
    fn equally_long_segments_are_not_empty() {
        let mut queue = SendQueue::default();
        queue.push(large());
        queue.push_external(7, 0, large().len() as u64);
        assert!(!queue.is_empty() && queue.poll().is_some());
    }

    #[test]
    fn empty_file_range_is_not_queued() {
        let mut queue = SendQueue::default();
        queue.push_external(7, 0, 0);
        assert!(queue.is_empty());
        queue.gather().extend_from_slice(b"x");
        assert_eq!(slices(&queue), [b"x"]);
    }

    #[test]
    fn slices_report_whether_a_file_follows() {
        let file_follows = |queue: &SendQueue| match queue.poll() {
            Some(Transmit::Bytes(slices)) => slices.file_follows(),
            _ => panic!("bytes are expected"),
        };
        let mut queue = SendQueue::default();
        queue.gather().extend_from_slice(b"head");
        queue.push(large());
        assert!(!file_follows(&queue));
        queue.push_external(7, 0, 5);
        assert!(file_follows(&queue));
        queue.sent(3004 + 5 - 1);
        queue.gather().extend_from_slice(b"x");
        queue.sent(1);
        assert!(!file_follows(&queue));
    }

    #[test]
    fn storage_is_kept_within_a_limit_and_reused() {
        let mut queue = SendQueue::default();
        queue.gather().resize(4 * KEPT, 0);
        queue.sent(u64::MAX);
        assert!(queue.is_empty() && queue.buffer.capacity() <= KEPT);
        queue.gather().resize(KEPT, 0);
        queue.push(large());
        queue.sent(u64::MAX);
        assert_eq!(queue.buffer.capacity(), KEPT);

        let mut next = SendQueue::default();
        next.recycle(&mut queue);
        assert!(next.buffer.capacity() == KEPT && next.segments.capacity() > 0);
        assert!(queue.buffer.capacity() == 0 && queue.segments.capacity() == 0);
        // Storage in use is kept.
        next.gather().extend_from_slice(b"x");
        queue.gather().reserve(1);
        next.recycle(&mut queue);
        assert_eq!(slices(&next), [b"x"]);
    }
}
