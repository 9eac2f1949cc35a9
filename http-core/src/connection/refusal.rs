//! The details of a refusal.

use bytes::Bytes;

use super::config::Limits;
use super::preamble::ProxyHeaderError;
use crate::message::request::RequestId;
use crate::wire::error::ProtocolError;
use crate::wire::fields::{Line, Lines};
use crate::wire::grammar;

/// The reason why input of a peer was refused, and the part of the request that was read: for error
/// pages, access logs and tools that compare parsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    error: ProtocolError,
    request: Option<RequestId>,
    offset: u64,
    head: Bytes,
    proxy_header: Option<ProxyHeaderError>,
}

impl Refusal {
    /// Creates the refusal of the body of a request; the refused element begins at `offset`.
    pub(super) fn of_body(error: ProtocolError, request: RequestId, offset: u64) -> Self {
        Self { error, request: Some(request), offset, head: Bytes::new(), proxy_header: None }
    }

    /// Creates the refusal of a head, from its offset in the stream and the bytes that were
    /// received of it.
    pub(super) fn of_head(
        error: ProtocolError,
        (start, head): (u64, &[u8]),
        progress: HeadProgress,
        limits: &Limits,
    ) -> Self {
        let head = match head {
            // A first byte that cannot begin a method is refused alone, regardless of the bytes
            // after it.
            [first, ..] if !grammar::is_tchar(*first) && !matches!(first, b'\r' | b'\n') => {
                head.get(..1).unwrap_or(head)
            }
            head => head,
        };
        Self::of_received(error, (start, head), progress, limits)
    }

    /// Creates the refusal of a connection that begins with these bytes instead of a PROXY header.
    pub(super) fn of_proxy_header(fault: ProxyHeaderError, received: &[u8], limits: &Limits) -> Self {
        let received = (0, received);
        let refusal = Self::of_received(ProtocolError::ProxyHeader, received, HeadProgress::RequestLine, limits);
        Self { proxy_header: Some(fault), ..refusal }
    }

    /// Creates a refusal. It keeps only the lines up to the faulty one, and no more bytes than a
    /// head may have.
    fn of_received(
        error: ProtocolError,
        (start, received): (u64, &[u8]),
        progress: HeadProgress,
        limits: &Limits,
    ) -> Self {
        let head = received.get(..limits.head_size()).unwrap_or(received);
        let (length, faulty) = match progress {
            // An empty line is not a request line, and possibly only half of one was received.
            HeadProgress::RequestLine if matches!(head.first(), Some(b'\r' | b'\n')) => (0, 0),
            HeadProgress::RequestLine => (first_line(head), 0),
            HeadProgress::Fields => parsed_fields(head, limits.fields),
        };
        let faulty = if error.is_of_field_line() { faulty } else { 0 };
        let head = Bytes::copy_from_slice(head.get(..length).unwrap_or(head));
        Self { error, request: None, offset: start.saturating_add(faulty as u64), head, proxy_header: None }
    }

    /// Returns the rule that was broken.
    #[must_use]
    pub fn error(&self) -> ProtocolError {
        self.error
    }

    /// Returns the error of the PROXY header, if that was refused.
    #[must_use]
    pub fn proxy_header(&self) -> Option<ProxyHeaderError> {
        self.proxy_header
    }

    /// Returns the request, if its head was accepted and its body is refused.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// Returns the offset of the refused element, in bytes from the start of the connection: the
    /// start of the malformed field line, or of the head if it is refused as a whole; the start of
    /// the body, or for a chunked body the end of the last chunk whose data is complete.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the part of the request line that was read, without its line end. These are raw
    /// bytes of the peer: escape them before they are shown. Empty if the head was accepted, and if
    /// the receive buffer was lent when a timer expired
    /// ([`lend_recv_buf`](crate::Connection::lend_recv_buf)). For bytes in place of a PROXY header
    /// or a TLS handshake, returns as much of the first line as was received by the time of the
    /// refusal, which may be one byte.
    #[must_use]
    pub fn request_line(&self) -> &[u8] {
        let line = self.head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Returns the names and values of the well-formed field lines before the error, as raw bytes.
    /// If there were too many, the first line beyond the limit is included.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lines = self.field_lines();
        core::iter::from_fn(move || match lines.next() {
            Ok(Some(Line::Field(name, value))) => Some((name, value)),
            _ => None,
        })
    }

    /// Returns the value of the first complete field with this name, as raw bytes. The name is
    /// compared without case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    fn field_lines(&self) -> Lines<'_> {
        Lines::new(self.head.get(first_line(&self.head)..).unwrap_or_default())
    }
}

/// The part of a head that was being parsed when it was refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeadProgress {
    /// The request line, or bytes in place of one.
    RequestLine,
    /// The field lines.
    Fields,
}

/// Returns the length of the first line including its end.
fn first_line(head: &[u8]) -> usize {
    memchr::memchr(b'\n', head).map_or(head.len(), |end| end + 1)
}

/// Returns the end of the lines that were parsed, and the start of the line that is not a field
/// line, or 0 if all of them are.
fn parsed_fields(head: &[u8], limit: usize) -> (usize, usize) {
    let fields = head.get(first_line(head)..).unwrap_or_default();
    let mut lines = Lines::new(fields);
    let position = |lines: &Lines<'_>| head.len() - lines.rest().len();
    for _ in 0..=limit {
        let start = position(&lines);
        match lines.next() {
            Ok(Some(Line::Field(..))) => {}
            Ok(Some(Line::End)) => break,
            Ok(None) => return (head.len(), 0),
            Err(_) => return (start + first_line(lines.rest()), start),
        }
    }
    (position(&lines), 0)
}
