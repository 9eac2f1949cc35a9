//! The events that a connection reports to its caller.

use core::fmt;

use bytes::Bytes;
use http::StatusCode;

use super::refusal::Refusal;
use super::timers::Timer;
use crate::message::headers::Headers;
use crate::message::request::{RequestHead, RequestId};
use crate::wire::error::ProtocolError;

/// An event of a connection, from [`Connection::poll_event`](crate::Connection::poll_event).
///
/// The events of a request are: `Request`; if it has a body, possibly `Expect100`, then any number
/// of `Data`, and `End`; and one `ResponseEnd` when its response was sent or has failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The PROXY header was accepted, and [`connection_info`](crate::Connection::connection_info)
    /// returns its addresses. The first event of a connection with
    /// [`Config::proxy_protocol`](crate::Config::proxy_protocol).
    ProxyHeader,
    /// A request head was received; a response is expected. If
    /// [`has_body`](crate::RequestHead::has_body) returns true, the body follows as `Data` and
    /// `End`.
    Request(RequestHead),
    /// The client waits for `100 Continue` before it sends the body. Call
    /// [`send_continue`](crate::Connection::send_continue) to receive the body, or respond without
    /// it.
    Expect100(RequestId),
    /// A piece of the request's body, never empty: a slice of the receive buffer, without a copy.
    /// However short it is, it prevents that whole buffer
    /// ([`storage_size`](crate::Connection::storage_size), up to
    /// [`Limits::body_buffer`](crate::Limits::body_buffer) or more) from being reused or freed, and
    /// the connection allocates another one for the bytes that follow. A peer may send single
    /// bytes, so copy pieces that are kept for long (`Bytes::copy_from_slice(&piece)`, or into a
    /// growing buffer) and drop the originals; this is worthwhile for pieces shorter than half of
    /// the buffer. The driver does so.
    Data(RequestId, Bytes),
    /// The body is complete. Contains the trailer fields, which are empty for most requests.
    End(RequestId, Headers),
    /// More of the response can be queued, after
    /// [`poll_send_room`](crate::Connection::poll_send_room) returned 0.
    Writable(RequestId),
    /// The peer ended its stream while the response to its request is outstanding. It may have
    /// closed only its sending side, so the response is still sent. Not emitted with
    /// [`HalfClose::Drop`](crate::HalfClose::Drop), which closes the connection instead.
    PeerClosed(RequestId),
    /// The head of the response that ends HTTP was sent, and the stream belongs to the application.
    /// [`take_upgrade`](crate::Connection::take_upgrade) returns the bytes that were already read.
    Upgraded(RequestId),
    /// The last byte of a response was sent, or the response has failed. Emitted once for each
    /// request, and for each response to input that was not a request.
    ResponseEnd(ResponseStats),
    /// A deadline has passed.
    TimedOut(Timer),
    /// Input of the peer was refused; [`Closed`](Self::Closed) follows.
    Refused(Box<Refusal>),
    /// No further input will be parsed, for this reason. Bytes may still wait to be sent, so
    /// [`ResponseEnd`](Self::ResponseEnd), and [`TimedOut`](Self::TimedOut) with [`Timer::Write`]
    /// or [`Timer::Linger`], can follow.
    Closed(CloseReason),
}

/// The result of sending a response, from [`Event::ResponseEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseStats {
    /// The request that the response belongs to; `None` for the refusal of input that was not a
    /// request.
    pub request: Option<RequestId>,
    /// The status of the response; `None` if the connection ended before a response had begun.
    pub status: Option<StatusCode>,
    /// Number of bytes of the body that were sent, without chunk framing. If a chunked response
    /// broke off, unsent framing is counted as unsent body, so that the number is never too large.
    pub body_bytes: u64,
    /// True if the complete response was sent.
    pub complete: bool,
}

/// The reason why a connection ended, reported once in [`Event::Closed`](crate::Event::Closed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The last response was sent and the connection is not kept alive.
    Finished,
    /// The peer ended the stream between requests, while the rest of a body was dropped, or with
    /// [`HalfClose::Drop`](crate::HalfClose::Drop) at any time.
    PeerClosed,
    /// The peer ended the stream inside a head or a body.
    Truncated,
    /// A request was refused.
    Refused(ProtocolError),
    /// A timer expired, other than those that refuse a request with 408.
    TimedOut(Timer),
    /// The TLS handshake failed, or the peer ended the stream during it.
    HandshakeFailed,
    /// The server is shutting down.
    Shutdown,
    /// The server has too many connections
    /// ([`refuse_overloaded`](crate::Connection::refuse_overloaded)).
    Overloaded,
    /// The peer's address has too many connections
    /// ([`refuse_address`](crate::Connection::refuse_address)).
    AddressLimit,
    /// The application aborted a response, finished one before the end of its Content-Length, or
    /// closed the connection ([`close`](crate::Connection::close)).
    Aborted,
    /// The transport failed.
    IoError,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("the last response was sent"),
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::Truncated => f.write_str("the peer closed inside a request"),
            Self::Refused(fault) => write!(f, "refused: {fault}"),
            Self::TimedOut(timer) => write!(f, "timed out: {timer}"),
            Self::HandshakeFailed => f.write_str("the handshake of the transport failed"),
            Self::Shutdown => f.write_str("the server shuts down"),
            Self::Overloaded => f.write_str("the server has too many connections"),
            Self::AddressLimit => f.write_str("the address has too many connections"),
            Self::Aborted => f.write_str("the application aborted the response"),
            Self::IoError => f.write_str("the transport failed"),
        }
    }
}

