//! The part of the current request's body that has not been parsed.

use crate::wire::chunked::Chunked;
use crate::wire::request_framing::Framing;

/// The part of the current request's content that has not been parsed.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) coding: Coding,
    /// Offset in the stream at which the content begins; in a chunked body, the end of the last
    /// chunk whose data is complete.
    pub(super) element: u64,
    /// Number of decoded bytes that were received.
    pub(super) received: u64,
    /// Maximum number of decoded bytes.
    pub(super) limit: u64,
    /// Number of decoded bytes that were dropped after the response was finished.
    pub(super) drained: u64,
}

#[derive(Debug, Default)]
pub(super) enum Coding {
    #[default]
    None,
    /// Content-Length, with the number of bytes that remain.
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

    /// Returns true if more than `size` bytes are known, or likely, to follow.
    pub(super) fn is_longer_than(&self, size: usize) -> bool {
        match &self.coding {
            Coding::None => false,
            Coding::Length(remaining) => *remaining > size as u64,
            Coding::Chunked(chunked) => chunked.chunk_remaining() > size as u64 || self.received > size as u64,
        }
    }

    /// Returns the number of unparsed bytes that a receive buffer of `size` bytes may hold: a
    /// trailer section stays in it until it is complete or exceeds its limit.
    pub(super) fn room(&self, size: usize) -> usize {
        match &self.coding {
            Coding::None | Coding::Length(_) => size,
            Coding::Chunked(chunked) => chunked.longest_section().max(size),
        }
    }

    /// Returns the number of bytes that are known to follow.
    pub(super) fn announced(&self) -> u64 {
        match &self.coding {
            Coding::None => 0,
            Coding::Length(remaining) => *remaining,
            Coding::Chunked(chunked) => chunked.chunk_remaining(),
        }
    }
}
