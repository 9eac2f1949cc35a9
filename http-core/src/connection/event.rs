//! What a connection tells its caller.

use bytes::Bytes;

use crate::error::CloseReason;
use crate::message::headers::Headers;
use crate::message::request::Request;

/// What happened, from [`Connection::poll_event`](crate::Connection::poll_event).
///
/// For each request: `Request`, perhaps `Expect100`, `Data` as often as there is some, `End`.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A request head; an answer is due. Its content follows as `Data` and `End`.
    Request(Request),
    /// The client waits for `100 Continue` before it sends the content: call
    /// [`send_continue`](crate::Connection::send_continue) to get it, or answer without.
    Expect100,
    /// A piece of the request's content, never empty, as it came.
    Data(Bytes),
    /// The request is complete; the trailer fields, which are empty for most requests.
    End(Headers),
    /// There is room to send again, after [`send_room`](crate::Connection::send_room) was 0.
    Writable,
    /// The peer ended its stream while its request is being answered. It may only have
    /// closed its sending side, so the answer is still sent.
    PeerClosed,
    /// The stream is the application's now; the answer's head has left.
    /// [`take_upgrade`](crate::Connection::take_upgrade) has the bytes already read. The last event.
    Upgraded,
    /// Nothing more will be parsed, and why. The last event; bytes may still be due to be
    /// sent.
    Closed(CloseReason),
}

/// What the transport is to do, from [`Connection::poll_close`](crate::Connection::poll_close).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Close {
    /// Shut the sending side down and go on receiving: the peer gets its time to read the
    /// last answer before a reset could destroy it.
    ShutdownWrite,
    /// Close the socket.
    Now,
    /// Close the socket so that the peer sees a reset (`SO_LINGER` 0): the answer broke off
    /// where only the end of the stream could have told its end.
    Reset,
}

/// Events that are due but do not come from the bytes.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// Told when the content is asked for, if it is not refused then.
    pub(crate) expect_100: bool,
    pub(crate) end: bool,
    /// The application saw no room to send and waits for some.
    pub(crate) blocked: bool,
    /// `None` until the stream is handed over, then whether that was told.
    handed_over: Option<bool>,
    closed: Option<CloseReason>,
    told_closed: bool,
}

impl Notices {
    pub(crate) fn close(&mut self, reason: CloseReason) {
        if self.closed.is_none() {
            self.closed = Some(reason);
        }
    }

    pub(crate) fn hand_over(&mut self) {
        self.handed_over.get_or_insert(false);
    }

    /// What belongs to a request that is over is not told any more.
    pub(crate) fn forget_request(&mut self) {
        self.expect_100 = false;
        self.end = false;
        self.blocked = false;
    }

    /// The next one; that there is room to send only while there is.
    pub(crate) fn next(&mut self, has_room: bool) -> Option<Event> {
        if let Some(reason) = self.closed {
            let told = std::mem::replace(&mut self.told_closed, true);
            return (!told).then_some(Event::Closed(reason));
        }
        let take = std::mem::take::<bool>;
        if take(&mut self.end) {
            return Some(Event::End(Headers::default()));
        }
        if let Some(told @ false) = &mut self.handed_over {
            *told = true;
            return Some(Event::Upgraded);
        }
        if self.is_writable(has_room) {
            self.blocked = false;
            return Some(Event::Writable);
        }
        None
    }

    /// A stream that was handed over takes no content of an answer.
    fn is_writable(&self, has_room: bool) -> bool {
        self.blocked && has_room && self.handed_over.is_none()
    }

    /// Whether [`next`](Self::next) has something to tell.
    pub(crate) fn is_due(&self, has_room: bool) -> bool {
        match self.closed {
            Some(_) => !self.told_closed,
            None => self.end || self.handed_over == Some(false) || self.is_writable(has_room),
        }
    }
}
