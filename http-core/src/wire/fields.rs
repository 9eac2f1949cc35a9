//! Field sections: the lines of a head, of trailers and of a multipart part (RFC 9112 section 5).

use bytes::Bytes;

use crate::error::BadRequest;
use crate::message::headers::{FieldSpan, Headers};

/// The most field lines that a section can have, whatever the configuration says: the
/// parser's room on the stack.
const MOST_FIELDS: usize = 256;
/// Nearly every section fits here; the larger room is set up only where this one is too small.
const USUAL_FIELDS: usize = 32;

/// Parses a section that ends with its empty line, as a whole.
pub(crate) fn parse_section(section: Bytes, limit: usize) -> Result<Headers, BadRequest> {
    check_line_ends(&section)?;
    let mut index = Vec::new();
    parse(&section, 0, limit, &mut index, |_, _| Ok(()))?;
    Ok(Headers::from_parts(section, index))
}

/// Parses the field lines of a section whose line ends were checked already, and notes where
/// they stand. Each line is shown to `inspect` in order.
pub(crate) fn parse<'a>(
    section: &'a [u8],
    start: usize,
    limit: usize,
    index: &mut Vec<FieldSpan>,
    inspect: impl FnMut(&'a str, &'a [u8]) -> Result<(), BadRequest>,
) -> Result<(), BadRequest> {
    let mut usual = [httparse::EMPTY_HEADER; USUAL_FIELDS];
    match httparse::parse_headers(section, &mut usual) {
        Ok(status) => note(section, start, status, limit, index, inspect),
        Err(httparse::Error::TooManyHeaders) => {
            let mut most = [httparse::EMPTY_HEADER; MOST_FIELDS];
            let status = httparse::parse_headers(section, &mut most).map_err(fault)?;
            note(section, start, status, limit, index, inspect)
        }
        Err(error) => Err(fault(error)),
    }
}

fn note<'a>(
    section: &'a [u8],
    start: usize,
    status: httparse::Status<(usize, &[httparse::Header<'a>])>,
    limit: usize,
    index: &mut Vec<FieldSpan>,
    mut inspect: impl FnMut(&'a str, &'a [u8]) -> Result<(), BadRequest>,
) -> Result<(), BadRequest> {
    let httparse::Status::Complete((_, fields)) = status else {
        return Err(BadRequest::FieldName);
    };
    if fields.len() > limit {
        return Err(BadRequest::TooManyFields);
    }
    let base = section.as_ptr() as usize - start;
    for field in fields {
        let name = field.name.as_ptr() as usize - base;
        // httparse gives an empty value a place inside the section too.
        let value = field.value.as_ptr() as usize - base;
        let span = FieldSpan::new(name..name + field.name.len(), value..value + field.value.len());
        index.push(span.ok_or(BadRequest::HeadTooLong)?);
        inspect(field.name, field.value)?;
    }
    Ok(())
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
