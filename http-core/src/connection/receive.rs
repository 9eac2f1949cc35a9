//! Parsing of received bytes into events.

use super::Connection;
use super::config::HalfClose;
use super::content::{Coding, Content};
use super::events::{CloseReason, Event};
use super::preamble::PrefaceHeader;
use super::state::{Input, Receiving, Sending};
use crate::message::headers::Headers;
use crate::message::request::{RequestHead, RequestId};
use crate::wire::chunked::Piece;
use crate::wire::error::ProtocolError;
use crate::wire::head::HeadFacts;
use crate::wire::request_framing::Framing;
use crate::wire::trailers;

impl Connection {
    /// Returns the next event; `None` if more bytes, a response or room to send are needed.
    ///
    /// Bytes are parsed here, so that nothing is parsed before the caller can take the result.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        // `Refused` precedes the end of the response to the refusal.
        if self.responses.has_next() && !self.events.has_refusal() {
            return self.response_end();
        }
        if self.events.any {
            return self.pending_or_read();
        }
        match self.state.recv {
            _ if self.recv.is_lent() => None,
            // The usual end of a turn: the connection waits for a request, or for a response.
            Receiving::Idle | Receiving::Done if self.recv.is_empty() && self.peer_closed_at.is_none() => None,
            // The usual start of a turn: a complete head.
            Receiving::Idle if !self.held && self.has_backlog_room() && self.proxy_header == PrefaceHeader::Done => {
                match self.read_head() {
                    Some(request) => Some(Event::Request(request)),
                    None => self.read(),
                }
            }
            _ => self.read(),
        }
    }

    /// Takes the end of the next response. A separate function, like the next one, so that the
    /// usual turn saves no registers for it.
    #[inline(never)]
    fn response_end(&mut self) -> Option<Event> {
        if self.responses.is_next_broken() {
            return self.broken_response_end();
        }
        self.responses.take().map(Event::ResponseEnd)
    }

    #[cold]
    #[inline(never)]
    fn broken_response_end(&mut self) -> Option<Event> {
        self.responses.take_broken().map(Event::ResponseEnd)
    }

    #[inline(never)]
    fn pending_or_read(&mut self) -> Option<Event> {
        match self.next_pending() {
            None if self.recv.is_lent() => None,
            None => self.read(),
            event => event,
        }
    }

    fn next_pending(&mut self) -> Option<Event> {
        self.events.next(self.current_id(), self.has_backlog_room())
    }

    /// Emits `Expect100`, or refuses the body of a client that waits for `100 Continue` if it is
    /// too large.
    #[inline(never)]
    fn next_expectation(&mut self) -> Option<Event> {
        self.events.expect_100 = false;
        if self.content_fits() {
            Some(Event::Expect100(self.current_id()))
        } else {
            self.refuse(ProtocolError::BodyTooLarge);
            None
        }
    }

    /// Parses input until there is an event or more is needed. A separate function, so that a poll
    /// without an event costs little.
    #[inline(never)]
    fn read(&mut self) -> Option<Event> {
        loop {
            let before = self.state;
            let event = match self.state.recv {
                Receiving::Handshake => {
                    self.await_more();
                    None
                }
                Receiving::Idle if self.held && self.end_of_stream && self.recv.is_empty() => {
                    self.await_more();
                    None
                }
                Receiving::Idle | Receiving::Head if self.held => None,
                Receiving::Idle | Receiving::Head if !self.has_backlog_room() => None,
                Receiving::Idle if self.proxy_header != PrefaceHeader::Done => {
                    self.read_proxy_header();
                    None
                }
                Receiving::Idle | Receiving::Head => self.read_head().map(Event::Request),
                Receiving::Body if self.events.expect_100 => self.next_expectation(),
                Receiving::Body if self.paused => self.watch_peer(),
                Receiving::Body => self.read_content(),
                Receiving::Drain => {
                    self.drain();
                    None
                }
                Receiving::Done => self.watch_peer().or_else(|| {
                    self.watch_for_end();
                    None
                }),
                Receiving::Discard => {
                    self.discard();
                    None
                }
                Receiving::SwitchedProtocol | Receiving::Closed => None,
            };
            if event.is_some() {
                return event;
            }
            self.continue_if_flushed();
            if self.responses.has_next() && !self.events.has_refusal() {
                return self.response_end();
            }
            if self.events.any
                && let Some(event) = self.next_pending()
            {
                return Some(event);
            }
            if self.state == before && !self.wind_down_without_request() {
                return None;
            }
        }
    }

    #[inline(never)]
    pub(super) fn read_head(&mut self) -> Option<RequestHead> {
        let mut input = self.recv.filled();
        if self.state.recv == Receiving::Idle && matches!(input.first(), None | Some(b'\r' | b'\n')) {
            if !self.skip_empty_lines() {
                return None;
            }
            input = self.recv.filled();
        }
        let message = self.recycled.message();
        let (head, index) = message.parts();
        match self.reader.advance(input, head, index) {
            Ok(Some(length)) => {
                let id = RequestId::new(self.served + 1);
                let head = input.get(..length).unwrap_or_default();
                let facts = message.fill(id, head, &self.peer, self.now);
                message.set_proxy_tlvs(self.uncommon.as_ref().map(|uncommon| &uncommon.proxy_tlvs));
                self.recv.consume(length);
                Some(self.accept(facts))
            }
            Ok(None) => {
                self.await_rest_of_head();
                None
            }
            Err(fault) => {
                self.refuse(fault);
                None
            }
        }
    }

    /// Waits for the rest of a head. Cold, because most heads arrive whole.
    #[cold]
    fn await_rest_of_head(&mut self) {
        if self.apply(Input::FirstByte) {
            self.times.head = self.now.mono;
        }
        self.await_more();
    }

    /// Skips empty lines before a head. Returns true if its first byte has arrived.
    #[cold]
    fn skip_empty_lines(&mut self) -> bool {
        loop {
            match self.recv.filled() {
                [b'\r', b'\n', ..] if self.empty_lines == self.config.limits.empty_lines => {
                    self.refuse(ProtocolError::EmptyLines);
                }
                [b'\r', b'\n', ..] => {
                    self.empty_lines += 1;
                    self.recv.consume(2);
                    continue;
                }
                // A CR may begin another empty line, but not a head.
                [] | [b'\r'] => self.await_more(),
                [b'\n', ..] => self.refuse(ProtocolError::BareLineFeed),
                [b'\r', ..] => self.refuse(ProtocolError::BareCarriageReturn),
                _ => return true,
            }
            return false;
        }
    }

    fn accept(&mut self, facts: HeadFacts) -> RequestHead {
        self.reader.reset();
        self.empty_lines = 0;
        self.served += 1;
        let limits = &self.config.limits;
        self.content = Content::new(facts.framing, self.recv.position(), limits.max_body_size, limits.chunk_overhead);
        let has_content = facts.framing != Framing::None;
        let last = !self.config.keep_alive
            || !facts.persistent
            || self.config.requests_per_connection.is_some_and(|most| self.served >= most)
            || self.take_ending();
        self.more_may_come = facts.persistent;
        self.awaits_continue = facts.expects_continue;
        self.events.expect_100 = facts.expects_continue;
        self.peer_closed_emitted = false;
        self.responses.open(Some(self.current_id()));
        self.times.request(self.now.mono, self.recv.len());
        let request = self.recycled.request();
        self.current = Some(request.clone());
        self.apply(Input::Request { content: has_content });
        if last {
            self.apply(Input::Last);
        }
        request
    }

    fn read_content(&mut self) -> Option<Event> {
        // The client sends its body after the response has begun, without a 100.
        if self.awaits_continue && self.state.send == Sending::Body && !self.recv.is_empty() {
            self.end_expectation();
        }
        if !self.content_fits() {
            self.refuse(ProtocolError::BodyTooLarge);
            return None;
        }
        match self.next_content() {
            Ok(Some(event)) => return Some(event),
            Ok(None) => self.await_more(),
            Err(fault) => self.refuse(fault),
        }
        None
    }

    /// Takes the next piece of content, or its end, from the buffer.
    fn next_content(&mut self) -> Result<Option<Event>, ProtocolError> {
        match &mut self.content.coding {
            Coding::None => Ok(None),
            Coding::Length(remaining) => {
                let length = usize::try_from(*remaining).unwrap_or(usize::MAX).min(self.recv.len());
                if length == 0 {
                    return Ok(None);
                }
                *remaining -= length as u64;
                if *remaining == 0 {
                    if self.state.recv == Receiving::Body {
                        self.events.end();
                    }
                    self.end_content();
                }
                Ok(Some(self.data(length)))
            }
            Coding::Chunked(decoder) => match decoder.advance(self.recv.filled())? {
                Piece::NeedMore { framing } => {
                    self.recv.consume(framing);
                    Ok(None)
                }
                Piece::Data { framing, length } => {
                    self.recv.consume(framing);
                    // The size of the whole chunk counts, so that the verdict does not depend on
                    // how much of it has arrived.
                    let chunk = (length as u64).saturating_add(decoder.chunk_remaining());
                    if chunk > self.content.limit.saturating_sub(self.content.received) {
                        return Err(ProtocolError::BodyTooLarge);
                    }
                    let is_whole = decoder.chunk_remaining() == 0;
                    let data = self.data(length);
                    if is_whole {
                        self.content.element = self.recv.position();
                    }
                    Ok(Some(data))
                }
                Piece::End { framing, trailers } => {
                    self.recv.consume(framing);
                    let trailers = self.read_trailers(trailers)?;
                    self.end_content();
                    Ok(Some(Event::End(self.current_id(), trailers)))
                }
            },
        }
    }

    fn end_content(&mut self) {
        self.times.read(self.now.mono);
        self.apply(Input::ContentEnd);
    }

    fn data(&mut self, length: usize) -> Event {
        self.content.received += length as u64;
        Event::Data(self.current_id(), self.recv.take(length))
    }

    fn read_trailers(&mut self, length: usize) -> Result<Headers, ProtocolError> {
        if length <= 2 {
            self.recv.consume(length);
            return Ok(Headers::default());
        }
        let section = self.recv.filled().get(..length).unwrap_or_default();
        let trailers = Headers::of_section(section, self.config.limits.fields);
        self.recv.consume(length);
        let mut trailers = trailers?;
        trailers.retain(|name| !trailers::is_forbidden(name));
        Ok(trailers)
    }

    /// Drops the body of a request whose response is finished.
    fn drain(&mut self) {
        let most = self.config.limits.drain;
        // The limit on content is for the application; dropped content has a separate limit.
        self.content.limit = u64::MAX;
        loop {
            if self.content.drained.saturating_add(self.content.announced()) > most {
                self.apply(Input::DrainLimit);
                self.events.close(CloseReason::Finished);
                return;
            }
            match self.next_content() {
                Ok(Some(Event::Data(_, data))) => self.content.drained += data.len() as u64,
                Ok(Some(_)) => {}
                Ok(None) => return self.await_more(),
                Err(fault) => return self.refuse(fault),
            }
            if self.state.recv != Receiving::Drain {
                self.end_of_response();
                return;
            }
        }
    }

    /// Waits for more bytes; after the end of the stream, ends the connection.
    pub(super) fn await_more(&mut self) {
        if !self.end_of_stream {
            return;
        }
        let between_requests = self.state.recv == Receiving::Idle && self.recv.is_empty();
        let drained = self.state.recv == Receiving::Drain;
        let reason = if between_requests || drained { CloseReason::PeerClosed } else { CloseReason::Truncated };
        self.mark_broken();
        if self.apply(Input::EndOfStream) {
            self.end_request();
            self.events.close(reason);
        }
    }

    /// Reports that the peer ended its stream while the response to a request is outstanding that
    /// is complete or not being read.
    fn watch_peer(&mut self) -> Option<Event> {
        if !self.state.awaits_response()
            || self.peer_closed_at.is_none()
            || core::mem::replace(&mut self.peer_closed_emitted, true)
        {
            return None;
        }
        if self.config.half_close == HalfClose::Drop {
            self.break_off(CloseReason::PeerClosed);
            return None;
        }
        Some(Event::PeerClosed(self.current_id()))
    }

    /// Records the end of the stream if nothing follows the current request.
    fn watch_for_end(&mut self) {
        if self.end_of_stream && self.recv.is_empty() {
            self.apply(Input::EndOfStream);
        }
    }

    /// Drops bytes that arrive while the connection closes.
    pub(super) fn discard(&mut self) {
        // Bytes in a lent buffer are counted when it is returned.
        self.discarded = self.discarded.saturating_add(self.recv.filled().len() as u64);
        self.recv.consume(usize::MAX);
        if self.recv.size() > self.config.limits.recv_size() {
            // A buffer for bodies is too large to be kept while the connection lingers.
            drop(self.recv.release());
        }
        if self.end_of_stream {
            self.apply(Input::EndOfStream);
        } else if self.discarded > self.linger_limit() {
            self.apply(Input::LingerEnd);
        }
    }

    /// Returns the maximum number of bytes to drop while the connection closes.
    pub(super) fn linger_limit(&self) -> u64 {
        let limits = &self.config.limits;
        if self.ordinary_end { limits.linger } else { limits.refusal_linger }
    }

    /// Returns true if the announced content is within the limit; checked before `100 Continue`.
    pub(super) fn content_fits(&self) -> bool {
        self.content.announced() <= self.content.limit.saturating_sub(self.content.received)
    }
}
