//! The parser of the Range field (RFC 9110 section 14).

use crate::wire::grammar::{decimal, trim_ows};

/// Maximum number of ranges in one request; with more, the whole file is sent. Each one needs the
/// head of a part, and no client resumes a download in more pieces.
const MAX_RANGES: usize = 16;

/// The positions of the first and the last byte, both inclusive; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl ByteRange {
    pub(crate) fn len(self) -> u64 {
        self.last - self.first + 1
    }

    fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

/// The part of a file that a Range field selects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The whole file, because the field is ignored.
    Whole,
    /// No range is satisfiable; the response is 416.
    Unsatisfiable,
    One(ByteRange),
    /// Two or more ranges that do not overlap, in the order in which they were requested.
    Several(Vec<ByteRange>),
}

/// Parses a Range field for a file of `len` bytes.
///
/// A field with a unit other than bytes, or with an invalid specifier, is ignored (section 14.2).
/// In a valid one, unsatisfiable ranges are omitted, and overlapping ranges are merged (section
/// 15.3.7.2). For an empty file the field is ignored, as section 14.2 allows, because clients that
/// request a range of every resource treat 416 as a failure.
pub(crate) fn select(value: &[u8], len: u64) -> Selection {
    let Some(specs) = range_set(value).and_then(parse_specs) else {
        return Selection::Whole;
    };
    let mut ranges = Vec::with_capacity(specs.len());
    for range in specs.into_iter().filter_map(|spec| spec.within(len)) {
        merge(&mut ranges, range);
    }
    match ranges.as_slice() {
        [] if len == 0 => Selection::Whole,
        [] => Selection::Unsatisfiable,
        [range] => Selection::One(*range),
        _ => Selection::Several(ranges),
    }
}

/// Parses `range-unit "=" range-set`, where the unit is bytes, compared without case (section
/// 14.1).
fn range_set(value: &[u8]) -> Option<&[u8]> {
    let (unit, rest) = value.split_at_checked(b"bytes".len())?;
    rest.strip_prefix(b"=").filter(|_| unit.eq_ignore_ascii_case(b"bytes"))
}

/// Parses `range-set = 1#range-spec`: white space around commas is allowed, empty elements are
/// skipped (section 5.6.1.2). Returns `None` if an element is invalid or there are too many.
fn parse_specs(set: &[u8]) -> Option<Vec<Spec>> {
    let mut specs = Vec::new();
    for (place, element) in set.split(|&byte| byte == b',').enumerate() {
        let trimmed = trim_ows(element);
        if trimmed.is_empty() {
            continue;
        }
        // White space between "=" and the first range is not allowed.
        if place == 0 && !element.starts_with(trimmed) || specs.len() == MAX_RANGES {
            return None;
        }
        specs.push(Spec::parse(trimmed)?);
    }
    (!specs.is_empty()).then_some(specs)
}

/// A `range-spec`, RFC 9110 section 14.1.1. Numbers of more than 64 bits count as the largest
/// number, because no file has that many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spec {
    Int { first: u64, last: Option<u64> },
    Suffix { len: u64 },
}

impl Spec {
    fn parse(spec: &[u8]) -> Option<Self> {
        let dash = memchr::memchr(b'-', spec)?;
        let (first, last) = (spec.get(..dash)?, spec.get(dash + 1..)?);
        match (first, last) {
            ([], len) => Some(Self::Suffix { len: position(len)? }),
            (first, []) => Some(Self::Int { first: position(first)?, last: None }),
            (first, last) => {
                let (first, last) = (position(first)?, position(last)?);
                (first <= last).then_some(Self::Int { first, last: Some(last) })
            }
        }
    }

    /// Returns the range in a file of this length; `None` if it is not satisfiable, as always in an
    /// empty file.
    fn within(self, len: u64) -> Option<ByteRange> {
        let end = len.checked_sub(1)?;
        match self {
            Self::Int { first, last } => {
                (first <= end).then(|| ByteRange { first, last: last.map_or(end, |last| last.min(end)) })
            }
            Self::Suffix { len: 0 } => None,
            Self::Suffix { len: suffix } => Some(ByteRange { first: len.saturating_sub(suffix), last: end }),
        }
    }
}

fn position(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| decimal(digits).unwrap_or(u64::MAX))
}

