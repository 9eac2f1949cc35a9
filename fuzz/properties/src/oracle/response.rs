//! A parser of responses, like that of a strict client (RFC 9112 sections 4, 6 and 7).

use super::{is_field_value, is_token, line, trim};

/// A response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// True for HTTP/1.0, false for HTTP/1.1.
    pub http_1_0: bool,
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: Vec<u8>,
    /// The field lines in their order, names as sent.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The content that is available.
    pub content: Vec<u8>,
    /// The trailer lines of a chunked response.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// True if the response is complete. One that ends with the connection always is.
    pub whole: bool,
    /// True if the response ends with the connection.
    pub until_close: bool,
}

impl Response {
    /// Returns the value of the field, if there is one.
    ///
    /// # Panics
    /// If there are two fields with this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let mut values = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_slice());
        assert!(values.next().is_none(), "two {name} in {self:?}");
        value
    }

    /// Returns the options of `Connection`, in lowercase.
    ///
    /// # Panics
    /// If there are two such fields, or one that is not ASCII.
    pub fn connection_options(&self) -> impl Iterator<Item = String> {
        let options = str::from_utf8(self.field("Connection").unwrap_or_default()).expect("options are tokens");
        options.split(',').map(|option| option.trim().to_ascii_lowercase()).filter(|option| !option.is_empty())
    }
}

/// The kind of a request, which affects the content of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// HEAD: the response has no content.
    Head,
    /// CONNECT: a 2xx response has no content.
    Connect,
    /// Any other request.
    Other,
}

/// Parses one response at the start of `out`, and returns it with the bytes after it; `None` if its
/// head is incomplete.
///
/// # Panics
/// If it does not follow the grammar, or if its framing is ambiguous.
#[must_use]
pub fn read(out: &[u8], asked: Asked) -> Option<(Response, &[u8])> {
    let (status_line, mut rest) = line(out).expect("lines end with CR LF")?;
    let mut response = read_status_line(status_line);
    rest = read_fields(rest, &mut response.fields)?;
    let length = response.field("Content-Length").map(|value| {
        assert!(value.iter().all(u8::is_ascii_digit), "{response:?}");
        std::str::from_utf8(value).unwrap().parse::<u64>().unwrap()
    });
    let coding = response.field("Transfer-Encoding").map(<[u8]>::to_vec);
    assert!(coding.is_none() || length.is_none() && !response.http_1_0 && coding.as_deref() == Some(b"chunked"));
    let granted = asked == Asked::Connect && (200..300).contains(&response.status);
    if response.status < 200 || response.status == 204 || granted {
        assert!(length.is_none() && coding.is_none(), "framing that must not be: {response:?}");
    }
    if response.status < 200 || granted || asked == Asked::Head || matches!(response.status, 204 | 304) {
        response.whole = true;
    } else if coding.is_some() {
        rest = read_chunks(rest, &mut response).unwrap_or_default();
    } else {
        let close = response.connection_options().any(|option| option == "close");
        assert!(length.is_some() || close, "no end in sight: {response:?}");
        response.until_close = length.is_none();
        let there = length.map_or(rest.len(), |length| rest.len().min(usize::try_from(length).unwrap_or(usize::MAX)));
        response.whole = length.is_none_or(|length| length == there as u64);
        response.content = rest[..there].to_vec();
        rest = &rest[there..];
    }
    Some((response, rest))
}

fn read_status_line(line: &[u8]) -> Response {
    let shown = line.escape_ascii();
    let (http_1_0, rest) = match line.strip_prefix(b"HTTP/1.") {
        Some([b'1', b' ', rest @ ..]) => (false, rest),
        Some([b'0', b' ', rest @ ..]) => (true, rest),
        _ => panic!("no status line: {shown}"),
    };
    let (code, reason) = rest.split_at_checked(3).unwrap_or_else(|| panic!("no status: {shown}"));
    assert!(code.iter().all(u8::is_ascii_digit) && code[0] != b'0', "no status: {shown}");
    let reason = reason.strip_prefix(b" ").unwrap_or_else(|| panic!("no space before the reason: {shown}"));
    assert!(is_field_value(reason), "{shown}");
    let status = std::str::from_utf8(code).unwrap().parse().unwrap();
    Response { http_1_0, status, reason: reason.to_vec(), ..Response::default() }
}

fn read_fields<'a>(mut rest: &'a [u8], fields: &mut Vec<(String, Vec<u8>)>) -> Option<&'a [u8]> {
    loop {
        let (field, after) = line(rest).expect("lines end with CR LF")?;
        rest = after;
        if field.is_empty() {
            return Some(rest);
        }
        let colon = field.iter().position(|&byte| byte == b':').expect("a field line has a colon");
        let (name, value) = (&field[..colon], trim(&field[colon + 1..]));
        assert!(is_token(name) && is_field_value(value), "{}", field.escape_ascii());
        fields.push((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
    }
}

/// Parses chunks without extensions, because the core writes none. Returns `None` if they are
/// incomplete.
fn read_chunks<'a>(mut rest: &'a [u8], response: &mut Response) -> Option<&'a [u8]> {
    loop {
        let (size, after) = line(rest).expect("lines end with CR LF")?;
        let size = u64::from_str_radix(std::str::from_utf8(size).unwrap(), 16).expect("a bare chunk size");
        if size == 0 {
            let rest = read_fields(after, &mut response.trailers)?;
            response.whole = true;
            return Some(rest);
        }
        let there = after.len().min(usize::try_from(size).unwrap_or(usize::MAX));
        response.content.extend_from_slice(&after[..there]);
        match &after[there..] {
            [b'\r', b'\n', tail @ ..] => rest = tail,
            [] | [b'\r'] => return None,
            other => panic!("a chunk is longer than its size: {}", other.escape_ascii()),
        }
    }
}

/// Parses all responses in `out` to requests of these kinds. Returns them without interim
/// responses, and the bytes after them.
#[must_use]
pub fn read_all<'a>(mut out: &'a [u8], asked: &[Asked]) -> (Vec<Response>, &'a [u8]) {
    let mut responses = Vec::new();
    for &asked in asked {
        loop {
            let Some((response, rest)) = read(out, asked) else { return (responses, out) };
            out = rest;
            if response.status != 100 {
                responses.push(response);
                break;
            }
        }
    }
    (responses, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_are_parsed() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nT: 1\r\n\r\nHTTP";
        let (response, rest) = read(chunked, Asked::Other).unwrap();
        assert_eq!((response.content.as_slice(), response.whole, rest), (&b"hello"[..], true, &b"HTTP"[..]));
        assert_eq!(response.trailers, [("T".to_owned(), b"1".to_vec())]);
        let (response, rest) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Asked::Other).unwrap();
        assert_eq!((response.content.as_slice(), response.whole, rest), (&b"hel"[..], false, &b""[..]));
        let (response, rest) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHTTP", Asked::Head).unwrap();
        assert!(response.whole && rest == b"HTTP");
    }

    #[test]
    fn close_is_found_among_connection_options() {
        let response = b"HTTP/1.0 255 \r\nUpgrade: x\r\nConnection: close, Upgrade\r\n\r\nhello";
        let (response, _) = read(response, Asked::Other).unwrap();
        assert!(response.until_close && response.content == b"hello");
    }

    #[test]
    #[should_panic(expected = "no end in sight")]
    fn response_without_an_end_panics() {
        let _ = read(b"HTTP/1.1 200 OK\r\n\r\nhello", Asked::Other);
    }
}
