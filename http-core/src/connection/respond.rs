//! Commands: the application answers.

use std::time::Duration;

use bytes::Bytes;
use http::Version;

use super::Connection;
use super::answer::{self, Mode};
use super::state::{Input, Receiving, Sending};
use crate::cookies::{CookieBuilder, CookiesOut};
use crate::error::{BadRequest, CloseReason, Misuse};
use crate::message::field_lines::FieldLines;
use crate::message::response::{BodyLen, ResponseHead};
use crate::wire::encode::{self, AnswerHead};

const CRLF: &[u8] = b"\r\n";

/// Respond.
impl Connection {
    /// Sends the head of the answer to the current request. Date, Server, the framing fields
    /// and Connection are added; HEAD, 204, 205 and 304 get no content whatever is given later.
    ///
    /// # Errors
    /// [`Misuse`] when no answer is due, when it has begun already, when the status is
    /// informational, or when a field contradicts the framing. Nothing was sent then.
    pub fn respond(&mut self, head: &ResponseHead, length: BodyLen) -> Result<(), Misuse> {
        self.queue_head(head, length, false)?;
        self.apply(Input::AnswerHead);
        Ok(())
    }

    /// Queues the head of an answer, after which nothing of it can be changed. The state
    /// follows in the caller, unless the answer hands the stream over. With `last` nothing
    /// is answered behind it.
    fn queue_head(&mut self, head: &ResponseHead, length: BodyLen, last: bool) -> Result<(), Misuse> {
        self.answer_due()?;
        let request = self.current.as_ref().ok_or(Misuse::NoRequest)?;
        let framed = answer::frame(request, head, length)?;
        if framed.hands_over && self.state.recv != Receiving::Complete {
            return Err(Misuse::Upgrade);
        }
        let http_1_0 = request.version() == Version::HTTP_10;
        // A client that was not told to continue may send its content or not: what comes
        // next could be either (RFC 9110 section 10.1.1).
        if last || framed.mode == Mode::UntilClose || head.fields.owned().close || self.expect_unanswered {
            self.apply(Input::Last);
        }
        let connection = match () {
            () if framed.hands_over => head.fields.owned().upgrade.then_some("Upgrade"),
            () if !self.state.persistent => Some("close"),
            () => http_1_0.then_some("keep-alive"),
        };
        self.queue();
        AnswerHead {
            http_1_0,
            status: head.status,
            reason: head.reason(),
            fields: &head.fields,
            cookies: self.cookies_out.as_deref(),
            framing: framed.field,
            connection,
            supplied: self.supplied.at(self.now.wall, self.config.server),
        }
        .write(self.send.gather());
        self.mode = framed.mode;
        self.account.begin(head.status);
        self.end_expectation();
        if framed.hands_over {
            self.account.last.whole = true;
            self.apply(Input::HandOver);
            self.end_request();
        }
        Ok(())
    }

    /// The cookies that the answer to the current request will set (the seed's
    /// `cookies_out`): they leave with its head, as Set-Cookie fields.
    ///
    /// # Errors
    /// [`Misuse`] when no answer is due, or its head was sent already.
    pub fn cookies_out(&mut self) -> Result<&mut CookiesOut, Misuse> {
        self.answer_due()?;
        Ok(self.cookies_out.get_or_insert_default())
    }

