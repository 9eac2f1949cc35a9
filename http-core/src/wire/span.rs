//! A stretch of a head.

use core::ops::Range;

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
    /// The caller sees to it that the offsets fit.
    pub(crate) fn new(range: Range<usize>) -> Self {
        Self { start: range.start as u16, end: range.end as u16 }
    }

    /// Where a slice of the whole stands in it.
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

/// Where one field line's name and value stand in the section's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

impl FieldSpan {
    /// Both are slices of the section.
    #[inline]
    pub(crate) fn of(name: &[u8], value: &[u8], section: &[u8]) -> Self {
        Self { name: Span::of(name, section), value: Span::of(value, section) }
    }
}
