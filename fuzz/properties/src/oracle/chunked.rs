//! A parser of complete chunked content (RFC 9112 section 7.1).

use super::{is_field_value, is_token, line, trim};

/// The parsed part of a chunked body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Body {
    /// The content that is available.
    pub content: Vec<u8>,
    /// The trailer lines, in order.
    pub trailers: Vec<(Vec<u8>, Vec<u8>)>,
    /// The total size of its chunks, including those that are not complete.
    pub announced: u64,
    /// The total number of bytes of framing in its chunks beyond 16 bytes and twice their data.
    pub excess: u64,
    /// Number of bytes after the last parsed chunk: of the trailers, or of a chunk that is
    /// incomplete or malformed.
    pub left: usize,
    /// The end of the body.
    pub end: End,
}

/// The end of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// The body ends at this offset, framing included.
    At(usize),
    /// The body is incomplete.
    #[default]
    NeedMore,
    /// The body is malformed.
    Refused,
}

/// Parses a chunked body at the start of `bytes`.
#[must_use]
pub fn read(bytes: &[u8]) -> Body {
    let mut body = Body::default();
    let mut rest = bytes;
    body.end = loop {
        body.left = rest.len();
        let Ok(Some((size_line, after))) = line(rest) else {
            // Only a complete line gets a verdict here, although the bytes of an incomplete one may
            // already be invalid.
            break if line(rest).is_err() { End::Refused } else { End::NeedMore };
        };
        let Some(size) = size(size_line) else { break End::Refused };
        let line_ends = if size == 0 { 2 } else { 4 };
        body.excess += (size_line.len() as u64 + line_ends).saturating_sub(size.saturating_mul(2).saturating_add(16));
        if size == 0 {
            body.left = after.len();
            break trailers(after, &mut body.trailers)
                .map_or(End::Refused, |rest| rest.map_or(End::NeedMore, |rest| End::At(bytes.len() - rest.len())));
        }
        body.announced = body.announced.saturating_add(size);
        let there = after.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        body.content.extend_from_slice(&after[..there]);
        rest = &after[there..];
        match rest {
            [b'\r', b'\n', tail @ ..] => rest = tail,
            [] | [b'\r'] => break End::NeedMore,
            _ => break End::Refused,
        }
        if (there as u64) < size {
            break End::NeedMore;
        }
    };
    body
}

/// Parses `chunk-size [ chunk-ext ]` with at most 16 digits.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let number = std::str::from_utf8(&line[..digits]).ok()?;
    if digits == 0 || digits > 16 || !is_extensions(&line[digits..]) {
        return None;
    }
    u64::from_str_radix(number, 16).ok()
}

/// Returns true for `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )`.
fn is_extensions(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        let Some(after) = skip(rest).strip_prefix(b";") else { return false };
        let Some(after) = token(skip(after)) else { return false };
        rest = after;
        if let Some(value) = skip(after).strip_prefix(b"=") {
            let Some(after) = token(skip(value)).or_else(|| quoted(skip(value))) else { return false };
            rest = after;
        }
    }
    true
}

fn skip(bytes: &[u8]) -> &[u8] {
    let blanks = bytes.iter().take_while(|&&byte| byte == b' ' || byte == b'\t').count();
    &bytes[blanks..]
}

/// Returns the bytes after a token.
fn token(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.iter().take_while(|byte| is_token(&[**byte])).count();
    (length > 0).then(|| &bytes[length..])
}

/// Returns the bytes after a quoted string.
fn quoted(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(b"\"")?;
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', byte, after @ ..] | [byte, after @ ..] if is_field_value(&[*byte]) => after,
            _ => return None,
        };
    }
}

/// Parses field lines up to an empty one. Returns the bytes after it.
fn trailers<'a>(mut rest: &'a [u8], lines: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Result<Option<&'a [u8]>, ()> {
    loop {
        let Some((field, after)) = line(rest).map_err(drop)? else { return Ok(None) };
        rest = after;
        if field.is_empty() {
            return Ok(Some(rest));
        }
        let colon = field.iter().position(|&byte| byte == b':').ok_or(())?;
        let (name, value) = (&field[..colon], trim(&field[colon + 1..]));
        if !is_token(name) || !is_field_value(value) {
            return Err(());
        }
        lines.push((name.to_vec(), value.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunked_bodies_are_parsed_or_refused() {
        for (bytes, content, end) in [
            ("0\r\n\r\nGET", "", End::At(5)),
            ("5\r\nhello\r\n0\r\n\r\n", "hello", End::At(15)),
            ("1 ; a = \"q;\\\"\" ;b\r\nx\r\n000\r\nT: 1\r\n\r\n", "x", End::At(35)),
            ("5\r\nhel", "hel", End::NeedMore),
            ("5\r\nhello\n", "hello", End::Refused),
            ("5;\r\n", "", End::Refused),
            ("5 \r\n", "", End::Refused),
            ("5;a=\"\r\n", "", End::Refused),
            ("00000000000000005\r\n", "", End::Refused),
            ("\r\n", "", End::Refused),
            ("5", "", End::NeedMore),
            ("0\r\nA : b\r\n", "", End::Refused),
            ("0\r\n\n", "", End::Refused),
        ] {
            let body = read(bytes.as_bytes());
            assert_eq!((body.content.as_slice(), body.end), (content.as_bytes(), end), "{bytes:?}");
        }
    }
}
