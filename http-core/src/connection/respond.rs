//! Commands with which the application responds.

use bytes::Bytes;
use http::Version;

use super::Connection;
use super::events::CloseReason;
use super::responses::ResponseState;
use super::state::{Input, Receiving, Sending};
use crate::message::field_lines::FieldLines;
use crate::message::misuse::Misuse;
use crate::message::request::{RequestHead, RequestId};
use crate::message::response::{BodyLen, ResponseHead};
use crate::wire::encode::{self, ResponseEncoder};
use crate::wire::error::ProtocolError;
use crate::wire::response_framing::{Exchange, FramingField, Mode};

const CRLF: &[u8] = b"\r\n";

/// The kind of bytes that follow the head of a response.
#[derive(Clone, Copy)]
enum Follows {
    Body,
    /// A body, and then the end of the connection.
    Close,
    OtherProtocol,
}

/// Returns the value of the Connection field, if it is sent. A sender of Upgrade must list it in
/// Connection (RFC 9110 section 7.8).
#[cold]
fn connection_field(http_1_0: bool, hands_over: bool, upgrade: bool, persistent: bool) -> Option<&'static str> {
    match (hands_over, upgrade) {
        (true, upgrade) => upgrade.then_some("Upgrade"),
        (false, true) if !persistent => Some("close, Upgrade"),
        (false, true) => Some(if http_1_0 { "keep-alive, Upgrade" } else { "Upgrade" }),
        (false, false) if !persistent => Some("close"),
        (false, false) => http_1_0.then_some("keep-alive"),
    }
}

/// Commands for a request.
impl Connection {
    /// Sends the head of the response to this request. Date, Server, the framing fields and
    /// Connection are added. Responses to HEAD, and 204, 205 and 304, have no body
    /// ([`RequestHead::allows_response_body`](crate::RequestHead::allows_response_body)). Trailer
    /// is removed if [trailers](Self::finish_with_trailers) are dropped, except in responses to
    /// HEAD.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] if the response to this request is finished, [`Misuse::Closed`] if the
    /// connection is closing, [`Misuse::HeadSent`] if the response has begun,
    /// [`Misuse::InformationalStatus`] for a 1xx status other than 101, [`Misuse::Upgrade`] for a
    /// status that ends HTTP ([`respond_upgrade`](Self::respond_upgrade)), [`Misuse::Framing`] for
    /// a field that contradicts the framing. Nothing is sent in these cases.
    pub fn respond(&mut self, request: RequestId, head: &ResponseHead, length: BodyLen) -> Result<(), Misuse> {
        self.head_expected(request)?;
        self.queue_head(head, length, Follows::Body)?;
        self.apply(Input::ResponseHead);
        Ok(())
    }

    /// Ends HTTP on the connection: sends the head of a 101, or of a 2xx to CONNECT, after which
    /// the stream belongs to the application ([`Event::Upgraded`](super::Event::Upgraded)).
    ///
    /// # Errors
    /// [`Misuse::Upgrade`] for any other status, if the request offers no upgrade, and before its
    /// body was received; others as for [`respond`](Self::respond).
    pub fn respond_upgrade(&mut self, request: RequestId, head: &ResponseHead) -> Result<(), Misuse> {
        self.head_expected(request)?;
        self.queue_head(head, BodyLen::Unknown, Follows::OtherProtocol)
    }

    /// Queues the head of a response, which cannot be changed afterwards. The caller updates the
    /// state, unless the response hands the stream over.
    fn queue_head(&mut self, head: &ResponseHead, length: BodyLen, follows: Follows) -> Result<(), Misuse> {
        if self.added_fields.is_some() {
            return self.queue_head_and_added_fields(head, length, follows);
        }
        let request = self.current.as_ref().ok_or(Misuse::NoRequest)?;
        let http_1_0 = request.version() == Version::HTTP_10;
        let reserved = head.fields.reserved();
        let exchange = Exchange {
            method: request.method(),
            http_1_0,
            offers_upgrade: request.offers_upgrade(),
            status: head.status,
            reserved,
        };
        let framed = exchange.frame(length.known()).map_err(Misuse::of_framing)?;
        if reserved.trailer && framed.field != FramingField::Chunked {
            return self.queue_head_without_trailer(head, length, follows);
        }
        let is_upgrade = matches!(follows, Follows::OtherProtocol);
        if framed.hands_over != is_upgrade || is_upgrade && self.state.recv != Receiving::Done {
            return Err(Misuse::Upgrade);
        }
        let last = matches!(follows, Follows::Close);
        // A client that received no 100 may send its content or not, so the next bytes could be
        // content or a request (RFC 9110 section 10.1.1).
        let unknown = self.awaits_continue && self.state.recv == Receiving::Body;
        if last || framed.mode == Mode::UntilClose || reserved.close || unknown {
            self.apply(Input::Last);
        }
        let persistent = self.state.persistent;
        let is_usual = persistent && !http_1_0 && !framed.hands_over && !reserved.upgrade;
        let connection =
            if is_usual { None } else { connection_field(http_1_0, framed.hands_over, reserved.upgrade, persistent) };
        self.queue();
        ResponseEncoder {
            http_1_0,
            status: head.status,
            reason: head.reason(),
            default_lines: self.default_headers.at(self.now.wall, self.config.server).without(reserved),
            fields: head.fields.as_bytes(),
            framing: framed.field,
            connection,
        }
        .write(self.send.gather());
        self.mode = framed.mode;
        self.responses.begin(head.status);
        self.events.expect_100 = false;
        if framed.hands_over {
            self.hand_over();
        }
        Ok(())
    }

