//! What a connection reports to its caller.

use core::fmt;

use bytes::Bytes;
use http::StatusCode;

use super::refusal::Refusal;
use super::timers::Timer;
use crate::message::headers::Headers;
use crate::message::request::{RequestHead, RequestId};
use crate::wire::error::ProtocolError;

/// A thing that happened, from [`Connection::poll_event`](crate::Connection::poll_event).
///
/// For each request: `Request`; where it has a body, perhaps `Expect100`, then `Data` any
/// number of times, and `End`; and one `ResponseEnd` when its response has left or never will.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The PROXY header was accepted:
    /// [`connection_info`](crate::Connection::connection_info) has the addresses that it names. The
    /// first event of a connection with
    /// [`Config::proxy_protocol`](crate::Config::proxy_protocol).
    ProxyHeader,
    /// A request head; a response is expected. Where
    /// [`has_body`](crate::RequestHead::has_body) says so, its body follows as `Data` and `End`.
    Request(RequestHead),
    /// The client waits for `100 Continue` before it sends the body: call
    /// [`send_continue`](crate::Connection::send_continue) to get it, or respond without.
    Expect100(RequestId),
    /// A piece of the request's body, never empty, as it was received: a slice of the receive
    /// buffer, without a copy. However short it is, it keeps that whole buffer
    /// ([`storage_size`](crate::Connection::storage_size), up to
    /// [`Limits::body_buffer`](crate::Limits::body_buffer) or more) from being used again or freed,
    /// and the connection takes another one for what it receives next. A peer may send single
    /// bytes, so copy what is kept for long (`Bytes::copy_from_slice(&piece)`, or into a buffer
    /// that grows), and drop the piece; that pays off for pieces under half of the buffer. The
    /// driver does so.
    Data(RequestId, Bytes),
    /// The body is complete; the trailer fields, which are empty for most requests.
    End(RequestId, Headers),
    /// There is room to send again, after [`poll_send_room`](crate::Connection::poll_send_room) was 0.
    Writable(RequestId),
    /// The peer ended its stream while the response to its request is outstanding. It may only
    /// have closed its sending side, so the response is still sent, unless
    /// [`Config::half_close`](crate::Config::half_close) says otherwise.
    PeerClosed(RequestId),
    /// The stream is the application's now; the response's head has left.
    /// [`take_upgrade`](crate::Connection::take_upgrade) has the bytes already read.
    Upgraded(RequestId),
    /// A response has left with its last byte, or never will: one event for each request, and
    /// for each response to something that was no request.
    ResponseEnd(ResponseStats),
    /// A deadline has passed.
    TimedOut(Timer),
    /// The peer was refused; [`Closed`](Self::Closed) follows.
    Refused(Box<Refusal>),
    /// Nothing more will be parsed, and why. Only [`ResponseEnd`](Self::ResponseEnd) can follow,
    /// because bytes may still wait to be sent, and [`TimedOut`](Self::TimedOut) with
    /// [`Timer::Write`] or [`Timer::Linger`].
    Closed(CloseReason),
}

/// The end of a response, from [`Event::ResponseEnd`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseStats {
    /// The request that it belongs to; `None` for the refusal of something that was no request.
    pub request: Option<RequestId>,
    /// Its status; `None` where the connection ended before a response had begun.
    pub status: Option<StatusCode>,
    /// Bytes of the body that have left, without the framing of chunks. Of a chunked response
    /// that broke off, framing that has not left counts as body that has not, so that the number
    /// is never too large.
    pub body_bytes: u64,
    /// Whether all of the response has left.
    pub complete: bool,
}

/// The reason why a connection ended, reported once by [`Event::Closed`](crate::Event::Closed).
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
    /// A timer ran out, other than those that refuse a request with 408.
    TimedOut(Timer),
    /// The handshake that was to secure the transport failed, or the peer ended the stream
    /// during it.
    HandshakeFailed,
    /// The server shuts down.
    Shutdown,
    /// The server has too many connections
    /// ([`refuse_overloaded`](crate::Connection::refuse_overloaded)).
    Overloaded,
    /// The address of the peer has too many connections
    /// ([`refuse_address`](crate::Connection::refuse_address)).
    AddressLimit,
    /// The application aborted, or ended a response before its Content-Length.
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

/// The way to end the transport, from [`Connection::poll_close`](crate::Connection::poll_close).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// Shut the sending side down and go on receiving: the peer gets its time to read the
    /// last response before a reset could destroy it.
    ShutdownWrite,
    /// Close the socket.
    Now,
    /// Close the socket so that the peer sees a reset (`SO_LINGER` 0): the response broke off
    /// where only the end of the stream could have marked its end, or its client had ended its
    /// stream and accepted nothing more.
    Reset,
}

/// Events that do not come from parsing, until they are emitted.
#[derive(Debug, Default)]
pub(crate) struct PendingEvents {
    /// Whether one of those below may be there, but for `expect_100`.
    pub(crate) any: bool,
    proxy_header: bool,
    timed_out: Option<Timer>,
    /// One that fired when the connection was closed already, because of the first perhaps.
    timed_out_closed: Option<Timer>,
    refused: Option<Box<Refusal>>,
    /// Emitted when the body is asked for, if it is not refused then.
    pub(crate) expect_100: bool,
    end: bool,
    /// The application saw no room to send and waits for some.
    blocked: bool,
    /// `None` until the stream is handed over, then whether that was emitted.
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

    /// The body is complete, and has no trailers.
    pub(crate) fn end(&mut self) {
        self.any = true;
        self.end = true;
    }

    /// Whether the application waits for room to send.
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

    /// Forgets what belongs to a request that is over.
    pub(crate) fn forget_request(&mut self) {
        self.expect_100 = false;
        self.end = false;
        self.blocked = false;
    }

    /// The next event of the current request `id`; that there is room to send only while there is.
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
        // A stream that was handed over takes no body of a response.
        self.any = self.blocked && self.upgraded.is_none();
        if self.any && has_room {
            self.blocked = false;
            return Some(Event::Writable(id));
        }
        None
    }
}
