//! Commands: the application responds.

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

/// What comes behind the head of a response.
#[derive(Clone, Copy)]
enum Follows {
    Body,
    /// A body, and then the end of the connection.
    Close,
    OtherProtocol,
}

/// The value of Connection behind a head, if it is sent. Who sends Upgrade names it there (RFC 9110
/// section 7.8).
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
    /// ([`RequestHead::allows_response_body`](crate::RequestHead::allows_response_body)). Trailer is
    /// left out where [trailers](Self::finish_with_trailers) are dropped, except with HEAD.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] where the response to this request is finished,
    /// [`Misuse::HeadSent`] where it has begun, others where the status is informational or
    /// ends HTTP ([`respond_upgrade`](Self::respond_upgrade)), or a field contradicts the
    /// framing. Nothing was sent then.
    pub fn respond(&mut self, request: RequestId, head: &ResponseHead, length: BodyLen) -> Result<(), Misuse> {
        self.head_expected(request)?;
        self.queue_head(head, length, Follows::Body)?;
        self.apply(Input::ResponseHead);
        Ok(())
    }

    /// Ends HTTP on the connection: sends the head of a 101, or of a 2xx to CONNECT, behind
    /// which the stream is the application's ([`Event::Upgraded`](super::Event::Upgraded)).
    ///
    /// # Errors
    /// [`Misuse::Upgrade`] for any other status, where the request offers no upgrade, and
    /// before its body was received; others as [`respond`](Self::respond).
    pub fn respond_upgrade(&mut self, request: RequestId, head: &ResponseHead) -> Result<(), Misuse> {
        self.head_expected(request)?;
        self.queue_head(head, BodyLen::Unknown, Follows::OtherProtocol)
    }

    /// Queues the head of a response, after which nothing of it can be changed. The state
    /// follows in the caller, unless the response hands the stream over.
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
        // A client that got no 100 may send its content or not: what comes
        // next could be either (RFC 9110 section 10.1.1).
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

    /// Ends HTTP behind the head.
    #[cold]
    fn hand_over(&mut self) {
        self.responses.complete();
        self.apply(Input::HandOver);
        self.end_request();
    }

    /// The head without Trailer: the trailers of this response are dropped, too.
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

    /// The head with the fields that were added, which stay where it cannot be sent.
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

    /// Returns fields that leave with the head of the response to this request, however it is
    /// given, behind those of the head itself: the place of the cookies to set (`cookies_out` in
    /// Pants), by `cookies::set`.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] where the response is finished, [`Misuse::HeadSent`] where it has
    /// begun, [`Misuse::Closed`] where the connection closes.
    pub fn response_fields_mut(&mut self, request: RequestId) -> Result<&mut FieldLines, Misuse> {
        self.head_expected(request)?;
        Ok(self.added_fields.get_or_insert_default())
    }

    /// Sends a whole response in one call.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub fn respond_with(
        &mut self,
        request: RequestId,
        head: &ResponseHead,
        content: impl Into<Bytes>,
    ) -> Result<(), Misuse> {
        let content = content.into();
        self.head_expected(request)?;
        // Where too much is left to drain behind a response that is finished at once, the
        // connection will close, and the response says so (RFC 9112 section 9.6).
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

    /// Sends a piece of the body behind the head, framed as the head promised. An empty piece
    /// sends nothing.
    ///
    /// # Errors
    /// [`Misuse::TooMuchContent`] where the piece exceeds the Content-Length and
    /// [`Misuse::NoBody`] where the response can have no body: nothing of the piece is sent.
    /// [`Misuse::HeadDue`], [`Misuse::NoRequest`] or [`Misuse::Closed`] out of turn.
    pub fn send(&mut self, request: RequestId, content: impl Into<Bytes>) -> Result<(), Misuse> {
        let content = content.into();
        self.spend(request, content.len() as u64)?;
        if !content.is_empty() {
            self.queue_content(content);
        }
        Ok(())
    }

    /// Returns how many bytes of the body the application should give at most before it waits for
    /// [`Event::Writable`](super::Event::Writable), which is emitted once this has returned 0. More
    /// is taken, but it takes memory.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] or [`Misuse::Closed`] where nothing can be sent any more.
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

    /// Sends a stretch of a file as a piece of content, without seeing it: it comes back as
    /// [`Transmit::External`](super::Transmit::External) with the number that the caller
    /// gives the file here.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_external(&mut self, request: RequestId, file: u64, offset: u64, length: u64) -> Result<(), Misuse> {
        self.spend(request, length)?;
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

    /// Ends the response. The next pipelined request is parsed from here on, or the connection
    /// closes.
    ///
    /// # Errors
    /// [`Misuse::TooLittleContent`] where content is missing: the connection is dropped then, so
    /// that the response does not look whole. Others as [`send`](Self::send).
    pub fn finish(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.end(request, None)
    }

    /// Does as [`finish`](Self::finish) with trailer fields behind a chunked response; they are
    /// dropped for HTTP/1.0, HEAD, 204, 205 and 304, and so are fields that must not stand in
    /// trailers (RFC 9110 section 6.5.1), such as Content-Type and Set-Cookie.
    ///
    /// # Errors
    /// [`Misuse::Trailers`] where the response has a Content-Length; else as `finish`.
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

    /// Refuses a request at its head whose client waits for `100 Continue` with a body that is
    /// larger than allowed. Without it that happens when the events are polled.
    ///
    /// # Errors
    /// [`Misuse::Closed`] where the request was refused by this.
    pub fn check_expectation(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.head_expected(request)?;
        if self.awaits_continue && !self.content_fits() {
            self.refuse(ProtocolError::BodyTooLarge);
            return Err(Misuse::Closed);
        }
        Ok(())
    }

    /// Asks the client for the content that it holds back (`100 Continue`).
    ///
    /// # Errors
    /// [`Misuse::Continue`] where the client does not wait for it (any more).
    /// [`Misuse::Closed`] where the content is larger than allowed and was refused by this.
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

    /// The client sends the content that it held back; from now on it can be late.
    pub(super) fn end_expectation(&mut self) {
        self.awaits_continue = false;
        self.events.expect_100 = false;
        self.times.resumed(self.now.mono, self.times.request);
        self.paused_at = self.now.mono;
    }

    /// Gives the response up: what was queued still leaves, then the connection closes, so
    /// that the peer sees the break.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] or [`Misuse::Closed`] where the response is over.
    pub fn abort(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.outstanding(request)?;
        self.close();
        Ok(())
    }

    /// Closes the connection behind what was queued, whatever it is doing; a response that is
    /// outstanding breaks off. Once the connection is about to be closed it does nothing.
    pub fn close(&mut self) {
        self.mark_broken();
        let between_requests = self.state.is_between_requests();
        if self.apply(Input::Abort) {
            self.ordinary_end |= between_requests;
            self.end_request();
            self.events.close(CloseReason::Aborted);
            self.settle();
        }
    }

    /// Sets the largest body of this request, in bytes, in place of
    /// [`Limits::max_body_size`](crate::Limits::max_body_size). Judged when the body is asked
    /// for, so call it on [`Event::Request`](super::Event::Request).
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] or [`Misuse::Closed`] where the response is over.
    pub fn set_max_body_size(&mut self, request: RequestId, limit: u64) -> Result<(), Misuse> {
        self.outstanding(request)?;
        self.content.limit = limit;
        Ok(())
    }

    /// Removes Content-Encoding and Content-Length from the head of this request, because the
    /// application decodes its body and hands it on decoded; returns the head without them. Its
    /// [`framing`](RequestHead::framing) and [bytes](RequestHead::as_bytes) stay as they were
    /// received.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] or [`Misuse::Closed`] where the response is over.
    pub fn set_body_decoded(&mut self, request: RequestId) -> Result<RequestHead, Misuse> {
        self.outstanding(request)?;
        let current = self.current.as_mut().ok_or(Misuse::NoRequest)?;
        current.remove_content_coding();
        Ok(current.clone())
    }

    /// Stops reading the body of this request, and its timers, until
    /// [`resume`](Self::resume): the application is busy with what it has. Without a body
    /// that is being read it does nothing.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] or [`Misuse::Closed`] where the response is over.
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

    /// Goes on reading the body of this request.
    ///
    /// # Errors
    /// [`Misuse::NoRequest`] or [`Misuse::Closed`] where the response is over.
    pub fn resume(&mut self, request: RequestId) -> Result<(), Misuse> {
        self.outstanding(request)?;
        self.unpause();
        Ok(())
    }

    pub(super) fn unpause(&mut self) {
        // What is held back is not late: that time counts once, when it is asked for.
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

    /// Counts a piece of the body.
    fn spend(&mut self, request: RequestId, given: u64) -> Result<(), Misuse> {
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

    /// The last byte of a response is queued; perhaps its request is still to be drained.
    pub(super) fn end_of_response(&mut self) {
        self.end_request();
        // Until it has left, a response that only the end of the stream ends can be cut off.
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
        self.settle();
    }
}
