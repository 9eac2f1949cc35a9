//! The receive buffer: the kernel writes into it, and content is taken out without a copy.

use bytes::{Bytes, BytesMut};

/// Initialised memory of a fixed length for received bytes.
#[derive(Debug)]
pub(crate) struct Block(BytesMut);

impl Block {
    pub(crate) fn new(size: usize) -> Self {
        let mut block = BytesMut::zeroed(size);
        // Splitting makes the storage shared, so that later conversions between writable and shared
        // do not allocate.
        drop(block.split_off(size));
        Self(block)
    }

    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }
}

#[derive(Debug, Default)]
enum Backing {
    #[default]
    None,
    Writable(Block),
    /// Slices of it were handed out; it can be written to again once they are dropped.
    Shared(Bytes),
    /// The caller has the buffer to read into it ([`RecvBuf::lend`]).
    Lent,
}

/// The bytes that were received and not parsed, and the free space after them.
#[derive(Debug, Default)]
pub(crate) struct RecvBuf {
    backing: Backing,
    start: usize,
    end: usize,
    /// Length of the free space that was handed out; [`commit`](Self::commit) accepts at most this
    /// many bytes.
    offered: usize,
    /// Number of bytes that were consumed since the start of the connection.
    consumed: u64,
}

impl RecvBuf {
    /// Returns the size of the storage; 0 if there is none.
    pub(crate) fn size(&self) -> usize {
        match &self.backing {
            Backing::None | Backing::Lent => 0,
            Backing::Writable(block) => block.size(),
            Backing::Shared(bytes) => bytes.len(),
        }
    }

    /// Returns the bytes that were received and not consumed.
    pub(crate) fn filled(&self) -> &[u8] {
        let storage: &[u8] = match &self.backing {
            Backing::None | Backing::Lent => return &[],
            Backing::Writable(block) => &block.0,
            Backing::Shared(bytes) => bytes,
        };
        storage.get(self.start..self.end).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Removes bytes from the front.
    pub(crate) fn consume(&mut self, length: usize) {
        if !self.is_lent() {
            let start = self.start.saturating_add(length).min(self.end);
            self.consumed += (start - self.start) as u64;
            self.start = start;
        }
    }

    /// Returns the offset in the stream of the first byte that was not consumed.
    pub(crate) fn position(&self) -> u64 {
        self.consumed
    }

    /// Sets the number of consumed bytes, to continue the stream of another connection.
    pub(crate) fn set_position(&mut self, position: u64) {
        self.consumed = position;
    }

    /// Moves the buffer out, with storage of at least `size` bytes. Bytes that were not consumed
    /// still count in [`len`](Self::len), but cannot be read until [`take_back`](Self::take_back).
    pub(crate) fn lend(&mut self, size: usize) -> Self {
        self.room(size);
        let lent = Self { backing: Backing::Lent, ..*self };
        core::mem::replace(self, lent)
    }

    /// Moves a lent buffer back in; drops it if there is another one by now.
    pub(crate) fn take_back(&mut self, buffer: Self) {
        if self.is_lent() {
            *self = buffer;
        }
    }

    pub(crate) fn is_lent(&self) -> bool {
        matches!(self.backing, Backing::Lent)
    }

    /// Takes `length` bytes from the front as a slice of the storage.
    pub(crate) fn take(&mut self, length: usize) -> Bytes {
        let range = self.start..self.start.saturating_add(length.min(self.filled().len()));
        self.consumed += range.len() as u64;
        self.start = range.end;
        let shared = match core::mem::take(&mut self.backing) {
            Backing::None => return Bytes::new(),
            Backing::Lent => {
                self.backing = Backing::Lent;
                return Bytes::new();
            }
            Backing::Writable(block) => block.0.freeze(),
            Backing::Shared(bytes) => bytes,
        };
        let slice = shared.slice(range);
        self.backing = Backing::Shared(shared);
        slice
    }

    /// Records bytes that were written to the beginning of [`room`](Self::room).
    pub(crate) fn commit(&mut self, length: usize) {
        self.end += length.min(core::mem::take(&mut self.offered));
    }

    /// Returns free space after the received bytes, in storage of at least `size` bytes.
    pub(crate) fn room(&mut self, size: usize) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if !matches!(&self.backing, Backing::Writable(block) if block.size() >= size && self.end < block.size() / 4) {
            self.make_room(size);
        }
        let room = self.rest();
        let length = room.len();
        self.offered = length;
        self.rest()
    }

