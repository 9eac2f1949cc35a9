//! The getters of a connection.

use super::Connection;
use super::config::Limits;
use super::preamble::PrefaceHeader;
use super::responses::ResponseState;
use super::state::{Receiving, Sending, State};
use crate::message::connection_info::ConnectionInfo;
use crate::message::now::Now;
use crate::message::request::{RequestHead, RequestId};

/// Getters.
impl Connection {
    /// Returns the request that is being received or responded to, if any (`current_request` in
    /// Pants).
    #[must_use]
    pub fn current_request(&self) -> Option<&RequestHead> {
        self.current.as_ref()
    }

    /// Returns true if the caller should receive bytes from the peer. Returns false while a
    /// response is outstanding and enough is buffered, and while too many responses wait to be
    /// sent.
    #[must_use]
    pub fn wants_recv(&self) -> bool {
        let limits = &self.config.limits;
        !self.end_of_stream
            && !self.paused
            && match self.state.recv {
                // The same limit as while a response is outstanding.
                Receiving::Idle | Receiving::Head if self.held => self.recv.len() < limits.recv_size(),
                Receiving::Idle | Receiving::Head => self.has_backlog_room() && self.recv.len() <= limits.head,
                Receiving::Body | Receiving::Drain => self.recv.len() < self.content.room(limits.body_size()),
                // Room for one more read, to detect that the peer is gone and to receive pipelined
                // requests.
                Receiving::Done => self.state.send != Sending::Closing && self.recv.len() < limits.recv_size(),
                // Bytes are counted as dropped only at the next poll, so the buffered ones have a
                // separate limit.
                Receiving::Discard => self.discarded <= self.linger_limit() && self.recv.len() < limits.recv_size(),
                Receiving::Handshake | Receiving::SwitchedProtocol | Receiving::Closed => false,
            }
    }

    /// Returns true if the caller should watch for the end of the peer's stream, which may follow
    /// unread bytes while [`wants_recv`](Self::wants_recv) is false. Report it by
    /// [`handle_peer_closed`](Self::handle_peer_closed).
    #[must_use]
    pub fn watches_peer(&self) -> bool {
        let outstanding = self.state.awaits_response();
        (outstanding || self.held) && self.peer_closed_at.is_none() && !self.wants_recv()
    }

    /// Returns the state of the response to this request.
    #[must_use]
    pub fn response_state(&self, request: RequestId) -> ResponseState {
        let is_current = request.index() == self.served;
        match self.state.send {
            Sending::Head if is_current => ResponseState::Expected,
            Sending::Body if is_current => ResponseState::Begun,
            Sending::Closing | Sending::Shut | Sending::SwitchedProtocol | Sending::Closed => ResponseState::Closed,
            _ => ResponseState::Finished,
        }
    }

    /// Returns true if the peer is known to have ended its stream, or if the connection has ended.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        self.peer_closed_at.is_some() || self.state.recv == Receiving::Closed
    }

    /// Returns the limits of the connection.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Returns true if the connection is between requests, and has no received bytes, no bytes to
    /// send and no response to report.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.state.recv == Receiving::Idle && self.recv.is_empty() && !self.has_unsent() && !self.responses.has_next()
    }

    /// Returns true if the connection waits for a request and no byte of it was received. Responses
    /// may still wait to be sent.
    #[must_use]
    pub fn awaits_request(&self) -> bool {
        self.state.recv == Receiving::Idle && self.recv.is_empty()
    }

    /// Returns true if the connection waits for more of the current request's body, and has
    /// reported everything that was received of it.
    #[must_use]
    pub fn awaits_body(&self) -> bool {
        let is_awaited = self.state.recv == Receiving::Body && !self.paused && !self.end_of_stream;
        is_awaited && self.recv.is_empty() && !self.events.any
    }

    /// Returns true if bytes were received, but not the complete PROXY header that must come first
    /// ([`Config::proxy_protocol`](crate::Config::proxy_protocol)).
    #[must_use]
    pub fn lacks_proxy_header(&self) -> bool {
        self.proxy_header == PrefaceHeader::Begun
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the time of the last input.
    #[must_use]
    pub fn now(&self) -> Now {
        self.now
    }

    /// Returns the number of requests that were accepted on this connection.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served
    }

    /// Returns the number of bytes of the stream that were parsed: after
    /// [`Event::Request`](crate::Event::Request) the offset of the end of its head, after
    /// [`Event::Data`](crate::Event::Data) of the end of the piece, after
    /// [`Event::End`](crate::Event::End) of the end of the body including trailers. A PROXY header
    /// is counted, unless it was received by [`receive_preface`](Self::receive_preface).
    #[must_use]
    pub fn position(&self) -> u64 {
        self.recv.position()
    }

    /// Returns the addresses of both ends of the connection, and whether it is secured.
    #[must_use]
    pub fn connection_info(&self) -> &ConnectionInfo {
        &self.peer
    }
}