/// Adds a range to ranges that do not overlap. If it overlaps some of them, all of these are merged
/// in the place of the first; otherwise it is appended.
fn merge(ranges: &mut Vec<ByteRange>, mut new: ByteRange) {
    let place = ranges.iter().position(|range| range.overlaps(new));
    // The old ranges do not overlap each other, so the merged range overlaps no others.
    let asked = new;
    ranges.retain(|range| {
        if range.overlaps(asked) {
            new = ByteRange { first: new.first.min(range.first), last: new.last.max(range.last) };
        }
        !range.overlaps(asked)
    });
    ranges.insert(place.unwrap_or(ranges.len()), new);
}

#[cfg(test)]
mod tests {
    use super::Selection::{Unsatisfiable, Whole};
    use super::*;

    const LEN: u64 = 100;

    fn range((first, last): (u64, u64)) -> ByteRange {
        ByteRange { first, last }
    }

    fn one(first: u64, last: u64) -> Selection {
        Selection::One(range((first, last)))
    }

    fn several<const N: usize>(ranges: [(u64, u64); N]) -> Selection {
        Selection::Several(ranges.map(range).into())
    }

    #[test]
    fn single_ranges_are_clamped_to_the_file() {
        for (value, expected) in [
            ("bytes=0-0", one(0, 0)),
            ("bytes=0-9", one(0, 9)),
            ("bytes=99-99", one(99, 99)),
            ("bytes=0-99", one(0, 99)),
            ("bytes=0-100", one(0, 99)),
            ("bytes=50-1000", one(50, 99)),
            ("bytes=0-", one(0, 99)),
            ("bytes=99-", one(99, 99)),
            ("bytes=-1", one(99, 99)),
            ("bytes=-100", one(0, 99)),
            ("bytes=-101", one(0, 99)),
            ("BYTES=0-9", one(0, 9)),
            ("bytes=007-009", one(7, 9)),
            ("bytes=100-", Unsatisfiable),
            ("bytes=100-100", Unsatisfiable),
            ("bytes=1000-2000", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=0-18446744073709551615", one(0, 99)),
            ("bytes=0-18446744073709551616", one(0, 99)),
            ("bytes=0-99999999999999999999999999999999999999", one(0, 99)),
            ("bytes=-18446744073709551616", one(0, 99)),
            ("bytes=18446744073709551615-", Unsatisfiable),
            ("bytes=18446744073709551616-", Unsatisfiable),
            ("bytes=99999999999999999999-99999999999999999999", Unsatisfiable),
        ] {
            assert_eq!(select(value.as_bytes(), LEN), expected, "{value}");
        }
    }

    #[test]
    fn invalid_ranges_are_ignored() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes= ",
            "bytes=-",
            "bytes=--1",
            "bytes=1",
            "bytes=9-0",
            "bytes=200-100",
            "bytes=99999999999999999999-5",
            "bytes=0-9,9-0",
            "bytes=0-9,x",
            "bytes=0-9,200-100",
            "bytes=a-b",
            "bytes=0x0-0x9",
            "bytes=+0-9",
            "bytes=0-+9",
            "bytes=0-9-",
            "bytes=0-9;",
            "bytes=0--9",
            "bytes=1.0-2",
            "bytes= 0-9",
            "bytes=\t0-9",
            "bytes =0-9",
            " bytes=0-9",
            "bytes=0 -9",
            "bytes=0- 9",
            "bytes=0 - 9",
            "bytes=0-9 10-19",
            "bytes=- 5",
            "bytes: 0-9",
            "bytes:0-9",
            "byte=0-9",
            "bytess=0-9",
            "items=0-9",
            "none=0-9",
            "=0-9",
            "bytes==0-9",
            "bytes=\u{661}-",
        ] {
            assert_eq!(select(value.as_bytes(), LEN), Whole, "{value}");
        }
    }

    #[test]
    fn ranges_of_an_empty_file_are_ignored() {
        for value in ["bytes=-5", "bytes=-0", "bytes=0-", "bytes=0-0", "bytes=0-9,-1", "bytes=5-9", "bytes=9-0"] {
            assert_eq!(select(value.as_bytes(), 0), Whole, "{value}");
        }
    }

    #[test]
    fn several_ranges_are_merged_or_kept_in_order() {
        for (value, expected) in [
            ("bytes=0-9,20-29", several([(0, 9), (20, 29)])),
            ("bytes=0-9 ,\t20-29", several([(0, 9), (20, 29)])),
            ("bytes=,0-9,, ,20-29,", several([(0, 9), (20, 29)])),
            ("bytes= ,0-9", one(0, 9)),
            ("bytes=0-9,-10", several([(0, 9), (90, 99)])),
            ("bytes=0-0,-1", several([(0, 0), (99, 99)])),
            ("bytes=20-29,0-9", several([(20, 29), (0, 9)])),
            // Adjacent ranges do not overlap.
            ("bytes=0-9,10-19", several([(0, 9), (10, 19)])),
            // Unsatisfiable ranges are omitted.
            ("bytes=0-9,100-", one(0, 9)),
            ("bytes=200-,-0,5-6,300-", one(5, 6)),
            ("bytes=200-,-0,300-", Unsatisfiable),
            // Overlapping ranges are merged in the place of the first.
            ("bytes=0-9,5-14", one(0, 14)),
            ("bytes=0-9,9-14", one(0, 14)),
            ("bytes=5-14,0-9", one(0, 14)),
            ("bytes=0-9,0-9", one(0, 9)),
            ("bytes=0-99,5-6,-1", one(0, 99)),
            ("bytes=5-6,0-99", one(0, 99)),
            ("bytes=-10,50-", one(50, 99)),
            ("bytes=50-59,0-9,55-64", several([(50, 64), (0, 9)])),
            ("bytes=50-59,0-9,30-39,5-34", several([(50, 59), (0, 39)])),
            ("bytes=0-9,20-29,40-49,5-44", one(0, 49)),
            ("bytes=80-89,0-9,20-29,40-49,5-44", several([(80, 89), (0, 49)])),
        ] {
            assert_eq!(select(value.as_bytes(), LEN), expected, "{value}");
        }
    }

    #[test]
    fn more_than_16_ranges_are_ignored() {
        let ranges = |count: u64, step: u64| {
            let specs: Vec<_> = (0..count).map(|n| format!("{}-{}", n * step, n * step)).collect();
            format!("bytes={}", specs.join(","))
        };
        let Selection::Several(sixteen) = select(ranges(16, 2).as_bytes(), LEN) else { panic!() };
        assert_eq!(sixteen.len(), 16);
        assert_eq!(select(ranges(17, 2).as_bytes(), LEN), Whole);
        // The number of requested ranges counts, not the number after merging.
        assert_eq!(select(ranges(16, 0).as_bytes(), LEN), one(0, 0));
        assert_eq!(select(ranges(17, 0).as_bytes(), LEN), Whole);
        assert_eq!(select(ranges(17, 1000).as_bytes(), LEN), Whole);
        let empty = format!("bytes=0-0{}", ",".repeat(10_000));
        assert_eq!(select(empty.as_bytes(), LEN), one(0, 0));
    }

    #[test]
    fn ranges_of_a_maximum_length_file_do_not_overflow() {
        assert_eq!(select(b"bytes=0-", u64::MAX), one(0, u64::MAX - 1));
        assert_eq!(select(b"bytes=-1", u64::MAX), one(u64::MAX - 1, u64::MAX - 1));
        assert_eq!(select(b"bytes=18446744073709551615-", u64::MAX), Unsatisfiable);
    }

    /// Compares with a set of positions: the ranges contain exactly the requested bytes, none
    /// twice.
    #[test]
    fn ranges_contain_each_requested_byte_once() {
        const LEN: u64 = 5;
        let all = || (0..LEN + 1).flat_map(|first| (first..LEN + 1).map(move |last| (first, last)));
        for a in all() {
            for b in all() {
                for c in all() {
                    let value = format!("bytes={}-{},{}-{},{}-{}", a.0, a.1, b.0, b.1, c.0, c.1);
                    let mut sent = match select(value.as_bytes(), LEN) {
                        Whole => panic!("{value}"),
                        Unsatisfiable => vec![],
                        Selection::One(range) => vec![range],
                        Selection::Several(ranges) => ranges,
                    };
                    sent.sort_by_key(|range| range.first);
                    let sent: Vec<u64> = sent.iter().flat_map(|range| range.first..=range.last).collect();
                    let asked = |at: &u64| [a, b, c].iter().any(|(first, last)| (first..=last).contains(&at));
                    assert_eq!(sent, (0..LEN).filter(asked).collect::<Vec<_>>(), "{value}");
                }
            }
        }
    }
}
