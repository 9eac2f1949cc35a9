//! What is known of a peer that was refused.

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::Connection;
use super::state::{Input, Receiving, Sending};
use crate::error::{CloseReason, ProtocolError};
use crate::message::field_lines::FieldLines;
use crate::message::request::RequestId;
use crate::proxy::ProxyHeaderError;
use crate::wire::encode::{FramingField, ResponseEncoder};
use crate::wire::fields::{self, Line, Lines};
use crate::wire::grammar;

/// Why a peer was refused, and what was read of its request: for error pages, access logs and
/// tools that compare parsers.
#[derive(Clone, Debug)]
pub struct Refusal {
    error: ProtocolError,
    request: Option<RequestId>,
    offset: u64,
    head: Bytes,
    proxy_header: Option<ProxyHeaderError>,
}

impl Refusal {
    /// `start` is where `head`, the bytes received of an incomplete head, or an empty slice and
    /// what was refused in the body of `request`, begins in the stream. Of the head only the
    /// lines up to the faulty one are kept, however much was received behind it.
    pub(super) fn new(
        error: ProtocolError,
        request: Option<RequestId>,
        start: u64,
        head: &[u8],
        judged: HeadProgress,
    ) -> Self {
        let (length, faulty) = match judged {
            // An empty line is none of a request, and half of one may be all that was received.
            HeadProgress::RequestLine if matches!(head.first(), Some(b'\r' | b'\n')) => (0, 0),
            HeadProgress::RequestLine => (first_line(head), 0),
            HeadProgress::Fields { limit } => judged_fields(head, limit),
        };
        let faulty = if error.is_of_field_line() { faulty } else { 0 };
        let head = Bytes::copy_from_slice(head.get(..length).unwrap_or(head));
        Self { error, request, offset: start.saturating_add(faulty as u64), head, proxy_header: None }
    }

    /// That of a connection that begins with this in place of a PROXY header.
    pub(super) fn of_proxy_header(fault: ProxyHeaderError, received: &[u8]) -> Self {
        let refusal = Self::new(ProtocolError::ProxyHeader, None, 0, received, HeadProgress::RequestLine);
        Self { proxy_header: Some(fault), ..refusal }
    }

    /// The rule that was broken.
    #[must_use]
    pub fn error(&self) -> ProtocolError {
        self.error
    }

    /// What is wrong with the PROXY header, where that was refused.
    #[must_use]
    pub fn proxy_header(&self) -> Option<ProxyHeaderError> {
        self.proxy_header
    }

    /// The request, where its head was accepted and its body is refused.
    #[must_use]
    pub fn request(&self) -> Option<RequestId> {
        self.request
    }

    /// Where the refused element begins, in bytes from the start of the connection: the line
    /// that is malformed, or the head where it is refused as a whole; the body, or in a chunked
    /// one the end of the last chunk whose data is complete.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The request line as far as it was read, without its end: raw bytes of the peer, to be
    /// escaped before they are shown. Empty where the head was accepted, and where the receive
    /// buffer was lent when the time ran out
    /// ([`lend_recv_buf`](crate::Connection::lend_recv_buf)).
    #[must_use]
    pub fn request_line(&self) -> &[u8] {
        let line = self.head.split(|&byte| byte == b'\n').next().unwrap_or_default();
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    /// The field lines that were complete and well-formed before the fault, as raw bytes; of too
    /// many also the first that was too much.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut lines = self.field_lines();
        std::iter::from_fn(move || match lines.next() {
            Ok(Some(Line::Field(name, value))) => Some((name, value)),
            _ => None,
        })
    }

    /// The first field of this name that was complete, as raw bytes.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        self.fields().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    fn field_lines(&self) -> Lines<'_> {
        Lines::new(self.head.get(first_line(&self.head)..).unwrap_or_default())
    }
}

/// Refusing.
impl Connection {
    pub(super) fn refuse(&mut self, fault: ProtocolError) -> Option<super::Event> {
        self.note_refusal(fault);
        self.turn_away(fault.status(), fault.text(), CloseReason::Refused(fault));
        None
    }

    /// Keeps what is known of the peer for [`Event::Refused`](super::Event::Refused).
    #[cold]
    fn note_refusal(&mut self, fault: ProtocolError) {
        if self.events.is_closed() {
            return;
        }
        let limits = &self.config.limits;
        let refusal = match self.state.recv {
            // Its response may be finished already.
            Receiving::Body | Receiving::Drain => {
                Refusal::new(fault, Some(self.current_id()), self.content.element, &[], HeadProgress::RequestLine)
            }
            _ => {
                let head = self.recv.filled();
                let head = head.get(..limits.head.min(fields::MOST_BYTES)).unwrap_or(head);
                // A first byte that begins no method is refused alone, whatever came with it.
                let head = match head {
                    [first, ..] if !grammar::is_tchar(*first) && !matches!(first, b'\r' | b'\n') => {
                        head.get(..1).unwrap_or(head)
                    }
                    head => head,
                };
                let judged = match self.reader.has_request_line() {
                    true => HeadProgress::Fields { limit: limits.fields },
                    false => HeadProgress::RequestLine,
                };
                Refusal::new(fault, None, self.recv.position(), head, judged)
            }
        };
        self.events.refuse(refusal);
    }

    /// Answers with an error and closes, or breaks a response off that has begun already.
    #[cold]
    pub(super) fn turn_away(&mut self, status: StatusCode, text: &str, reason: CloseReason) {
        let (head_only, http_1_0) = match &self.current {
            Some(request) => (*request.method() == Method::HEAD, request.version() == Version::HTTP_10),
            None if self.reader.has_request_line() => {
                let line = &self.recycled.message().head().line;
                (line.method == Method::HEAD, line.version == Version::HTTP_10)
            }
            None => (false, false),
        };
        let answer_due = matches!(self.state.send, Sending::Idle | Sending::Head);
        self.mark_broken();
        if !self.apply(Input::Refuse) {
            return;
        }
        if answer_due {
            if !self.responses.is_open() {
                self.responses.open(None);
            }
            self.responses.begin(status);
            self.queue();
            let head = ResponseEncoder {
                http_1_0,
                status,
                reason: None,
                fields: &FieldLines::text_plain(),
                cookies: None,
                framing: FramingField::Length(text.len() as u64 + 1),
                connection: Some("close"),
                default_headers: self.default_headers.at(self.now.wall, self.config.server),
            };
            let out = self.send.gather();
            head.write(out);
            if !head_only {
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
                self.responses.body(text.len() as u64 + 1);
            }
            self.responses.complete();
        }
        self.end_request();
        self.events.close(reason);
        self.discard();
    }

    /// A plain request where a handshake is expected. `received` has what came of it.
    pub(super) fn refuse_plain_request(&mut self, received: &[u8]) {
        let fault = ProtocolError::PlainRequest;
        let received = received.get(..self.config.limits.head).unwrap_or(received);
        self.events.refuse(Refusal::new(fault, None, 0, received, HeadProgress::RequestLine));
        self.turn_away(fault.status(), fault.text(), CloseReason::Refused(fault));
    }

    /// Behind a wrong PROXY header nothing is known to be HTTP, so it gets no response.
    pub(super) fn refuse_proxy_header(&mut self, refusal: Refusal) {
        let reason = CloseReason::Refused(refusal.error());
        self.events.refuse(refusal);
        self.break_off(reason);
    }
}

/// How far a head was judged when it was refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeadProgress {
    /// Its request line, or what stands in place of one.
    RequestLine,
    /// Its field lines, of which there may be `limit`.
    Fields { limit: usize },
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
