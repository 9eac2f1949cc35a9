//! Refuses what a peer sent, and responds where an application does not.

use http::{Method, StatusCode, Version};

use super::Connection;
use super::events::CloseReason;
use super::refusal::{HeadProgress, Refusal};
use super::state::{Input, Receiving, Sending};
use crate::message::field_lines::FieldLines;
use crate::wire::encode::ResponseEncoder;
use crate::wire::error::ProtocolError;
use crate::wire::fields;
use crate::wire::grammar;
use crate::wire::response_framing::FramingField;

/// Refusing.
impl Connection {
    pub(super) fn refuse(&mut self, fault: ProtocolError) {
        self.note_refusal(fault);
        self.turn_away(fault.status(), fault.rule(), CloseReason::Refused(fault));
    }

    /// Refuses a connection that the server has no room for: 503, then the connection closes.
    /// It is for a new connection, once its transport is secured where it is to be; while a
    /// response is outstanding or has begun it does nothing.
    ///
    /// ```
    /// use httpants_core::{CloseReason, Config, Connection, ConnectionInfo, Event, Now, Transmit};
    ///
    /// let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), Now::default());
    /// connection.refuse_overloaded();
    /// assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::Overloaded))));
    /// let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { unreachable!() };
    /// let response = slices.concat();
    /// assert!(response.starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
    /// ```
    #[cold]
    pub fn refuse_overloaded(&mut self) {
        if self.state.send == Sending::Idle {
            let text = "the server has too many connections (RFC 9110 15.6.4)";
            self.turn_away(StatusCode::SERVICE_UNAVAILABLE, text, CloseReason::Overloaded);
            self.settle();
        }
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

    /// Responds with an error and closes, or breaks a response off that has begun already.
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
        let has_response = matches!(self.state.send, Sending::Idle | Sending::Head);
        self.mark_broken();
        if !self.apply(Input::Refuse) {
            return;
        }
        if has_response {
            if !self.responses.is_open() {
                self.responses.open(None);
            }
            self.responses.begin(status);
            self.queue();
            let fields = FieldLines::text_plain();
            let head = ResponseEncoder {
                http_1_0,
                status,
                reason: None,
                fields: fields.as_bytes(),
                reserved: fields.reserved(),
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
}
