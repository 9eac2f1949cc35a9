//! Concatenation of the pieces of a body.

use bytes::{Bytes, BytesMut};

/// Concatenated pieces: a single piece is not copied, several are copied together.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    first: Bytes,
    joined: BytesMut,
}

/// Maximum capacity in bytes that is reserved because of the announced length, so that a peer
/// cannot cause larger allocations without sending the bytes.
const ROOM_UP_FRONT: u64 = 256 << 10;

impl Joined {
    /// Adds a piece; `announced` is the whole length, if known.
    pub(crate) fn push(&mut self, piece: Bytes, announced: Option<u64>) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            let room = announced.unwrap_or_default().min(ROOM_UP_FRONT) as usize;
            self.joined.reserve(room.max(self.first.len() + piece.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() {
            self.first
        } else if self.joined.len() < self.joined.capacity() / 2 {
            // Copied so that a caller that keeps the bytes does not keep the unused capacity.
            Bytes::copy_from_slice(&self.joined)
        } else {
            self.joined.freeze()
        }
    }
}
