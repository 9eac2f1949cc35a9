//! The encoder of responses: the head (RFC 9112 section 4) and the chunked framing (section 7.1).

use http::StatusCode;

use crate::wire::response_framing::FramingField;
use crate::wire::trailers;

/// The contents of a response head.
#[derive(Debug)]
pub(crate) struct ResponseEncoder<'a> {
    pub(crate) http_1_0: bool,
    pub(crate) status: StatusCode,
    /// The reason phrase; by default, the registered phrase of the status.
    pub(crate) reason: Option<&'a str>,
    /// The lines of Server and Date that are not among `fields`, each with its line end.
    pub(crate) default_lines: &'a [u8],
    /// The lines set by the application, each with its line end, without those of fields that the
    /// core owns.
    pub(crate) fields: &'a [u8],
    pub(crate) framing: FramingField,
    /// The value of the Connection field, if it is sent.
    pub(crate) connection: Option<&'static str>,
}

impl ResponseEncoder<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.status == StatusCode::OK && self.reason.is_none() && !self.http_1_0 {
            // The status line of nearly every response.
            out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        } else {
            self.write_other_status_line(out);
        }
        out.extend_from_slice(self.default_lines);
        out.extend_from_slice(self.fields);
        match self.framing {
            FramingField::None => {}
            FramingField::Length(length) => {
                out.extend_from_slice(b"Content-Length: ");
                out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
                // The end of nearly every head.
                if self.connection.is_none() {
                    return out.extend_from_slice(b"\r\n\r\n");
                }
                out.extend_from_slice(b"\r\n");
            }
            FramingField::Chunked => out.extend_from_slice(b"Transfer-Encoding: chunked\r\n"),
        }
        if let Some(connection) = self.connection {
            line(out, b"Connection: ", connection.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    #[inline(never)]
    fn write_other_status_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.http_1_0 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
        out.extend_from_slice(self.status.as_str().as_bytes());
        // The space is sent even without a phrase (RFC 9112 section 4).
        let reason = self.reason.unwrap_or_else(|| reason_phrase(self.status));
        line(out, b" ", reason.as_bytes());
    }
}

/// Writes an interim response with the lines set by the application, each with its line end.
pub(crate) fn interim(out: &mut Vec<u8>, status: StatusCode, fields: &[u8]) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    line(out, b" ", reason_phrase(status).as_bytes());
    out.extend_from_slice(fields);
    out.extend_from_slice(b"\r\n");
}

/// Writes a line. The length of its first bytes is known at compile time, which makes the copy
/// cheap.
fn line<const N: usize>(out: &mut Vec<u8>, name: &[u8; N], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Returns the phrase of RFC 9110 section 15; the `http` crate has older phrases for two statuses.
fn reason_phrase(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Content Too Large",
        StatusCode::UNPROCESSABLE_ENTITY => "Unprocessable Content",
        _ => status.canonical_reason().unwrap_or_default(),
    }
}

/// Writes `chunk-size CRLF`; the caller appends the data and a CRLF.
pub(crate) fn chunk_size(out: &mut Vec<u8>, length: u64) {
    hexadecimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Writes a number in hexadecimal digits without leading zeros.
pub(crate) fn hexadecimal(out: &mut Vec<u8>, mut number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut written = [b'0'; 16];
    let mut digits = 0;
    for place in written.iter_mut().rev() {
        *place = DIGITS.get((number & 15) as usize).copied().unwrap_or_default();
        number >>= 4;
        digits += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(written.get(16 - digits..).unwrap_or_default());
}

/// Writes `last-chunk trailer-section CRLF`, without the fields that are not allowed in trailers.
pub(crate) fn last_chunk<'a>(out: &mut Vec<u8>, trailers: impl IntoIterator<Item = (&'a str, &'a [u8])>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().filter(|(name, _)| !trailers::is_forbidden(name)) {
        out.extend_from_slice(name.as_bytes());
        line(out, b": ", value);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(head: &ResponseEncoder<'_>) -> String {
        let mut out = Vec::new();
        head.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn response_heads_are_encoded() {
        let mut head = ResponseEncoder {
            http_1_0: false,
            status: StatusCode::OK,
            reason: None,
            default_lines: b"Server: x\r\n",
            fields: b"Content-Type: text/plain; charset=utf-8\r\n",
            framing: FramingField::Length(13),
            connection: None,
        };
        assert_eq!(
            written(&head),
            "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n\r\n"
        );
        (head.http_1_0, head.status, head.framing, head.connection) =
            (true, StatusCode::from_u16(799).unwrap(), FramingField::Chunked, Some("close"));
        let text = written(&head);
        assert!(
            text.starts_with("HTTP/1.0 799 \r\nServer")
                && text.ends_with("Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
        );
        head.reason = Some("Odd");
        assert!(written(&head).starts_with("HTTP/1.0 799 Odd\r\n"));
        head.status = StatusCode::OK;
        assert!(written(&head).starts_with("HTTP/1.0 200 Odd\r\n"));
        head.reason = None;
        assert!(written(&head).starts_with("HTTP/1.0 200 OK\r\n"));
        (head.http_1_0, head.reason) = (false, Some("Odd"));
        assert!(written(&head).starts_with("HTTP/1.1 200 Odd\r\n"));
    }

    #[test]
    fn reason_phrases_follow_rfc_9110() {
        for (status, phrase) in
            [(103, "Early Hints"), (404, "Not Found"), (413, "Content Too Large"), (422, "Unprocessable Content")]
        {
            assert_eq!(reason_phrase(StatusCode::from_u16(status).unwrap()), phrase);
        }
        let mut out = Vec::new();
        interim(&mut out, StatusCode::EARLY_HINTS, b"Link: </a>\r\n");
        assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    }

    #[test]
    fn forbidden_trailers_are_not_sent() {
        let names = ["Content-Type", "X-Sum", "SET-COOKIE", "Trailer", "expires", "X-Sum"];
        let mut out = Vec::new();
        last_chunk(&mut out, names.map(|name| (name, &b"1"[..])));
        assert_eq!(out, b"0\r\nX-Sum: 1\r\nX-Sum: 1\r\n\r\n");
    }

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for length in [0, 1, 9, 10, 15, 16, 255, 256, 65_536, u64::MAX] {
            let mut out = Vec::new();
            chunk_size(&mut out, length);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{length:x}\r\n"));
        }
    }
}