    /// Returns the free space after the received bytes.
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        let Backing::Writable(block) = &mut self.backing else {
            return &mut [];
        };
        block.0.get_mut(self.end..).unwrap_or_default()
    }

    /// Ensures free space in writable storage of at least `size` bytes.
    #[inline(never)]
    fn make_room(&mut self, size: usize) {
        let size = if self.len() < size { size } else { (self.len() + 1).next_power_of_two() };
        self.make_writable(size);
        if let Backing::Writable(block) = &mut self.backing
            && self.start > 0
            && block.size() - self.end < block.size() / 4
        {
            block.0.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
    }

    /// Ensures writable storage of at least `size` bytes.
    fn make_writable(&mut self, size: usize) {
        self.backing = match core::mem::take(&mut self.backing) {
            Backing::Shared(bytes) => match bytes.try_into_mut() {
                Ok(block) => Backing::Writable(Block(block)),
                Err(held) => Backing::Shared(held),
            },
            other => other,
        };
        let is_enough = match &self.backing {
            Backing::Lent => true,
            Backing::Writable(block) => block.size() >= size,
            Backing::None | Backing::Shared(_) => false,
        };
        if !is_enough {
            drop(self.supply_storage(Block::new(size)));
        }
    }

    /// Continues in another block, into which the unconsumed bytes are copied. Returns the previous
    /// block unless slices of it are held elsewhere, or `block` itself if it cannot be used.
    pub(crate) fn supply_storage(&mut self, mut block: Block) -> Option<Block> {
        if self.is_lent() {
            return Some(block);
        }
        let length = self.len();
        match block.0.get_mut(..length) {
            Some(front) => front.copy_from_slice(self.filled()),
            None => return Some(block),
        }
        (self.start, self.end, self.offered) = (0, length, 0);
        match core::mem::replace(&mut self.backing, Backing::Writable(block)) {
            Backing::None | Backing::Lent => None,
            Backing::Writable(block) => Some(block),
            Backing::Shared(bytes) => bytes.try_into_mut().ok().map(Block),
        }
    }

    /// Returns true if the buffer is not lent and is smaller than this size.
    pub(crate) fn wants(&self, size: usize) -> bool {
        !self.is_lent() && self.size() < size
    }

    /// Returns the storage if it is empty and no part of it is held elsewhere.
    pub(crate) fn release(&mut self) -> Option<Block> {
        if !self.is_empty() || self.is_lent() {
            return None;
        }
        (self.start, self.end, self.offered) = (0, 0, 0);
        match core::mem::take(&mut self.backing) {
            Backing::None | Backing::Lent => None,
            Backing::Writable(block) => Some(block),
            Backing::Shared(bytes) => bytes.try_into_mut().ok().map(Block),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(buffer: &mut RecvBuf, bytes: &[u8]) {
        buffer.room(16)[..bytes.len()].copy_from_slice(bytes);
        buffer.commit(bytes.len());
    }

    #[test]
    fn taken_slices_are_unchanged_by_later_writes() {
        let mut buffer = RecvBuf::default();
        put(&mut buffer, b"hello world");
        let hello = buffer.take(5);
        buffer.consume(1);
        assert_eq!(buffer.filled(), b"world");
        put(&mut buffer, b"!?");
        assert_eq!((&hello[..], buffer.filled()), (&b"hello"[..], &b"world!?"[..]));
    }

    #[test]
    fn storage_is_reused_when_its_slices_are_dropped() {
        let mut buffer = RecvBuf::default();
        put(&mut buffer, b"one");
        let first = buffer.take(3);
        let place = first.as_ptr();
        drop(first);
        put(&mut buffer, b"two");
        assert_eq!(buffer.take(3).as_ptr(), place);
    }

    #[test]
    fn buffer_grows_only_as_needed() {
        let mut buffer = RecvBuf::default();
        for _ in 0..40 {
            let room = buffer.room(16);
            room[0] = b'x';
            buffer.commit(1);
        }
        assert_eq!(buffer.filled(), [b'x'; 40]);
        assert_eq!(buffer.size(), 64);
        assert!(buffer.release().is_none());
        buffer.consume(40);
        assert_eq!(buffer.release().map(|block| block.size()), Some(64));
        assert_eq!(buffer.room(16).len(), 16);
    }

    #[test]
    fn unread_bytes_move_to_the_front_if_under_a_quarter_is_free() {
        for (filled, consumed, room) in [(24, 8, 8), (25, 8, 15), (32, 20, 20), (25, 0, 7), (24, 0, 8)] {
            let mut buffer = RecvBuf::default();
            buffer.room(32)[..filled].copy_from_slice(&[b'x'; 32][..filled]);
            buffer.commit(filled);
            buffer.consume(consumed);
            assert_eq!(buffer.room(32).len(), room, "{filled} - {consumed}");
            assert_eq!(buffer.filled(), &[b'x'; 32][consumed..filled]);
        }
    }

    #[test]
    fn storage_is_wanted_if_the_buffer_is_smaller() {
        let mut buffer = RecvBuf::default();
        assert!(buffer.wants(16) && !buffer.wants(0));
        put(&mut buffer, b"x");
        assert!(buffer.wants(17) && !buffer.wants(16) && !buffer.wants(15));
        let lent = buffer.lend(16);
        assert!(!buffer.wants(17));
        buffer.take_back(lent);
        assert!(buffer.wants(17));
    }

    #[test]
    fn counts_beyond_the_buffer_are_capped() {
        let mut buffer = RecvBuf::default();
        buffer.room(16);
        buffer.commit(1000);
        assert_eq!(buffer.len(), 16);
        buffer.consume(usize::MAX);
        assert_eq!(buffer.take(5), Bytes::new());
    }
}
