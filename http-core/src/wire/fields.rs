//! Field sections: the lines of a head, of trailers and of a multipart part (RFC 9112 section 5).

use bytes::Bytes;

use crate::error::BadRequest;
use crate::message::headers::{FieldSpan, Headers};
use crate::wire::span::Span;

/// The most field lines that a section can have, whatever the configuration says: the
/// parser's room on the stack.
const MOST_FIELDS: usize = 256;
/// Nearly every section fits here; the larger room is set up only where this one is too small.
const USUAL_FIELDS: usize = 24;

/// Parses a section that ends with its empty line, as a whole.
pub(crate) fn parse_section(section: Bytes, limit: usize) -> Result<Headers, BadRequest> {
    check_line_ends(&section)?;
    let mut index = Vec::new();
    parse(&section, 0, limit, &mut index, |_, _| ())?.ok_or(BadRequest::FieldName)?;
    Ok(Headers::from_parts(section, index))
}

/// Parses the field lines that stand at `start` in `head`, up to their empty line, and notes
/// where they stand in it; each is shown to `inspect` in order. Returns where the section
/// ends, or `None` where its end is not there. Line ends are for the caller to check.
pub(crate) fn parse<'a>(
    head: &'a [u8],
    start: usize,
    limit: usize,
    index: &mut Vec<FieldSpan>,
    inspect: impl FnMut(&'a str, &'a [u8]),
) -> Result<Option<usize>, BadRequest> {
    let section = head.get(start..).unwrap_or_default();
    let mut usual = [httparse::EMPTY_HEADER; USUAL_FIELDS];
    let (length, fields) = match httparse::parse_headers(section, &mut usual) {
        Ok(httparse::Status::Complete(found)) => found,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            let mut most = [httparse::EMPTY_HEADER; MOST_FIELDS];
            return match httparse::parse_headers(section, &mut most).map_err(fault)? {
                httparse::Status::Complete((length, fields)) => {
                    note(head, start + length, fields, limit, index, inspect).map(Some)
                }
                httparse::Status::Partial => Ok(None),
            };
        }
        Err(error) => return Err(fault(error)),
    };
    note(head, start + length, fields, limit, index, inspect).map(Some)
}

fn note<'a>(
    head: &'a [u8],
    end: usize,
    fields: &[httparse::Header<'a>],
    limit: usize,
    index: &mut Vec<FieldSpan>,
    mut inspect: impl FnMut(&'a str, &'a [u8]),
) -> Result<usize, BadRequest> {
    if fields.len() > limit {
        return Err(BadRequest::TooManyFields);
    }
    if end > usize::from(u16::MAX) {
        return Err(BadRequest::HeadTooLong);
    }
    for field in fields {
        inspect(field.name, field.value);
    }
    let base = head.as_ptr() as usize;
    index.clear();
    // httparse gives an empty value a place inside the section too.
    index.extend(fields.iter().map(|field| FieldSpan {
        name: Span::of(field.name.as_bytes(), base),
        value: Span::of(field.value, base),
    }));
    Ok(end)
}

fn fault(error: httparse::Error) -> BadRequest {
    match error {
        httparse::Error::TooManyHeaders => BadRequest::TooManyFields,
        httparse::Error::HeaderValue => BadRequest::FieldValue,
        httparse::Error::NewLine => BadRequest::BareCarriageReturn,
        _ => BadRequest::FieldName,
    }
}

/// httparse takes LF alone for a line end; RFC 9112 section 2.2 lets a server refuse it, and
/// this one does, because another reader of the same bytes may not see a line end there.
pub(crate) fn check_line_ends(section: &[u8]) -> Result<(), BadRequest> {
    let mut start = 0;
    for at in memchr::memchr_iter(b'\n', section) {
        match section.get(start..at) {
            Some([.., b'\r']) => start = at + 1,
            _ => return Err(BadRequest::BareLineFeed),
        }
    }
    Ok(())
}

/// [`check_line_ends`] without another look at every byte: whether the lines that were parsed
/// out of `head` up to `end` follow a CRLF each, and the empty line too.
pub(crate) fn follow_line_ends(head: &[u8], end: usize, index: &[FieldSpan]) -> bool {
    index.iter().all(|field| field.name.follows(head, b"\r\n"))
        && head.get(..end).is_some_and(|head| head.ends_with(b"\r\n\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(section: &'static str) -> Result<Headers, BadRequest> {
        parse_section(Bytes::from_static(section.as_bytes()), 100)
    }

    #[test]
    fn bad_lines() {
        use BadRequest::{BareLineFeed, FieldName, FieldValue};
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

    #[test]
    fn the_limit_holds_at_n_and_n_plus_1() {
        for limit in [0, 1, 31, 32, 33, 100, 255, 256] {
            let section = |n: usize| Bytes::from("A: 1\r\n".repeat(n) + "\r\n");
            assert_eq!(parse_section(section(limit), limit).unwrap().len(), limit);
            assert_eq!(parse_section(section(limit + 1), limit).err(), Some(BadRequest::TooManyFields));
        }
    }

    #[test]
    fn values_keep_everything_but_surrounding_ows() {
        let h = parse("A:\t \u{a0}x\u{a0} \t\r\nB: \r\nC:\r\n\r\n").unwrap();
        assert_eq!(h.text("a"), Some("\u{a0}x\u{a0}"));
        assert_eq!(h.get("b"), Some(&b""[..]));
        assert_eq!(h.get("c"), Some(&b""[..]));
    }
}