    /// Ends HTTP after the head.
    #[cold]
    fn hand_over(&mut self) {
        self.responses.complete();
        self.apply(Input::HandOver);
        self.end_request();
    }

    /// Queues the head without Trailer, because the trailers of this response are dropped.
    #[cold]
    fn queue_head_without_trailer(
        &mut self,
        head: &ResponseHead,
        length: BodyLen,
        follows: Follows,
    ) -> Result<(), Misuse> {
        let mut whole = head.clone();
        whole.fields.remove("Trailer");
        self.queue_head(&whole, length, follows)
    }

    /// Queues the head with the added fields; keeps them if it cannot be queued.
    #[cold]
    fn queue_head_and_added_fields(
        &mut self,
        head: &ResponseHead,
        length: BodyLen,
        follows: Follows,
    ) -> Result<(), Misuse> {
        let added = self.added_fields.take();
        let mut whole = head.clone();
        added.iter().for_each(|added| whole.fields.append(added));
        let queued = self.queue_head(&whole, length, follows);
        if queued.is_err() {
            self.added_fields = added;
        }
        queued
    }

    /// Returns fields that are appended to the head of the response to this request, whichever
    /// method sends it. Cookies to set (`cookies_out` in Pants) are added here by `cookies::set`.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] if the response is finished, [`Misuse::HeadSent`] if it has begun,
    /// [`Misuse::Closed`] if the connection is closing.
    pub fn response_fields_mut(&mut self, request: RequestId) -> Result<&mut FieldLines, Misuse> {
        self.head_expected(request)?;
        Ok(self.added_fields.get_or_insert_default())
    }

    /// Sends a complete response in one call.
    ///
    /// # Errors
    /// As for [`respond`](Self::respond).
    pub fn respond_with(
        &mut self,
        request: RequestId,
        head: &ResponseHead,
        content: impl Into<Bytes>,
    ) -> Result<(), Misuse> {
        let content = content.into();
        self.head_expected(request)?;
        // If more content remains than may be drained after this response, the connection will
        // close, and the response announces it (RFC 9112 section 9.6).
        let last = self.state.recv == Receiving::Body && self.content.announced() > self.config.limits.drain;
        let follows = if last { Follows::Close } else { Follows::Body };
        self.queue_head(head, BodyLen::Known(content.len() as u64), follows)?;
        if self.mode != Mode::Without {
            self.responses.body(content.len() as u64);
        }
        self.responses.complete();
        match self.mode {
            Mode::Without => {}
            Mode::Length(_) | Mode::UntilClose => self.send.push(content),
            Mode::Chunked => {
                self.queue_content(content);
                encode::last_chunk(self.send.gather(), []);
            }
        }
        if self.apply(Input::Response) {
            self.end_of_response();
        }
        Ok(())
    }

    /// Sends a piece of the body with the framing that the head announced. An empty piece sends
    /// nothing.
    ///
    /// # Errors
    /// [`Misuse::TooMuchContent`] if the piece exceeds the Content-Length, [`Misuse::NoBody`] if
    /// the response cannot have a body, [`Misuse::HeadDue`] before the head was sent,
    /// [`Misuse::NoRequest`] if the response is finished, [`Misuse::Closed`] if the connection is
    /// closing. Nothing of the piece is sent in these cases.
    pub fn send(&mut self, request: RequestId, content: impl Into<Bytes>) -> Result<(), Misuse> {
        let content = content.into();
        self.count_content(request, content.len() as u64)?;
        if !content.is_empty() {
            self.queue_content(content);
        }
        Ok(())
    }