    /// Sets a signed cookie in the answer (the seed's `set_secure_cookie`), HttpOnly and for
    /// the path `/`, with the first of [`Config::cookie_keys`](crate::Config::cookie_keys).
    /// `adjust` may change its other attributes.
    ///
    /// # Errors
    /// [`Misuse`] as [`cookies_out`](Self::cookies_out), [`Misuse::NoCookieKeys`] without a
    /// key, [`Misuse::Cookie`] for a name or attribute that cannot be sent.
    pub fn set_secure_cookie(
        &mut self,
        name: &str,
        value: impl AsRef<[u8]>,
        lifetime: Duration,
        adjust: impl FnOnce(CookieBuilder<'static>) -> CookieBuilder<'static>,
    ) -> Result<(), Misuse> {
        self.answer_due()?;
        let keys = self.config.cookie_keys.as_ref().ok_or(Misuse::NoCookieKeys)?;
        let cookie = adjust(keys.cookie(name, value, self.now.wall.as_secs(), lifetime));
        self.cookies_out()?.set(cookie).map_err(Misuse::Cookie)
    }

    /// Sends a whole answer in one call.
    ///
    /// # Errors
    /// As [`respond`](Self::respond).
    pub fn respond_with(&mut self, head: &ResponseHead, content: impl Into<Bytes>) -> Result<(), Misuse> {
        let content = content.into();
        // Where too much is left to drain behind an answer that is finished at once, the
        // connection will close, and the answer says so (RFC 9112 section 9.6).
        let last = self.state.recv == Receiving::Content && self.content.announced() > self.config.limits.drain;
        self.queue_head(head, BodyLen::Known(content.len() as u64), last)?;
        if self.mode != Mode::Without {
            self.account.last.content = content.len() as u64;
        }
        self.account.last.whole = true;
        match self.mode {
            Mode::Without => {}
            Mode::Length(_) | Mode::UntilClose => self.send.push(content),
            Mode::Chunked => {
                self.queue_content(content);
                encode::last_chunk(self.send.gather(), None);
            }
        }
        if self.apply(Input::Answer) {
            self.end_of_answer();
        }
        Ok(())
    }

    /// Sends a piece of content behind the head. It is framed as the head promised, and
    /// dropped where the answer has no content. An empty piece sends nothing.
    ///
    /// # Errors
    /// [`Misuse::TooMuchContent`] where the piece exceeds the Content-Length: nothing of it
    /// is sent. [`Misuse::HeadDue`], [`Misuse::NoRequest`] or [`Misuse::Closed`] out of turn.
    pub fn send(&mut self, content: impl Into<Bytes>) -> Result<(), Misuse> {
        let content = content.into();
        if self.spend(content.len() as u64)? {
            self.queue_content(content);
        }
        Ok(())
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
    pub fn send_external(&mut self, file: u64, offset: u64, length: u64) -> Result<(), Misuse> {
        if self.spend(length)? {
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

    /// The answer is complete. The next pipelined request is parsed from here on, or the
    /// connection closes.
    ///
    /// # Errors
    /// [`Misuse::TooLittleContent`] where content is still due: the connection is dropped
    /// then, so that the answer does not look whole. Others as [`send`](Self::send).
    pub fn finish(&mut self) -> Result<(), Misuse> {
        self.end(None)
    }

    /// [`finish`](Self::finish) with trailer fields behind a chunked answer; they are
    /// dropped for HTTP/1.0, HEAD, 204, 205 and 304, and so are fields that must not stand in
    /// trailers (RFC 9110 section 6.5.1), such as Content-Type and Set-Cookie.
    ///
    /// # Errors
    /// [`Misuse::Trailers`] where the answer has a Content-Length; else as `finish`.
    pub fn finish_with_trailers(&mut self, trailers: &FieldLines) -> Result<(), Misuse> {
        self.end(Some(trailers).filter(|trailers| !trailers.is_empty()))
    }

    fn end(&mut self, trailers: Option<&FieldLines>) -> Result<(), Misuse> {
        self.content_due()?;
        match self.mode {
            Mode::Length(_) if trailers.is_some() => return Err(Misuse::Trailers),
            Mode::Length(due) if due > 0 => {
                self.abort();
                return Err(Misuse::TooLittleContent { due });
            }
            Mode::Chunked => encode::last_chunk(self.queue().gather(), trailers),
            _ => {}
        }
        self.account.last.whole = true;
        self.apply(Input::AnswerEnd);
        self.end_of_answer();
        Ok(())
    }

    /// Asks the client for the content that it holds back (`100 Continue`).
    ///
    /// # Errors
    /// [`Misuse::Continue`] where the client does not wait for it (any more).
    /// [`Misuse::Closed`] where the content is larger than allowed and was refused by this.
    pub fn send_continue(&mut self) -> Result<(), Misuse> {
        self.answer_due()?;
        if !self.expect_unanswered {
            return Err(Misuse::Continue);
        }
        if !self.content_fits() {
            self.refuse(BadRequest::BodyTooLarge);
            return Err(Misuse::Closed);
        }
        self.end_expectation();
        self.queue().gather().extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        Ok(())
    }

    /// The client knows what becomes of the content that it holds back; from now on it can
    /// be late.
    fn end_expectation(&mut self) {
        if std::mem::take(&mut self.expect_unanswered) {
            self.notices.expect_100 = false;
            self.times.resumed(self.now.mono, self.times.request);
        }
    }

    /// Gives the answer up: what was queued still leaves, then the connection closes, so
    /// that the peer sees the break. Without an answer due it closes the connection; once
    /// that is about to be closed it does nothing.
    pub fn abort(&mut self) {
        self.mark_broken();
        if self.apply(Input::Abort) {
            self.end_request();
            self.notices.close(CloseReason::Aborted);
            self.settle();
        }
    }

    /// Sets the largest content of the current request, in bytes, in place of
    /// [`Limits::max_request`](crate::Limits::max_request). Judged when the content is asked
    /// for, so call it on [`Event::Request`](super::Event::Request).
    pub fn set_max_request(&mut self, limit: u64) {
        self.content.limit = limit;
    }

    /// Stops reading content, and its timers, until told to go on: the application is busy
    /// with what it has.
    pub fn pause(&mut self, pause: bool) {
        if pause && self.state.recv != Receiving::Content {
            return;
        }
        if self.paused && !pause {
            self.times.resumed(self.now.mono, self.paused_at);
        } else if !self.paused && pause {
            self.paused_at = self.now.mono;
        }
        self.paused = pause;
    }

    pub(super) fn answer_due(&self) -> Result<(), Misuse> {
        match self.state.send {
            Sending::Head => Ok(()),
            Sending::Idle | Sending::Complete => Err(Misuse::NoRequest),
            Sending::Content => Err(Misuse::HeadSent),
            _ => Err(Misuse::Closed),
        }
    }

    fn content_due(&self) -> Result<(), Misuse> {
        match self.state.send {
            Sending::Content => Ok(()),
            Sending::Head => Err(Misuse::HeadDue),
            Sending::Idle | Sending::Complete => Err(Misuse::NoRequest),
            _ => Err(Misuse::Closed),
        }
    }

    /// Counts a piece of content; says whether it is to be sent.
    fn spend(&mut self, given: u64) -> Result<bool, Misuse> {
        self.content_due()?;
        match &mut self.mode {
            Mode::Length(due) if given > *due => return Err(Misuse::TooMuchContent { due: *due, given }),
            Mode::Length(due) => *due -= given,
            Mode::Without => return Ok(false),
            Mode::Chunked | Mode::UntilClose => {}
        }
        self.account.last.content = self.account.last.content.saturating_add(given);
        Ok(given > 0)
    }

    /// The last byte of an answer is queued; perhaps its request is still to be drained.
    pub(super) fn end_of_answer(&mut self) {
        self.end_request();
        // Until it has left, an answer that only the end of the stream ends can be cut off.
        if self.mode != Mode::UntilClose {
            self.mode = Mode::Without;
        }
        match self.state.send {
            Sending::Idle => self.times.idle = self.now.mono,
            Sending::Closing => self.notices.close(CloseReason::Finished),
            _ => {}
        }
        self.settle();
    }
}
