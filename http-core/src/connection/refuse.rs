//! Refuses what a peer sent, and responds where an application does not.

use http::{Method, StatusCode, Version};

use super::Connection;
use super::events::CloseReason;
use super::refusal::{HeadProgress, Refusal};
use super::state::{Input, Receiving, Sending};
use crate::message::field_lines::FieldLines;
use crate::wire::encode::ResponseEncoder;
use crate::wire::error::ProtocolError;
use crate::wire::response_framing::FramingField;

/// Refusing.
impl Connection {
    pub(super) fn refuse(&mut self, fault: ProtocolError) {
        self.note_refusal(fault);
        self.turn_away(fault.status(), fault.rule(), CloseReason::Refused(fault));
    }

    /// Keeps what is known of the peer for [`Event::Refused`](super::Event::Refused).
    #[cold]
    fn note_refusal(&mut self, fault: ProtocolError) {
        if self.events.is_closed() {
            return;
        }
        let refusal = match self.state.recv {
            // Its response may be finished already.
            Receiving::Body | Receiving::Drain => Refusal::of_body(fault, self.current_id(), self.content.element),
            _ => {
                let judged = match self.reader.has_request_line() {
                    true => HeadProgress::Fields,
                    false => HeadProgress::RequestLine,
                };
                Refusal::of_head(fault, (self.recv.position(), self.recv.filled()), judged, &self.config.limits)
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
