//! The response to a refused peer, which the caller may replace until some of it has left.

use http::StatusCode;

use super::events::CloseReason;
use super::refusal::Refusal;
use crate::message::request::RequestHead;

/// A response that the connection made itself, from
/// [`Connection::poll_refusal`](crate::Connection::poll_refusal): a peer was refused, or the
/// application was too late.
#[derive(Clone, Debug)]
pub struct RefusalResponse {
    pub(super) status: StatusCode,
    pub(super) reason: CloseReason,
    pub(super) refusal: Option<Refusal>,
    pub(super) request: Option<RequestHead>,
}

impl RefusalResponse {
    /// Returns its status, which stays where the response is replaced.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns why the connection closes behind it: [`CloseReason::Refused`] for what the peer did,
    /// [`CloseReason::TimedOut`] for an application that was too late.
    #[must_use]
    pub fn reason(&self) -> CloseReason {
        self.reason
    }

    /// Returns what was read of the peer, where it was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Returns the head of the request that it responds to, where that was accepted.
    #[must_use]
    pub fn request(&self) -> Option<&RequestHead> {
        self.request.as_ref()
    }
}

/// What of the response to a refused peer stays, whatever its fields and body are.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusalFrame {
    pub(super) status: StatusCode,
    pub(super) http_1_0: bool,
    pub(super) head_only: bool,
}

/// The response to a refused peer as it is queued, behind all others.
#[derive(Debug)]
pub(super) struct UnsentRefusal {
    pub(super) frame: RefusalFrame,
    /// Its bytes in the queue.
    pub(super) length: u64,
    /// Until it was returned.
    pub(super) response: Option<RefusalResponse>,
}