    /// Returns the number of bytes of the body that the application should send before it waits for
    /// [`Event::Writable`](super::Event::Writable), which is emitted after this has returned 0.
    /// More bytes are accepted, but are held in memory.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn poll_send_room(&mut self, request: RequestId) -> Result<usize, Misuse> {
        self.outstanding(request)?;
        let waiting = usize::try_from(self.backlog()).unwrap_or(usize::MAX);
        let room = self.config.limits.backlog().saturating_sub(waiting);
        self.events.block(room == 0);
        Ok(room)
    }

    fn queue_content(&mut self, content: Bytes) {
        let chunked = self.mode == Mode::Chunked && !content.is_empty();
        let queue = self.queue();
        if chunked {
            encode::chunk_size(queue.gather(), content.len() as u64);
        }
        queue.push(content);
        if chunked {
            queue.gather().extend_from_slice(CRLF);
        }
    }

    /// Sends a range of a file as a piece of the body, without reading it:
    /// [`poll_transmit`](Self::poll_transmit) returns it as
    /// [`Transmit::External`](super::Transmit::External) with `file`, a number that the caller
    /// chooses for the file. `offset` and `length` are in bytes.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_external(&mut self, request: RequestId, file: u64, offset: u64, length: u64) -> Result<(), Misuse> {
        self.count_content(request, length)?;
        if length > 0 {
            let chunked = self.mode == Mode::Chunked;
            let queue = self.queue();
            if chunked {
                encode::chunk_size(queue.gather(), length);
            }
            queue.push_external(file, offset, length);
            if chunked {
                queue.gather().extend_from_slice(CRLF);
            }
        }
        Ok(())
    }

    /// Ends the response. After it, the next pipelined request is parsed, or the connection closes.
    ///
    /// # Errors
    /// [`Misuse::TooLittleContent`] if content is missing; the connection is then closed, so that
    /// the response does not look complete. Others as for [`send`](Self::send).
    pub fn finish(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.end(request, None)
    }

    /// Ends the response like [`finish`](Self::finish), with trailer fields after a chunked body.
    /// They are dropped for HTTP/1.0, HEAD, 204, 205 and 304, and so are fields that are not
    /// allowed in trailers (RFC 9110 section 6.5.1), such as Content-Type and Set-Cookie.
    ///
    /// # Errors
    /// [`Misuse::Trailers`] if the response has a Content-Length; others as for `finish`.
    pub fn finish_with_trailers(&mut self, request: RequestId, trailers: &FieldLines) -> Result<(), Misuse> {
        self.end(request, Some(trailers).filter(|trailers| !trailers.is_empty()))
    }

    fn end(&mut self, request: RequestId, trailers: Option<&FieldLines>) -> Result<(), Misuse> {
        self.body_expected(request)?;
        match self.mode {
            Mode::Length(_) if trailers.is_some() => return Err(Misuse::Trailers),
            Mode::Length(due) if due > 0 => {
                self.close();
                return Err(Misuse::TooLittleContent { due });
            }
            Mode::Chunked => {
                let fields = trailers.into_iter().flat_map(FieldLines::iter);
                encode::last_chunk(self.queue().gather(), fields);
            }
            _ => {}
        }
        self.responses.complete();
        self.apply(Input::ResponseEnd);
        self.end_of_response();
        Ok(())
    }

    /// Refuses a request whose client waits for `100 Continue` and whose body is larger than
    /// allowed. Without this call, that happens when events are polled.
    ///
    /// # Errors
    /// [`Misuse::Closed`] if this call has refused the request; others as for
    /// [`respond`](Self::respond).
    pub fn check_expectation(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.head_expected(request)?;
        if self.awaits_continue && !self.content_fits() {
            self.refuse(ProtocolError::BodyTooLarge);
            return Err(Misuse::Closed);
        }
        Ok(())
    }

    /// Sends `100 Continue`, to ask the client for the content that it holds back.
    ///
    /// # Errors
    /// [`Misuse::Continue`] if the client does not wait for it, or no longer does.
    /// [`Misuse::Closed`] if the content is larger than allowed and was refused by this call.
    /// Others as for [`respond`](Self::respond).
    pub fn send_continue(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.head_expected(request)?;
        if !self.awaits_continue {
            return Err(Misuse::Continue);
        }
        self.check_expectation(request)?;
        self.end_expectation();
        self.queue().gather().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        Ok(())
    }

    /// Records that the client may send the content that it held back; its timers start now.
    pub(super) fn end_expectation(&mut self) {
        self.awaits_continue = false;
        self.events.expect_100 = false;
        self.times.resumed(self.now.mono, self.times.request);
        self.paused_at = self.now.mono;
    }

    /// Aborts the response: bytes that were queued are still sent, then the connection closes, so
    /// that the peer detects the incomplete response.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn abort(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.outstanding(request)?;
        self.close();
        Ok(())
    }

    /// Closes the connection in any state after the queued bytes were sent; an outstanding response
    /// breaks off. Does nothing if the connection is already closing.
    pub fn close(&mut self) {
        self.mark_broken();
        let between_requests = self.state.is_between_requests();
        if self.apply(Input::Abort) {
            self.ordinary_end |= between_requests;
            self.end_request();
            self.events.close(CloseReason::Aborted);
            self.continue_if_flushed();
        }
    }

    /// Sets the maximum size of this request's body in bytes, which overrides
    /// [`Limits::max_body_size`](crate::Limits::max_body_size). It is checked when events of the
    /// body are polled, so call it on [`Event::Request`](super::Event::Request).
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn set_max_body_size(&mut self, request: RequestId, limit: u64) -> Result<(), Misuse> {
        self.outstanding(request)?;
        self.content.limit = limit;
        Ok(())
    }

    /// Removes Content-Encoding and Content-Length from the head of this request, for an
    /// application that decodes the body before it passes it on. Returns the head without them. Its
    /// [`framing`](RequestHead::framing) and [bytes](RequestHead::as_bytes) stay as received.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn set_body_decoded(&mut self, request: RequestId) -> Result<RequestHead, Misuse> {
        self.outstanding(request)?;
        let current = self.current.as_mut().ok_or(Misuse::NoRequest)?;
        current.remove_content_coding();
        Ok(current.clone())
    }

    /// Stops reading the body of this request, and its timers, until [`resume`](Self::resume),
    /// while the application processes what it has. Does nothing if no body is being read.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn pause(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.outstanding(request)?;
        if self.state.recv == Receiving::Body && !self.paused {
            self.paused = true;
            self.paused_at = self.now.mono;
            if !self.awaits_continue {
                self.times.read(self.now.mono);
            }
        }
        Ok(())
    }

    /// Continues to read the body of this request after [`pause`](Self::pause).
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] for a finished response, [`Misuse::Closed`] on a closing connection.
    pub fn resume(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.outstanding(request)?;
        self.unpause();
        Ok(())
    }

    pub(super) fn unpause(&mut self) {
        // Content that the client holds back is not late: its time starts when it is asked for.
        if core::mem::take(&mut self.paused) && !self.awaits_continue {
            self.times.resumed(self.now.mono, self.paused_at);
        }
    }

    pub(super) fn outstanding(&self, request: RequestId) -> Result<(), Misuse> {
        match self.response_state(request) {
            ResponseState::Expected | ResponseState::Begun => Ok(()),
            ResponseState::Finished => Err(Misuse::NoRequest),
            ResponseState::Closed => Err(Misuse::Closed),
        }
    }

    pub(super) fn head_expected(&self, request: RequestId) -> Result<(), Misuse> {
        match self.response_state(request) {
            ResponseState::Expected => Ok(()),
            ResponseState::Begun => Err(Misuse::HeadSent),
            _ => self.outstanding(request),
        }
    }

    fn body_expected(&self, request: RequestId) -> Result<(), Misuse> {
        match self.response_state(request) {
            ResponseState::Expected => Err(Misuse::HeadDue),
            _ => self.outstanding(request),
        }
    }

    /// Counts a piece of the body against the announced length.
    fn count_content(&mut self, request: RequestId, given: u64) -> Result<(), Misuse> {
        self.body_expected(request)?;
        match &mut self.mode {
            Mode::Length(due) if given > *due => return Err(Misuse::TooMuchContent { due: *due, given }),
            Mode::Length(due) => *due -= given,
            Mode::Without if given > 0 => return Err(Misuse::NoBody),
            Mode::Without | Mode::Chunked | Mode::UntilClose => {}
        }
        self.responses.body(given);
        Ok(())
    }

    /// Handles that the last byte of a response was queued; the content of its request may still
    /// have to be drained.
    pub(super) fn end_of_response(&mut self) {
        self.end_request();
        // A response that ends with the connection can be cut off until it is sent completely.
        if self.mode != Mode::UntilClose {
            self.mode = Mode::Without;
        }
        match self.state.send {
            Sending::Idle => {
                self.times.idle = self.now.mono;
                self.wind_down_if_due();
            }
            Sending::Closing => self.events.close(CloseReason::Finished),
            _ => {}
        }
        self.continue_if_flushed();
    }
}
