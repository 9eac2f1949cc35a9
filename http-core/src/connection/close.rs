//! The end of requests and of connections.

use core::time::Duration;

use super::Connection;
use super::events::CloseReason;
use super::preamble::PrefaceHeader;
use super::send_queue::Lent;
use super::state::{Input, Receiving, Sending};
use super::uncommon::Uncommon;
use crate::wire::response_framing::Mode;

impl Connection {
    /// Continues a connection that closes or switches protocols once the send queue is empty.
    #[inline]
    pub(super) fn continue_if_flushed(&mut self) {
        if matches!(self.state.send, Sending::Closing | Sending::SwitchedProtocol) && !self.has_unsent() {
            self.handle_flushed();
        }
    }

    /// Handles that the last queued byte was sent.
    #[inline(never)]
    fn handle_flushed(&mut self) {
        match self.state.send {
            // Without a reset, the client would take the end of the stream for the end of the
            // response.
            Sending::Closing if self.reset => drop(self.apply(Input::Break)),
            Sending::Closing => {
                Uncommon::forget_refusal(&mut self.uncommon);
                // Bytes that arrive at a closed socket cause a reset, through which the client may
                // lose the response (RFC 9112 section 9.6). TLS sends close_notify (RFC 8446
                // section 6.1), which may have to wait for the socket.
                let more_may_arrive = self.more_may_come || !self.recv.is_empty();
                let linger = !self.end_of_stream && (self.peer.secure || more_may_arrive);
                self.times.shut = self.now.mono;
                self.ordinary_end |= self.state.recv == Receiving::Done;
                self.apply(Input::Flushed { linger });
            }
            Sending::SwitchedProtocol => self.events.upgrade(),
            _ => {}
        }
    }

    /// Marks the connection for a reset if it breaks inside a response that ends with the
    /// connection.
    pub(super) fn mark_broken(&mut self) {
        self.reset |= self.mode == Mode::UntilClose && self.state.send == Sending::Body;
    }

    /// Ends the connection: between requests at once, otherwise after the current response. If no
    /// response can announce the end, because the head of the current one is already queued or
    /// there is none, a request of which bytes were received is served first, with `Connection:
    /// close` in its response.
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
            self.continue_if_flushed();
        }
    }

    /// Returns true if bytes of a request were received that have not been parsed.
    fn has_unparsed_request(&self) -> bool {
        if self.recv.is_lent() {
            return !self.recv.is_empty();
        }
        // Empty lines that wait for more bytes, and a PROXY header, are not a request.
        let has_byte = self.recv.filled().iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
        has_byte && self.proxy_header == PrefaceHeader::Done
    }

    /// Ends a connection whose end was deferred, unless another request was received.
    pub(super) fn wind_down_if_due(&mut self) {
        if self.take_ending() {
            self.wind_down(CloseReason::Finished);
        }
    }

    /// Ends a connection whose end was deferred because of received bytes that turned out not to be
    /// a request. Returns true if the state changed.
    pub(super) fn wind_down_without_request(&mut self) -> bool {
        let before = self.state;
        if self.state.recv == Receiving::Idle && !self.held {
            self.wind_down_if_due();
        }
        self.state != before
    }

    /// Returns true, once, if the end of the connection was deferred and no response has announced
    /// it.
    pub(super) fn take_ending(&mut self) -> bool {
        self.uncommon.as_deref_mut().is_some_and(|uncommon| core::mem::take(&mut uncommon.ending))
    }

    /// Sets the time at which the connection closes, on the caller's monotonic clock
    /// ([`Now::mono`](crate::Now::mono)). It then closes as in a [shutdown](Self::handle_shutdown)
    /// of the server: between requests at once, otherwise after its current response, which carries
    /// `Connection: close` unless its head was already queued. If no response could announce the
    /// end and bytes of another request were received, that request is still served first. A stream
    /// of another protocol is not affected.
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

    /// Breaks the connection at once and drops what waits to be sent.
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

    /// Clears the state that only few requests have.
    #[inline(never)]
    pub(super) fn clear_request(&mut self) {
        self.pending = None;
        if let Some(uncommon) = &mut self.uncommon {
            uncommon.timeouts = None;
        }
        self.added_fields = None;
        self.unpause();
    }

    /// Ends the current request, for the application and for the core.
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
