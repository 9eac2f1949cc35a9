//! The parser of field sections: the lines of a head, of trailers and of a multipart part (RFC 9112
//! section 5).

use crate::wire::error::ProtocolError;
use crate::wire::grammar::{self, ByteSet, byte_set, trim_ows_end, trim_ows_start};
use crate::wire::span::FieldSpan;

/// Maximum length of a section in bytes, whatever the configuration allows: the largest offset of a
/// [`Span`](crate::wire::span::Span).
pub(crate) const MAX_SECTION: usize = u16::MAX as usize;

pub(crate) static TCHAR: ByteSet = byte_set!(grammar::is_tchar);
static VALUE: ByteSet = byte_set!(grammar::is_field_value_byte);

/// One line of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// A name, and a value without the surrounding white space.
    Field(&'a [u8], &'a [u8]),
    /// The empty line that ends the section.
    End,
}

/// A reader of the lines of a section, of which the end may not have arrived.
///
/// A line is judged only once its end has arrived, and only by its own bytes, so that the verdict
/// does not depend on how the bytes are cut into segments.
#[derive(Debug)]
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(crate) fn new(section: &'a [u8]) -> Self {
        Self { rest: section }
    }

    /// Returns the bytes that have not been read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Reads a line. Returns `None` if its end has not arrived.
    #[inline(always)]
    pub(crate) fn next(&mut self) -> Result<Option<Line<'a>>, ProtocolError> {
        let (name, colon) = TCHAR.split(self.rest);
        match colon {
            [b':', value @ ..] if !name.is_empty() => {
                let value = match value {
                    // Nearly every value follows a single space.
                    [b' ', rest @ ..] if rest.first().is_some_and(|&first| first > b' ') => rest,
                    _ => trim_ows_start(value),
                };
                let (value, end) = split_value(value);
                let [b'\r', b'\n', next @ ..] = end else {
                    return fault(self.rest, ProtocolError::FieldValue);
                };
                self.rest = next;
                Ok(Some(Line::Field(name, trim_ows_end(value))))
            }
            [b'\r', b'\n', next @ ..] if name.is_empty() => {
                self.rest = next;
                Ok(Some(Line::End))
            }
            [b'\r', ..] if name.is_empty() => fault(self.rest, ProtocolError::BareCarriageReturn),
            _ => fault(self.rest, ProtocolError::FieldName),
        }
    }

    /// Reads a line like [`next`](Self::next), for a part of a form. Its Content-Disposition may
    /// contain control bytes, because browsers escape only `"`, CR and LF in a file name.
    fn next_of_part(&mut self) -> Result<Option<Line<'a>>, ProtocolError> {
        match self.next() {
            Err(ProtocolError::FieldValue) => self.disposition().map(Some).ok_or(ProtocolError::FieldValue),
            line => line,
        }
    }

    /// Reads a Content-Disposition without NUL, CR and LF in its value.
    fn disposition(&mut self) -> Option<Line<'a>> {
        let (name, rest) = TCHAR.split(self.rest);
        let value = rest.strip_prefix(b":").filter(|_| name.eq_ignore_ascii_case(b"content-disposition"))?;
        let (value, end) = value.split_at_checked(memchr::memchr3(b'\0', b'\r', b'\n', value)?)?;
        self.rest = end.strip_prefix(b"\r\n")?;
        Some(Line::Field(name, grammar::trim_ows(value)))
    }
}

/// Parses all lines of a complete section, which ends with its empty line.
pub(crate) fn index_section(section: &[u8], limit: usize) -> Result<Vec<FieldSpan>, ProtocolError> {
    index(section, limit, |lines| lines.next())
}

/// Parses all lines like [`index_section`], for a part of a form. The value of its
/// Content-Disposition may contain any byte except NUL, CR and LF; the parser of that field decides
/// where they are allowed.
pub(crate) fn index_part(section: &[u8], limit: usize) -> Result<Vec<FieldSpan>, ProtocolError> {
    index(section, limit, |lines| lines.next_of_part())
}

