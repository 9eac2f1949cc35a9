//! What was answered and how much of it has left: what logs and counters ask.

use http::StatusCode;

use super::Connection;

/// The last final answer that was begun, by the application or, where it refused a request,
/// by the core; from [`Connection::answered`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// Bytes of content queued so far, without the framing of chunks: what the client will
    /// have once everything has left. 0 for HEAD, 204 and 304.
    pub content: u64,
    /// Whether its end was queued: it did not break off.
    pub whole: bool,
}

/// The answers of a connection, and the bytes that have left.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) last: Answered,
    pub(super) answers: u64,
    pub(super) sent: u64,
    /// Bytes that waited when the connection broke.
    pub(super) dropped: u64,
}

impl Account {
    pub(super) const NEW: Self =
        Self { last: Answered { status: StatusCode::OK, content: 0, whole: false }, answers: 0, sent: 0, dropped: 0 };

    pub(super) fn begin(&mut self, status: StatusCode) {
        self.answers += 1;
        self.last = Answered { status, content: 0, whole: false };
    }
}

/// See: what was answered.
impl Connection {
    /// The last final answer that was begun; `None` before the first. The next one is not
    /// begun before the next [`Event::Request`](super::Event::Request) was told, so whoever
    /// looks then and at the end misses none.
    #[must_use]
    pub fn answered(&self) -> Option<Answered> {
        (self.account.answers > 0).then_some(self.account.last)
    }

    /// How many final answers were begun, those of the core included.
    #[must_use]
    pub fn answers(&self) -> u64 {
        self.account.answers
    }

    /// How many bytes have left, heads and framing included.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.account.sent
    }

    /// How many bytes were queued and have not left; once the connection has failed, those
    /// that never will.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.account.dropped.saturating_add(self.send.len())
    }
}
