//! A stretch of a head.

use std::ops::Range;

/// Where something stands in a head, a trailer section or the header of a part.
///
/// Offsets are 16 bits wide because none of them exceeds 65,535 bytes
/// ([`Limits::head`](crate::Limits::head) is capped there), and an index of such offsets is
/// all that a request has besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    pub(crate) fn new(range: Range<usize>) -> Self {
        let offset = |at| u16::try_from(at).unwrap_or(u16::MAX);
        Self { start: offset(range.start), end: offset(range.end) }
    }

    /// Where `part` stands, a slice of what starts at the address `base`.
    pub(crate) fn of(part: &[u8], base: usize) -> Self {
        let start = part.as_ptr() as usize - base;
        Self::new(start..start + part.len())
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// Whether it stands right behind these bytes.
    pub(crate) fn follows(self, bytes: &[u8], before: &[u8]) -> bool {
        bytes.get(..usize::from(self.start)).is_some_and(|front| front.ends_with(before))
    }

    pub(crate) fn slice(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }
}