fn index(
    section: &[u8],
    limit: usize,
    next: impl for<'a> Fn(&mut Lines<'a>) -> Result<Option<Line<'a>>, ProtocolError>,
) -> Result<Vec<FieldSpan>, ProtocolError> {
    if section.len() > MAX_SECTION {
        return Err(ProtocolError::HeadTooLong);
    }
    let mut index = Vec::new();
    let mut lines = Lines::new(section);
    while let Line::Field(name, value) = next(&mut lines)?.ok_or(ProtocolError::FieldName)? {
        if index.len() == limit {
            return Err(ProtocolError::TooManyFields);
        }
        index.push(FieldSpan::of(name, value, section));
    }
    Ok(index)
}

/// Returns the error of a line that does not parse, or `None` if its end has not arrived. RFC 9112
/// section 2.2 allows a server to accept LF alone as a line end; this one does not, because another
/// parser of the same bytes may not see a line end there.
#[cold]
fn fault<'a>(bytes: &[u8], fault: ProtocolError) -> Result<Option<Line<'a>>, ProtocolError> {
    match memchr::memchr(b'\n', bytes).and_then(|end| bytes.get(..end)) {
        None => Ok(None),
        Some([.., b'\r']) => Err(fault),
        Some(_) => Err(ProtocolError::BareLineFeed),
    }
}

/// Splits after the leading bytes that are allowed in a field value. Reads eight bytes at a time.
#[inline(always)]
fn split_value(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk() {
        match first_control(*word) {
            None => rest = skip_plain(tail),
            Some(at) => match rest.get(at..) {
                Some([b'\t', tail @ ..]) => rest = tail,
                Some(end) => return bytes.split_at_checked(bytes.len() - end.len()).unwrap_or_default(),
                None => break,
            },
        }
    }
    let end = VALUE.split(rest).1;
    bytes.split_at_checked(bytes.len() - end.len()).unwrap_or_default()
}

/// Skips leading groups of 16 bytes without control characters, which make up most of a long value.
#[inline(always)]
fn skip_plain(mut bytes: &[u8]) -> &[u8] {
    while let Some((group, tail)) = bytes.split_first_chunk::<16>()
        && group.iter().fold(true, |plain, &byte| plain & (byte >= b' ') & (byte != 0x7f))
    {
        bytes = tail;
    }
    bytes
}

