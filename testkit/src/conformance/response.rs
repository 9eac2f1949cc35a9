//! A response as parsed by a client.

/// A whole response.
#[derive(Debug)]
pub(super) struct ParsedResponse {
    pub(super) status: u16,
    /// The status line and the field lines, without the empty line.
    pub(super) head: String,
    pub(super) content: Vec<u8>,
    /// The trailer lines of a chunked body.
    pub(super) trailers: String,
}

impl ParsedResponse {
    /// Parses the first response in these bytes; returns it with its length, or `None` if it is
    /// incomplete. `ended`: true if no more bytes will arrive; `to_head`: true if the request was
    /// HEAD.
    pub(super) fn read(received: &[u8], to_head: bool, ended: bool) -> Option<(Self, usize)> {
        let head_length = find(received, b"\r\n\r\n")? + 4;
        let head = String::from_utf8(received[..head_length - 4].to_vec()).expect("a head in ASCII");
        let status = head.get(9..12).and_then(|digits| digits.parse().ok()).expect("a status line");
        let mut response = Self { status, head, content: Vec::new(), trailers: String::new() };
        let rest = &received[head_length..];
        let length = if to_head || status < 200 || status == 204 || status == 304 {
            0
        } else if let Some(length) = response.field("Content-Length") {
            let length = length.parse().expect("a length");
            response.content = rest.get(..length)?.to_vec();
            length
        } else if response.field("Transfer-Encoding") == Some("chunked") {
            response.chunks(rest)?
        } else if ended {
            response.content = rest.to_vec();
            rest.len()
        } else {
            return None;
        };
        Some((response, head_length + length))
    }

    fn chunks(&mut self, received: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            let rest = &received[at..];
            let line = find(rest, b"\r\n")?;
            let digits = std::str::from_utf8(&rest[..line]).expect("a chunk size");
            let size = usize::from_str_radix(digits, 16).expect("a chunk size");
            at += line + 2;
            if size == 0 {
                break;
            }
            self.content.extend_from_slice(received.get(at..at + size)?);
            let end = received.get(at + size..at + size + 2)?;
            assert_eq!(end, b"\r\n", "a chunk ends with its line");
            at += size + 2;
        }
        loop {
            let rest = &received[at..];
            let line = find(rest, b"\r\n")?;
            at += line + 2;
            if line == 0 {
                return Some(at);
            }
            self.trailers.push_str(std::str::from_utf8(&rest[..line + 2]).expect("a trailer in ASCII"));
        }
    }

    /// Returns the value of a field; the name is matched as written.
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields(name).next()
    }

    pub(super) fn fields(&self, name: &str) -> impl Iterator<Item = &str> {
        self.head.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.content).expect("text")
    }
}

pub(super) fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}
