//! Sending of responses to the core.

use std::task::Waker;

use http::{Method, StatusCode};
use httpants_core::{FieldLines, Misuse, Now, RequestId, ResponseHead, ResponseState};

use super::Compression;
use super::files::{FilePolicy, OpenFiles};
use crate::exchange::{Exchange, Shared};
use crate::observe::report::report;
use crate::observe::{Count, Metrics};

/// The connection of a request, with what a response needs of its server.
pub(crate) struct Outlet<'a> {
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) request: RequestId,
    pub(crate) open_files: &'a mut OpenFiles,
    pub(crate) file_policy: &'a FilePolicy,
    pub(crate) compression: Option<&'a Compression>,
    pub(crate) metrics: &'a Metrics,
    /// The server has begun to shut down.
    pub(crate) is_draining: bool,
    /// The time when the application last ran.
    pub(crate) now: Now,
    /// The waker of the connection's task.
    pub(crate) own: &'a Waker,
    /// The request must be polled again, because what it waited for is ready.
    pub(crate) ready: &'a mut bool,
}

impl Outlet<'_> {
    /// Calls the core.
    pub(super) fn with<T>(&mut self, operation: impl FnOnce(&mut Shared) -> T) -> T {
        let now = self.now;
        let (result, own_woken) = self.exchange.with_own(self.own, |shared| {
            shared.core.handle_time(now);
            operation(shared)
        });
        *self.ready |= own_woken;
        result
    }

    pub(super) fn state(&mut self) -> ResponseState {
        let request = self.request;
        self.with(|shared| shared.core.response_state(request))
    }

    pub(super) fn report(&mut self, misuse: &Misuse) {
        let request = self.request;
        let responded = self.with(|shared| shared.has_responded(request));
        // An ended connection is not an error of the application; a second response is.
        if !responded && (*misuse == Misuse::Closed || self.state() == ResponseState::Closed) {
            tracing::debug!(%misuse, "the connection ended before its response");
        } else {
            report!("cannot send a response", misuse);
        }
    }

    /// Returns whether the response to a CONNECT request is still expected.
    pub(super) fn is_tunnel_expected(&mut self) -> bool {
        let request = self.request;
        self.with(|shared| {
            let is_connect = shared.core.current_request().is_some_and(|request| *request.method() == Method::CONNECT);
            is_connect && shared.core.response_state(request) == ResponseState::Expected
        })
    }

    /// Refuses CONNECT with 501, because the handler returned 2xx without opening a tunnel, which a
    /// 2xx would promise. Scanners send CONNECT, so this must not fill the log.
    pub(super) fn refuse_tunnel(&mut self) {
        self.metrics.one(Count::TunnelRefused);
        let text = "CONNECT refused with 501: the handler returned 2xx without an upgrade";
        if self.metrics.is_first_refused_tunnel() {
            tracing::warn!("{text}; further ones are logged at DEBUG");
        } else {
            tracing::debug!("{text}");
        }
        self.respond_text(StatusCode::NOT_IMPLEMENTED, "Not Implemented\n");
    }

    /// Handles a failed handler: sends 500 if nothing was sent, otherwise drops the connection, so
    /// that a broken response does not look complete. A refusal by the core stays.
    pub(crate) fn fail(&mut self) {
        self.respond_text(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error\n");
    }

    fn respond_text(&mut self, status: StatusCode, text: &'static str) {
        let request = self.request;
        self.with(|shared| {
            if shared.core.response_state(request) == ResponseState::Expected {
                let head = ResponseHead::with_fields(status, FieldLines::text_plain());
                if shared.core.respond_with(request, &head, text).is_ok() {
                    return;
                }
            }
            let _ = shared.core.abort(request);
        });
    }
}