/// Returns the position of the first control character, HTAB included, among eight bytes.
fn first_control(word: [u8; 8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let word = u64::from_le_bytes(word);
    let del = word ^ (ONES * 0x7f);
    // The subtraction sets the high bit of each byte that is less than the subtrahend, unless that
    // bit was set before. A borrow can carry into higher bytes, never into lower ones.
    let controls = (word.wrapping_sub(ONES * 0x20) & !word | del.wrapping_sub(ONES) & !del) & (ONES << 7);
    (controls != 0).then_some(controls.trailing_zeros() as usize / 8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn parse(section: &str) -> Result<Vec<FieldSpan>, ProtocolError> {
        index_section(section.as_bytes(), 100)
    }

    #[test]
    fn invalid_lines_are_errors() {
        use ProtocolError::{BareLineFeed, FieldName, FieldValue};
        for (section, expected) in [
            ("A : 1\r\n\r\n", FieldName),
            (": 1\r\n\r\n", FieldName),
            ("A\t: 1\r\n\r\n", FieldName),
            ("A\r\n\r\n", FieldName),
            (" A: 1\r\n\r\n", FieldName),
            ("A: 1\r\n b\r\n\r\n", FieldName),
            ("A: 1\n\r\n", BareLineFeed),
            ("A: 1\r\n\n", BareLineFeed),
            ("A\u{e9}: 1\r\n\r\n", FieldName),
            ("A: 1\rb\r\n\r\n", FieldValue),
            ("A: \u{0}\r\n\r\n", FieldValue),
            ("A: \u{7f}\r\n\r\n", FieldValue),
            ("A: 1\u{b}\r\n\r\n", FieldValue),
            ("A: 1", FieldName),
            ("A(: 1\r\n\r\n", FieldName),
        ] {
            assert_eq!(parse(section).err(), Some(expected), "{section:?}");
        }
    }

    /// The fields, and the length of the section including its empty line.
    type Section = (Vec<(String, Vec<u8>)>, usize);

    /// Returns the result of httparse for a section, if each of its lines ends with CRLF.
    fn oracle(section: &[u8]) -> Option<Section> {
        let mut room = [httparse::EMPTY_HEADER; 64];
        let Ok(httparse::Status::Complete((length, fields))) = httparse::parse_headers(section, &mut room) else {
            return None;
        };
        let lines = section[..length].split_inclusive(|&byte| byte == b'\n');
        let fields = fields.iter().map(|field| (field.name.to_owned(), field.value.to_owned())).collect();
        lines.into_iter().all(|line| line.ends_with(b"\r\n")).then_some((fields, length))
    }

    fn ours(section: &[u8]) -> Option<Section> {
        let mut lines = Lines::new(section);
        let mut fields = vec![];
        while let Line::Field(name, value) = lines.next().ok()?? {
            fields.push((String::from_utf8(name.to_owned()).unwrap(), value.to_owned()));
        }
        Some((fields, section.len() - lines.rest().len()))
    }

    #[test]
    fn field_sections_match_a_second_parser() {
        const PIECES: [&[u8]; 26] = [
            b"\r\n",
            b"\r\n",
            b"\r\n",
            b": ",
            b":",
            b": ",
            b"Host",
            b"X-A",
            b"value",
            b"a longer value",
            b" ",
            b"\t",
            b"\r",
            b"\n",
            b"\0",
            b"\x7f",
            b"\x80",
            b"\xff",
            b"\x1f",
            b"!#$%&'*+-.^_`|~",
            b"(",
            b"\"",
            b"\x0b",
            b"x: y\r\n",
            b"\x20\x1f\x20\x1f\x20\x1f\x20\x1f",
            b"\t\t12345678\t12345678\x7f",
        ];
        let mut random = Random::new(11);
        let mut accepted = 0;
        for _ in 0..200_000 {
            let mut section: Vec<u8> = (0..random.below(12)).flat_map(|_| PIECES[random.below(26)]).copied().collect();
            if random.below(4) > 0 {
                section.extend_from_slice(b"\r\n\r\n");
            }
            let read = ours(&section);
            assert_eq!(read, oracle(&section), "{}", section.escape_ascii());
            accepted += usize::from(read.is_some_and(|(fields, _)| !fields.is_empty()));
        }
        assert!(accepted > 2_000, "only {accepted} were good");
    }

    /// Tests every byte at every position of a value that is read eight bytes at a time.
    #[test]
    fn every_byte_is_checked_at_every_position() {
        for (byte, place) in (0..=255).flat_map(|byte| (0..40).map(move |place| (byte, place))) {
            let mut value = *b"x.......8.......8.......8.......8.......x";
            value[place] = byte;
            let section = [b"A:", &value[..], b"\r\n\r\n"].concat();
            assert_eq!(ours(&section), oracle(&section), "{byte:#x} at {place}");
        }
    }

    /// Tests long runs of one byte, which are read in larger groups.
    #[test]
    fn runs_of_every_byte_are_checked() {
        for (byte, length) in (0..=255).flat_map(|byte| (0..70).map(move |length| (byte, length))) {
            let section = [b"A: 12345678", &vec![byte; length][..], b"\r\n\r\n"].concat();
            assert_eq!(ours(&section), oracle(&section), "{length} of {byte:#x}");
        }
    }

    #[test]
    fn number_of_fields_is_limited_exactly() {
        for limit in [0, 1, 31, 32, 33, 100, 255, 256] {
            let read = |n: usize| index_section(("A: 1\r\n".repeat(n) + "\r\n").as_bytes(), limit);
            assert_eq!(read(limit).unwrap().len(), limit);
            assert_eq!(read(limit + 1).err(), Some(ProtocolError::TooManyFields));
        }
    }

    #[test]
    fn values_keep_everything_but_surrounding_ows() {
        let section = "A:\t \u{a0}x\u{a0} \t\r\nB: \r\nC:\r\n\r\n".as_bytes();
        let index = index_section(section, 3).unwrap();
        let values: Vec<_> = index.iter().map(|span| span.value.slice(section)).collect();
        assert_eq!(values, ["\u{a0}x\u{a0}".as_bytes(), b"", b""]);
    }

    #[test]
    fn section_is_limited_to_the_size_of_its_index() {
        let section = |length: usize| format!("A: {}\r\n\r\n", "a".repeat(length - "A: \r\n\r\n".len()));
        assert!(index_section(section(MAX_SECTION).as_bytes(), 1).is_ok());
        assert_eq!(index_section(section(MAX_SECTION + 1).as_bytes(), 1).err(), Some(ProtocolError::HeadTooLong));
    }
}