/// An instruction to shut down or close the transport, from
/// [`Connection::poll_close`](crate::Connection::poll_close).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// Shut down the sending side and continue to receive, so that the peer has time to read the
    /// last response before a reset could destroy it.
    ShutdownWrite,
    /// Close the socket.
    Now,
    /// Close the socket so that the peer sees a reset (`SO_LINGER` 0): a response that ends with
    /// the connection broke off, or the client had ended its stream and accepted nothing more.
    Reset,
}

/// Events that were not emitted yet and do not result from parsing.
#[derive(Debug, Default)]
pub(crate) struct PendingEvents {
    /// True if one of the events below, other than `expect_100`, may be pending.
    pub(crate) any: bool,
    proxy_header: bool,
    timed_out: Option<Timer>,
    /// A timer that expired after the connection was closed, possibly by `timed_out`.
    timed_out_closed: Option<Timer>,
    refused: Option<Box<Refusal>>,
    /// True if the client waits for `100 Continue`, until the body is asked for; then the event is
    /// emitted or the body is refused.
    pub(crate) expect_100: bool,
    end: bool,
    /// True if the application found no room to send and waits for it.
    blocked: bool,
    /// `None` until the stream is handed over, then true once the event was emitted.
    upgraded: Option<bool>,
    closed: Option<CloseReason>,
    closed_emitted: bool,
}

impl PendingEvents {
    pub(crate) fn close(&mut self, reason: CloseReason) {
        self.any = true;
        self.closed.get_or_insert(reason);
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.any = true;
        self.refused = Some(Box::new(refusal));
    }

    pub(crate) fn accept_proxy_header(&mut self) {
        self.any = true;
        self.proxy_header = true;
    }

    pub(crate) fn has_refusal(&self) -> bool {
        self.refused.is_some()
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refused.as_deref()
    }

    /// Records that the body is complete and has no trailers.
    pub(crate) fn end(&mut self) {
        self.any = true;
        self.end = true;
    }

    /// Records whether the application waits for room to send.
    pub(crate) fn block(&mut self, blocked: bool) {
        self.any |= blocked;
        self.blocked = blocked;
    }

    pub(crate) fn time_out(&mut self, timer: Timer) {
        self.any = true;
        let slot = if self.is_closed() { &mut self.timed_out_closed } else { &mut self.timed_out };
        *slot = Some(timer);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    pub(crate) fn upgrade(&mut self) {
        self.any = true;
        self.upgraded.get_or_insert(false);
    }

    /// Clears the events of a request that has ended.
    pub(crate) fn forget_request(&mut self) {
        self.expect_100 = false;
        self.end = false;
        self.blocked = false;
    }

    /// Returns the next event. `id` is the current request; `Writable` is returned only if
    /// `has_room` is true.
    #[inline(never)]
    pub(crate) fn next(&mut self, id: RequestId, has_room: bool) -> Option<Event> {
        if core::mem::take(&mut self.proxy_header) {
            return Some(Event::ProxyHeader);
        }
        if let Some(timer) = self.timed_out.take() {
            return Some(Event::TimedOut(timer));
        }
        if let Some(refusal) = self.refused.take() {
            return Some(Event::Refused(refusal));
        }
        if let Some(reason) = self.closed {
            if core::mem::replace(&mut self.closed_emitted, true) {
                self.any = false;
                return self.timed_out_closed.take().map(Event::TimedOut);
            }
            return Some(Event::Closed(reason));
        }
        if core::mem::take(&mut self.end) {
            return Some(Event::End(id, Headers::default()));
        }
        if let Some(emitted @ false) = &mut self.upgraded {
            *emitted = true;
            return Some(Event::Upgraded(id));
        }
        // After the stream was handed over, no body of a response is sent.
        self.any = self.blocked && self.upgraded.is_none();
        if self.any && has_room {
            self.blocked = false;
            return Some(Event::Writable(id));
        }
        None
    }
}
