//! Ranges of bytes in a head.

use core::ops::Range;

/// A range of bytes in a head, a trailer section or the header of a part.
///
/// Offsets have 16 bits because none of these exceeds 65,535 bytes
/// ([`Limits::head`](crate::Limits::head) has that maximum). This keeps the index of a request
/// small, which is all that it stores besides its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    /// Creates a span; the caller ensures that the offsets fit into 16 bits.
    pub(crate) fn new(range: Range<usize>) -> Self {
        Self { start: range.start as u16, end: range.end as u16 }
    }

    /// Returns the span of `part`, which must be a slice of `whole`.
    #[inline]
    pub(crate) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize);
        Self::new(start..start.wrapping_add(part.len()))
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    pub(crate) fn range(self) -> Range<usize> {
        usize::from(self.start)..usize::from(self.end)
    }

    pub(crate) fn slice(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.range()).unwrap_or_default()
    }
}

/// The spans of the name and the value of a field line in the bytes of its section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

impl FieldSpan {
    /// Returns the spans of a name and a value, which must be slices of `section`.
    #[inline]
    pub(crate) fn of(name: &[u8], value: &[u8], section: &[u8]) -> Self {
        Self { name: Span::of(name, section), value: Span::of(value, section) }
    }
}
