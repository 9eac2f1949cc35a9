//! How a request ends, and how a connection does.

use core::time::Duration;

use super::Connection;
use super::events::CloseReason;
use super::preamble::PrefaceHeader;
use super::send_queue::Lent;
use super::state::{Input, Receiving, Sending};
use super::uncommon::Uncommon;
use crate::wire::response_framing::Mode;

impl Connection {
    /// What follows once the queue is empty, or has room again.
    #[inline]
    pub(super) fn settle(&mut self) {
        if matches!(self.state.send, Sending::Closing | Sending::SwitchedProtocol) && !self.has_unsent() {
            self.end_of_queue();
        }
    }

    /// The last byte has left.
    #[inline(never)]
    fn end_of_queue(&mut self) {
        match self.state.send {
            // The end of the stream would look like the end of the response.
            Sending::Closing if self.reset => drop(self.apply(Input::Break)),
            Sending::Closing => {
                Uncommon::forget_refusal(&mut self.uncommon);
                // What is sent to a closed socket is met by a reset, which may cost the
                // client the response (RFC 9112 section 9.6). A secured transport announces the
                // end (RFC 8446 section 6.1), which may have to wait for the socket.
                let sends_on = self.more_may_come || !self.recv.is_empty();
                let linger = !self.end_of_stream && (self.peer.secure || sends_on);
                self.times.shut = self.now.mono;
                self.ordinary_end |= self.state.recv == Receiving::Done;
                self.apply(Input::Flushed { linger });
            }
            Sending::SwitchedProtocol => self.events.upgrade(),
            _ => {}
        }
    }

    /// A response that only the end of the stream ends will not have its end.
    pub(super) fn mark_broken(&mut self) {
        self.reset |= self.mode == Mode::UntilClose && self.state.send == Sending::Body;
    }

    /// Ends a connection between requests, and any other after its current response; if no
    /// response has said so, a request that was received is served first, and its response says it.
    #[cold]
    pub(super) fn wind_down(&mut self, reason: CloseReason) {
        let between_requests = self.state.is_between_requests();
        let head_is_given = matches!(self.state.send, Sending::Body | Sending::Done);
        if self.state.persistent && (head_is_given || between_requests && self.has_unparsed_request()) {
            self.uncommon.get_or_insert_default().ending = true;
            return;
        }
        if self.apply(Input::Shutdown) && between_requests {
            self.ordinary_end = true;
            self.events.close(reason);
            self.settle();
        }
    }

    /// Returns true if something of a request was received that waits to be parsed.
    fn has_unparsed_request(&self) -> bool {
        if self.recv.is_lent() {
            return !self.recv.is_empty();
        }
        // Empty lines may wait for what follows them; a PROXY header is no request.
        let has_byte = self.recv.filled().iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        has_byte && self.proxy_header == PrefaceHeader::Done
    }

    /// Ends a connection that was to end before, unless another request has come.
    pub(super) fn wind_down_if_due(&mut self) {
        if self.take_ending() {
            self.wind_down(CloseReason::Finished);
        }
    }

    /// Ends a connection that was to end behind what was received, and that was no request after
    /// all; returns whether it did.
    pub(super) fn wind_down_without_request(&mut self) -> bool {
        let before = self.state;
        if self.state.recv == Receiving::Idle && !self.held {
            self.wind_down_if_due();
        }
        self.state != before
    }

    /// Returns true, once, if the connection is to end and no response has said so.
    pub(super) fn take_ending(&mut self) -> bool {
        self.uncommon.as_deref_mut().is_some_and(|uncommon| core::mem::take(&mut uncommon.ending))
    }

    /// Lets the connection live until this moment on the caller's monotonic clock
    /// ([`Now::mono`](crate::Now::mono)). Then it closes as at a shutdown of the server: between
    /// requests at once, else after its current response, which says so by `Connection: close`
    /// where its head was not given before, or after the next one where that was received by then.
    /// A stream of another protocol is left alone.
    ///
    /// ```
    /// use core::time::Duration;
    /// use httpants_core::{Config, Connection, ConnectionInfo, Now, Timer};
    ///
    /// let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), Now::default());
    /// connection.expire_at(Duration::from_secs(5));
    /// assert_eq!(connection.poll_timeout().map(|deadline| deadline.timer), Some(Timer::Age));
    /// ```
    pub fn expire_at(&mut self, at: Duration) {
        self.uncommon.get_or_insert_default().expires = Some(at);
    }

    /// Ends everything at once.
    #[cold]
    pub(super) fn break_off(&mut self, reason: CloseReason) {
        let unfinished = self.state.send == Sending::Body || self.has_unsent();
        if self.apply(Input::Break) {
            self.reset |= self.mode == Mode::UntilClose && unfinished;
            self.end_request();
            self.responses.break_off();
            self.dropped = self.send.clear_into_segments();
            self.lent = Lent::default();
            Uncommon::forget_refusal(&mut self.uncommon);
            self.events.close(reason);
        }
    }

    /// Forgets what few requests have.
    #[inline(never)]
    pub(super) fn clear_request(&mut self) {
        self.pending = None;
        if let Some(uncommon) = &mut self.uncommon {
            uncommon.timeouts = None;
        }
        self.added_fields = None;
        self.unpause();
    }

    /// The current request is over, for the application and for the core.
    pub(super) fn end_request(&mut self) {
        if self.pending.is_some() || self.uncommon.is_some() || self.added_fields.is_some() || self.paused {
            self.clear_request();
        }
        self.awaits_continue = false;
        self.peer_closed_emitted = false;
        let unsent = self.unsent();
        self.responses.close(unsent);
        self.events.forget_request();
        if let Some(request) = self.current.take() {
            if request.is_shared() {
                request.freeze_time(self.now);
            }
            self.recycled.keep(request);
        }
    }
}
