//! Refusals of the peer, and the responses that the connection makes itself.

use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::Connection;
use super::events::CloseReason;
use super::refusal::{HeadProgress, Refusal};
use super::state::{Input, Receiving, Sending};
use super::uncommon::Uncommon;
use super::unsent_refusal::{RefusalFrame, RefusalResponse, UnsentRefusal};
use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::wire::encode::ResponseEncoder;
use crate::wire::error::ProtocolError;
use crate::wire::response_framing::FramingField;

/// Refusing.
impl Connection {
    #[cold]
    pub(super) fn refuse(&mut self, fault: ProtocolError) {
        self.note_refusal(fault);
        self.respond_error_and_close(fault.status(), fault.rule(), CloseReason::Refused(fault));
    }

    /// Refuses a connection because the server has too many: sends 503, then closes. Call it on a
    /// new connection, after the handshake if it uses TLS. Does nothing while a response is
    /// outstanding or has begun.
    ///
    /// ```
    /// use httpants_core::{CloseReason, Config, Connection, ConnectionInfo, Event, Now, Transmit};
    ///
    /// let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), Now::default());
    /// connection.refuse_overloaded();
    /// assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::Overloaded))));
    /// let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { unreachable!() };
    /// let response = slices.flatten().copied().collect::<Vec<_>>();
    /// assert!(response.starts_with(b"HTTP/1.1 503 Service Unavailable\r\n"));
    /// ```
    #[cold]
    pub fn refuse_overloaded(&mut self) {
        self.refuse_connection("the server has too many connections (RFC 9110 15.6.4)", CloseReason::Overloaded);
    }

    /// Refuses a connection because the peer's address has too many, otherwise like
    /// [`refuse_overloaded`](Self::refuse_overloaded).
    #[cold]
    pub fn refuse_address(&mut self) {
        self.refuse_connection("too many connections from this address (RFC 9110 15.6.4)", CloseReason::AddressLimit);
    }

    fn refuse_connection(&mut self, text: &str, reason: CloseReason) {
        if self.state.send == Sending::Idle {
            self.respond_error_and_close(StatusCode::SERVICE_UNAVAILABLE, text, reason);
            self.continue_if_flushed();
        }
    }

    /// Records the details of the refusal for [`Event::Refused`](super::Event::Refused).
    #[cold]
    fn note_refusal(&mut self, fault: ProtocolError) {
        if self.events.is_closed() {
            return;
        }
        let refusal = match self.state.recv {
            // The response may already be finished.
            Receiving::Body | Receiving::Drain => Refusal::of_body(fault, self.current_id(), self.content.element),
            _ => {
                let progress = match self.reader.has_request_line() {
                    true => HeadProgress::Fields,
                    false => HeadProgress::RequestLine,
                };
                Refusal::of_head(fault, (self.recv.position(), self.recv.filled()), progress, &self.config.limits)
            }
        };
        self.events.refuse(refusal);
    }

    /// Responds with an error and closes, or breaks off a response that has begun.
    #[cold]
    pub(super) fn respond_error_and_close(&mut self, status: StatusCode, text: &str, reason: CloseReason) {
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
            let before = self.send.len();
            let frame = RefusalFrame { status, http_1_0, head_only };
            let body = self.queue_refusal(frame, &FieldLines::text_plain(), [text, "\n"].concat().into());
            self.responses.body(body);
            self.responses.complete();
            self.keep_refusal(frame, self.send.len() - before, reason);
        }
        self.end_request();
        self.events.close(reason);
        self.discard();
    }
}

/// The response to a refused peer.
impl Connection {
    /// Returns, once, a response that the connection made itself and of which nothing was sent.
    /// Call [`replace_refusal`](Self::replace_refusal) to send other fields and another body. Call
    /// this after the last event and before [`poll_transmit`](Self::poll_transmit), which sends the
    /// response unchanged.
    ///
    /// ```
    /// use httpants_core::{Config, Connection, ConnectionInfo, FieldLines, Now, Transmit};
    ///
    /// let now = Now::default();
    /// let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
    /// connection.receive(b"GET /a b HTTP/1.1\r\n", now);
    /// while connection.poll_event().is_some() {}
    /// let refusal = connection.poll_refusal().expect("the request was refused");
    /// let page = format!("<h1>Error {}</h1>\n", refusal.status().as_u16());
    /// connection.replace_refusal(&FieldLines::text_html(), page)?;
    /// let Some(Transmit::Bytes(bytes)) = connection.poll_transmit() else { unreachable!() };
    /// assert!(bytes.flatten().copied().collect::<Vec<_>>().ends_with(b"\r\n\r\n<h1>Error 400</h1>\n"));
    /// # Ok::<(), httpants_core::Misuse>(())
    /// ```
    #[must_use]
    pub fn poll_refusal(&mut self) -> Option<RefusalResponse> {
        let unsent = self.uncommon.as_mut()?.unsent_refusal.as_mut()?;
        if self.send.ends_with(unsent.length) { unsent.response.take() } else { None }
    }

    /// Replaces the fields and the body of the response to a refused peer. The status, the framing
    /// and Connection stay, as do Date and Server unless `fields` has them, and a response to HEAD
    /// gets no body. A response can be replaced once.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] if no such response waits, [`Misuse::HeadSent`] if part of it was
    /// sent, [`Misuse::Framing`] as for [`FieldLines::check_reserved`].
    pub fn replace_refusal(&mut self, fields: &FieldLines, content: impl Into<Bytes>) -> Result<(), Misuse> {
        let content = content.into();
        let unsent = self.uncommon.as_ref().and_then(|uncommon| uncommon.unsent_refusal.as_ref());
        let unsent = unsent.ok_or(Misuse::NoRequest)?;
        let (frame, length) = (unsent.frame, unsent.length);
        fields.check_reserved(content.len() as u64)?;
        if !self.send.retract(length) {
            return Err(Misuse::HeadSent);
        }
        Uncommon::forget_refusal(&mut self.uncommon);
        let body = self.queue_refusal(frame, fields, content);
        self.responses.replace_last(body, self.unsent());
        Ok(())
    }

    /// Queues the response to a refused peer. Returns the length of its body in bytes.
    pub(super) fn queue_refusal(&mut self, frame: RefusalFrame, fields: &FieldLines, content: Bytes) -> u64 {
        let RefusalFrame { status, http_1_0, head_only } = frame;
        let length = content.len() as u64;
        self.queue();
        let head = ResponseEncoder {
            http_1_0,
            status,
            reason: None,
            fields: fields.as_bytes(),
            framing: FramingField::Length(length),
            connection: Some("close"),
            default_lines: self.default_headers.at(self.now.wall, self.config.server).without(fields.reserved()),
        };
        head.write(self.send.gather());
        if head_only {
            return 0;
        }
        self.send.push(content);
        length
    }

    /// Stores what is needed to replace the response of `length` bytes that was just queued.
    pub(super) fn keep_refusal(&mut self, frame: RefusalFrame, length: u64, reason: CloseReason) {
        let refusal = self.events.refusal().cloned();
        let response = RefusalResponse { status: frame.status, reason, refusal, request: self.current.clone() };
        self.uncommon.get_or_insert_default().unsent_refusal =
            Some(UnsentRefusal { frame, length, response: Some(response) });
    }
}
