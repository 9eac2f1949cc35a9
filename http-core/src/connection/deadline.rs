//! The deadlines of a connection, and the actions when they pass.

use http::StatusCode;

use super::Connection;
use super::events::CloseReason;
use super::state::{Input, Receiving, Sending};
use super::timers::{Deadline, Earliest, Timer};
use crate::message::now::Now;
use crate::wire::error::ProtocolError;

impl Connection {
    /// Returns the next deadline; `None` if no timer runs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        let is_between_requests = self.state.recv == Receiving::Idle && self.served > 0 && !self.held;
        // The usual case: the connection only waits for the next request.
        if is_between_requests && !self.has_unsent() && self.uncommon.is_none() && self.peer_closed_at.is_none() {
            let mut next = Earliest::default();
            next.offer(self.times.idle, self.config.timeouts.idle, Timer::Idle);
            let deadline = next.deadline();
            debug_assert_eq!(deadline, self.earliest_deadline());
            return deadline;
        }
        self.earliest_deadline()
    }

    /// Returns the earliest deadline in the current state. Not inlined, so that the usual case
    /// takes few instructions.
    #[inline(never)]
    fn earliest_deadline(&self) -> Option<Deadline> {
        let times = &self.times;
        let timeouts = self.timeouts();
        let mut next = Earliest::default();
        let has_unsent = self.has_unsent();
        if has_unsent {
            next.offer(times.progress, timeouts.write, Timer::Write);
        }
        match (self.state.recv, self.state.send) {
            (Receiving::Handshake, _) => self.offer_handshake(&mut next),
            // The application is busy with the previous request, or its response is being sent.
            (Receiving::Idle | Receiving::Head, _) if self.held => {}
            (Receiving::Idle, _) if has_unsent => {}
            (Receiving::Idle, _) if self.served == 0 => next.offer(times.accepted, timeouts.accept, Timer::Accept),
            (Receiving::Idle, _) => next.offer(times.idle, timeouts.idle, Timer::Idle),
            (Receiving::Head, _) => next.offer(times.head, timeouts.head, Timer::Head),
            // Only while the connection waits for the peer, not for the application.
            (Receiving::Body | Receiving::Drain, _) if self.awaits_content() => {
                next.offer(times.content, timeouts.body, Timer::Body);
                next.offer_at(times.slowest_content(timeouts), Timer::BodyRate);
            }
            (Receiving::Discard, Sending::Shut) => times.offer_linger(&mut next, timeouts, self.ordinary_end),
            _ => {}
        }
        if let Some(uncommon) = &self.uncommon
            && self.may_continue()
        {
            next.offer_at(uncommon.expires, Timer::Age);
        }
        let outstanding = self.state.awaits_response();
        if outstanding {
            // Time spent waiting for content is the peer's, not the handler's.
            let reads = self.state.recv == Receiving::Body && self.awaits_content();
            if self.state.send == Sending::Head && !reads {
                times.offer_handler(&mut next, timeouts);
            }
        }
        // This includes an application that is still busy with a request whose response was sent,
        // on a connection that would continue.
        if let Some(since) = self.peer_closed_at
            && (outstanding || self.held && self.state.send == Sending::Idle)
        {
            // A request that had to wait for the previous one gets the full time.
            let since = since.max(times.sent).max(times.request);
            next.offer(since, timeouts.half_closed, Timer::HalfClosed);
        }
        next.deadline()
    }

    /// Returns true if the connection waits for the peer to send content.
    fn awaits_content(&self) -> bool {
        !self.paused && !self.awaits_continue
    }

    /// Returns true if another request may follow.
    fn may_continue(&self) -> bool {
        let is_open = matches!(self.state.send, Sending::Idle | Sending::Head | Sending::Body | Sending::Done);
        self.state.persistent && is_open && self.state.recv != Receiving::Handshake
    }

    /// Acts on the deadline of [`poll_timeout`](Self::poll_timeout) if `now` has reached it. A call
    /// that is too early or repeated does nothing.
    pub fn handle_timeout(&mut self, now: Now) {
        self.set_now(now);
        if let Some(deadline) = self.poll_timeout()
            && deadline.at <= self.now.mono
        {
            self.fire(deadline.timer);
        }
    }

    fn fire(&mut self, timer: Timer) {
        self.events.time_out(timer);
        match timer {
            Timer::Handshake | Timer::Accept | Timer::Idle => {
                // A client that sent nothing for this time is assumed not to be sending.
                self.more_may_come = false;
                self.apply(Input::IdleTimeout);
                self.events.close(CloseReason::TimedOut(timer));
            }
            Timer::Head => self.refuse(ProtocolError::HeadTimeout),
            Timer::Body | Timer::BodyRate => self.refuse(ProtocolError::BodyTimeout),
            Timer::Write => self.break_off(CloseReason::TimedOut(timer)),
            Timer::HalfClosed if self.state.send == Sending::Idle => self.break_off(CloseReason::TimedOut(timer)),
            Timer::Age => {
                self.uncommon.get_or_insert_default().expires = None;
                self.wind_down(CloseReason::TimedOut(timer));
            }
            Timer::Linger => drop(self.apply(Input::LingerEnd)),
            Timer::HalfClosed if self.state.send == Sending::Body => {
                self.reset = true;
                self.break_off(CloseReason::TimedOut(timer));
            }
            Timer::Handler | Timer::HalfClosed => {
                let text = "the application did not respond in time (RFC 9110 15.6.4)";
                let reason = CloseReason::TimedOut(timer);
                self.respond_error_and_close(StatusCode::SERVICE_UNAVAILABLE, text, reason);
            }
        }
        self.continue_if_flushed();
    }
}
