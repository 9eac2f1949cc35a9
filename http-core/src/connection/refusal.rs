//! What is known of a peer that was refused.

use bytes::Bytes;

use super::config::Limits;
use super::preamble::ProxyHeaderError;
use crate::message::request::RequestId;
use crate::wire::error::ProtocolError;
use crate::wire::fields::{Line, Lines};
use crate::wire::grammar;

/// The reason why a peer was refused, and what was read of its request: for error pages, access
/// logs and tools that compare parsers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    error: ProtocolError,
    request: Option<RequestId>,
    offset: u64,
    head: Bytes,
    proxy_header: Option<ProxyHeaderError>,
}

impl Refusal {
    /// The refusal of the body of a request, in the element that begins there.
    pub(super) fn of_body(error: ProtocolError, request: RequestId, offset: u64) -> Self {
        Self { error, request: Some(request), offset, head: Bytes::new(), proxy_header: None }
    }

    /// The refusal of a head that is not complete: where it begins in the stream, and what was
    /// received of it.
    pub(super) fn of_head(
        error: ProtocolError,
        (start, head): (u64, &[u8]),
        judged: HeadProgress,
        limits: &Limits,
    ) -> Self {
        let head = match head {
            // A first byte that begins no method is refused alone, whatever came with it.
            [first, ..] if !grammar::is_tchar(*first) && !matches!(first, b'\r' | b'\n') => {
                head.get(..1).unwrap_or(head)
            }
            head => head,
        };
        Self::of_received(error, (start, head), judged, limits)
    }

    /// The refusal of a connection that begins with this in place of a PROXY header.
    pub(super) fn of_proxy_header(fault: ProxyHeaderError, received: &[u8], limits: &Limits) -> Self {
        let received = (0, received);
        let refusal = Self::of_received(ProtocolError::ProxyHeader, received, HeadProgress::RequestLine, limits);
        Self { proxy_header: Some(fault), ..refusal }
    }

    /// Only the lines up to the faulty one are kept, and no more than a head may have, however much
    /// was received.
    fn of_received(
        error: ProtocolError,
        (start, received): (u64, &[u8]),
        judged: HeadProgress,
        limits: &Limits,
    ) -> Self {
        let head = received.get(..limits.head_size()).unwrap_or(received);
        let (length, faulty) = match judged {
            // An empty line is none of a request, and half of one may be all that was received.
            HeadProgress::RequestLine if matches!(head.first(), Some(b'\r' | b'\n')) => (0, 0),
            HeadProgress::RequestLine => (first_line(head), 0),
            HeadProgress::Fields => judged_fields(head, limits.fields),
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

    /// Returns what is wrong with the PROXY header, where that was refused.
    #[must_use]
    pub fn proxy_header(&self) -> Option<ProxyHeaderError> {
        self.proxy_header
    }

    /// Returns the request, where its head was accepted and its body is refused.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// Returns where the refused element begins, in bytes from the start of the connection: the
    /// line that is malformed, or the head where it is refused as a whole; the body, or in a
    /// chunked one the end of the last chunk whose data is complete.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the request line as far as it was read, without its end: raw bytes of the peer, to
    /// be escaped before they are shown. Empty where the head was accepted, and where the receive
    /// buffer was lent when the time ran out ([`lend_recv_buf`](crate::Connection::lend_recv_buf)).
    /// Of what comes in place of a PROXY header or a TLS handshake, as much as was received by the
    /// time of the refusal, which its first byte may cause.
    #[must_use]
    pub fn request_line(&self) -> &[u8] {
        let line = self.head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// Returns the field lines that were complete and well-formed before the fault, as raw bytes;
    /// of too many also the first that was too much.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lines = self.field_lines();
        core::iter::from_fn(move || match lines.next() {
            Ok(Some(Line::Field(name, value))) => Some((name, value)),
            _ => None,
        })
    }

    /// Returns the first field of this name that was complete, as raw bytes.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    fn field_lines(&self) -> Lines<'_> {
        Lines::new(self.head.get(first_line(&self.head)..).unwrap_or_default())
    }
}

/// How far a head was judged when it was refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeadProgress {
    /// Its request line, or what stands in place of one.
    RequestLine,
    /// Its field lines.
    Fields,
}

/// The length of the first line with its end.
fn first_line(head: &[u8]) -> usize {
    memchr::memchr(b'\n', head).map_or(head.len(), |end| end + 1)
}

/// Where the lines that were judged end, and where the line begins that is no field line; 0
/// where all of them are.
fn judged_fields(head: &[u8], limit: usize) -> (usize, usize) {
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
