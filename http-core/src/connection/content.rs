//! The body of the current request, as far as it is still to come.

use crate::wire::chunked::Chunked;
use crate::wire::request_framing::Framing;

/// The content of the current request, as far as it is still to come.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) coding: Coding,
    /// Where it begins in the stream, or in a chunked one the end of the last whole chunk's data.
    pub(super) element: u64,
    /// Decoded bytes that came.
    pub(super) received: u64,
    /// Decoded bytes that may come.
    pub(super) limit: u64,
    /// Decoded bytes dropped after the response was finished.
    pub(super) drained: u64,
}

#[derive(Debug, Default)]
pub(super) enum Coding {
    #[default]
    None,
    /// This many bytes are to come.
    Length(u64),
    Chunked(Chunked),
}

impl Content {
    pub(super) fn new(framing: Framing, element: u64, limit: u64, overhead: usize) -> Self {
        let coding = match framing {
            Framing::None => Coding::None,
            Framing::Length(length) => Coding::Length(length),
            Framing::Chunked => Coding::Chunked(Chunked::new(overhead)),
        };
        Self { coding, element, received: 0, limit, drained: 0 }
    }

    /// Returns true if more than this many bytes are known, or likely, to come.
    pub(super) fn is_longer_than(&self, size: usize) -> bool {
        match &self.coding {
            Coding::None => false,
            Coding::Length(remaining) => *remaining > size as u64,
            Coding::Chunked(chunked) => chunked.chunk_remaining() > size as u64 || self.received > size as u64,
        }
    }

    /// How many bytes may stand unread in a receive buffer of `size` bytes: a trailer section
    /// stands there until it is complete, or longer than its limit.
    pub(super) fn room(&self, size: usize) -> usize {
        match &self.coding {
            Coding::None | Coding::Length(_) => size,
            Coding::Chunked(chunked) => chunked.longest_section().max(size),
        }
    }

    /// Bytes that are known to come.
    pub(super) fn announced(&self) -> u64 {
        match &self.coding {
            Coding::None => 0,
            Coding::Length(remaining) => *remaining,
            Coding::Chunked(chunked) => chunked.chunk_remaining(),
        }
    }
}
