//! A parser of responses, independent of the code that writes them.

/// One whole response.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedResponse {
    pub(super) status: u16,
    pub(super) content: Vec<u8>,
    /// True if the connection ends with it, because of its Connection field or its framing.
    pub(super) closes: bool,
    /// Number of bytes of the response.
    pub(super) length: usize,
}

/// The result of parsing the first response in the received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// There are no bytes.
    Nothing,
    Whole(ParsedResponse),
    /// A response that is incomplete according to its framing.
    Part,
    /// Not a response, with the reason.
    Malformed(&'static str),
}

/// The state of the server's stream to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The stream has not ended.
    Open,
    /// The peer ended its stream.
    Ended,
    /// The connection was reset.
    Reset,
}

/// Parses one response, interim or final.
pub(super) fn read(bytes: &[u8], to_head: bool, end: End) -> Read {
    if bytes.is_empty() {
        return Read::Nothing;
    }
    let Some(head_length) = bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|place| place + 4) else {
        return Read::Part;
    };
    let (head, rest) = bytes.split_at(head_length);
    let Ok(head) = str::from_utf8(head) else {
        return Read::Malformed("a head that is not text");
    };
    let mut lines = head.trim_end_matches("\r\n").split("\r\n");
    let Some(status) = lines.next().and_then(status) else {
        return Read::Malformed("no status line");
    };
    let (mut length, mut chunked, mut closes, mut dates) = (None, false, false, 0);
    for line in lines {
        let Some((name, value)) = line.split_once(": ") else {
            return Read::Malformed("a line that is no field");
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => match value.parse::<usize>() {
                Ok(value) if length.is_none() => length = Some(value),
                _ => return Read::Malformed("a bad or second Content-Length"),
            },
            "transfer-encoding" if value == "chunked" && !chunked => chunked = true,
            "transfer-encoding" => return Read::Malformed("an unknown or second Transfer-Encoding"),
            "connection" => closes |= value == "close",
            "date" => dates += 1,
            _ => {}
        }
    }
    if chunked && length.is_some() {
        return Read::Malformed("both Content-Length and Transfer-Encoding");
    }
    if status >= 200 && dates != 1 {
        return Read::Malformed("no Date, or two");
    }
    let whole = |content: Vec<u8>, taken: usize, closes| {
        Read::Whole(ParsedResponse { status, content, closes, length: head_length + taken })
    };
    if to_head || status < 200 || status == 204 || status == 304 {
        return whole(Vec::new(), 0, closes);
    }
    match (chunked, length) {
        (true, _) => match unchunk(rest) {
            Some(Ok((content, taken))) => whole(content, taken, closes),
            Some(Err(why)) => Read::Malformed(why),
            None => Read::Part,
        },
        (false, Some(length)) => match rest.get(..length) {
            Some(content) => whole(content.to_vec(), length, closes),
            None => Read::Part,
        },
        // The end of the stream delimits the body; a reset does not.
        (false, None) if end == End::Ended => whole(rest.to_vec(), rest.len(), true),
        (false, None) => Read::Part,
    }
}

fn status(line: &str) -> Option<u16> {
    let (version, rest) = line.split_once(' ')?;
    let (code, _reason) = rest.split_once(' ')?;
    (matches!(version, "HTTP/1.0" | "HTTP/1.1") && code.len() == 3).then(|| code.parse().ok())?
}

/// Returns the content of chunks and their length in bytes; `None` if the last chunk is missing.
fn unchunk(bytes: &[u8]) -> Option<Result<(Vec<u8>, usize), &'static str>> {
    let mut content = Vec::new();
    let mut rest = bytes;
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let (size, after) = rest.split_at(line);
        let size = str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size else {
            return Some(Err("a bad chunk size"));
        };
        let data = after.get(2..)?;
        let chunk = data.get(..size)?;
        if data.get(size..size + 2)? != b"\r\n" {
            return Some(Err("a chunk without its end"));
        }
        content.extend_from_slice(chunk);
        rest = data.get(size + 2..)?;
        if size == 0 {
            return Some(Ok((content, bytes.len() - rest.len())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(bytes: &[u8], end: End) -> Option<Vec<u8>> {
        match read(bytes, false, end) {
            Read::Whole(response) => Some(response.content),
            _ => None,
        }
    }

    #[test]
    fn responses_are_whole_by_their_framing() {
        let chunked = b"HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
        let sized = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nhi";
        for response in [&chunked[..], sized] {
            assert_eq!(content(response, End::Open).unwrap(), b"hi");
            for cut in 1..response.len() {
                assert_eq!(read(&response[..cut], false, End::Ended), Read::Part, "{cut}");
            }
        }
        let until_the_end = b"HTTP/1.1 200 OK\r\nDate: x\r\n\r\nhi";
        assert_eq!(content(until_the_end, End::Ended).unwrap(), b"hi");
        assert_eq!(content(until_the_end, End::Reset), None);
        assert_eq!(content(until_the_end, End::Open), None);
    }

    #[test]
    fn malformed_responses_are_recognised() {
        let bad = [
            "HTTP/1.1 200\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
            "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "HTTP/1.1 200 OK\r\nDate: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ];
        for bytes in bad {
            assert!(matches!(read(bytes.as_bytes(), false, End::Ended), Read::Malformed(_)), "{bytes}");
        }
    }
}
