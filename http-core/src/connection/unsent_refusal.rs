//! The response to a refused peer, which the caller may replace until part of it is sent.

use http::StatusCode;

use super::events::CloseReason;
use super::refusal::Refusal;
use crate::message::request::RequestHead;

/// A response that the connection made itself because a peer was refused or the application did not
/// respond in time, from [`Connection::poll_refusal`](crate::Connection::poll_refusal).
#[derive(Clone, Debug)]
pub struct RefusalResponse {
    pub(super) status: StatusCode,
    pub(super) reason: CloseReason,
    pub(super) refusal: Option<Refusal>,
    pub(super) request: Option<RequestHead>,
}

impl RefusalResponse {
    /// Returns the status, which stays the same if the response is replaced.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the reason why the connection closes after the response: [`CloseReason::Refused`]
    /// for an error of the peer, [`CloseReason::TimedOut`] for an application that did not respond
    /// in time, [`CloseReason::Overloaded`] or [`CloseReason::AddressLimit`] for too many
    /// connections.
    #[must_use]
    pub fn reason(&self) -> CloseReason {
        self.reason
    }

    /// Returns the details of the refusal, if input of the peer was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Returns the head of the request that it responds to, if that was accepted.
    #[must_use]
    pub fn request(&self) -> Option<&RequestHead> {
        self.request.as_ref()
    }
}

/// The properties of the response to a refused peer that stay the same if it is replaced.
#[derive(Clone, Copy, Debug)]
pub(super) struct RefusalFrame {
    pub(super) status: StatusCode,
    pub(super) http_1_0: bool,
    pub(super) head_only: bool,
}

/// The response to a refused peer, queued after all others.
#[derive(Debug)]
pub(super) struct UnsentRefusal {
    pub(super) frame: RefusalFrame,
    /// Number of its bytes in the queue.
    pub(super) length: u64,
    /// The response, until it is returned by `poll_refusal`.
    pub(super) response: Option<RefusalResponse>,
}
