//! Where the response to a request goes.

use std::task::Waker;

use http::{Method, StatusCode};
use httpants_core::{FieldLines, Misuse, Now, RequestId, ResponseHead, ResponseState};

use super::files::{FilePolicy, OpenFiles};
use crate::exchange::{Exchange, Shared};
use crate::observe::report::report;
use crate::observe::{Count, Metrics};

/// Where responses go: the connection of a request, and what it needs of its server.
pub(crate) struct Outlet<'a> {
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) request: RequestId,
    pub(crate) open_files: &'a mut OpenFiles,
    pub(crate) file_policy: &'a FilePolicy,
    pub(crate) metrics: &'a Metrics,
    /// As of when the application last ran.
    pub(crate) now: Now,
    /// The waker of the connection's task.
    pub(crate) own: &'a Waker,
    /// Whether the request is to be polled again, because what it waited for is there.
    pub(crate) ready: &'a mut bool,
}

impl Outlet<'_> {
    /// A call to the core.
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
        // The peer's doing is no error of the application; a second response is.
        if !responded && (*misuse == Misuse::Closed || self.state() == ResponseState::Closed) {
            tracing::debug!(%misuse, "the connection ended before its response");
        } else {
            report!("a response could not be sent", misuse);
        }
    }

    /// Whether the response to CONNECT is still to come.
    pub(super) fn is_tunnel_expected(&mut self) -> bool {
        let request = self.request;
        self.with(|shared| {
            let is_connect = shared.core.current_request().is_some_and(|request| *request.method() == Method::CONNECT);
            is_connect && shared.core.response_state(request) == ResponseState::Expected
        })
    }

    /// A handler that opens no tunnel responded to CONNECT as to any other method: 501, because
    /// a 2xx would promise a tunnel. Scanners send CONNECT, so they must not fill the log.
    pub(super) fn refuse_tunnel(&mut self) {
        self.metrics.one(Count::TunnelRefused);
        let text = "refused CONNECT: the handler responded with 2xx and opened no tunnel";
        if self.metrics.is_first_refused_tunnel() {
            tracing::warn!("{text}; further ones are logged at DEBUG");
        } else {
            tracing::debug!("{text}");
        }
        self.respond_text(StatusCode::NOT_IMPLEMENTED, "Not Implemented\n");
    }

    /// The handler failed: 500 where nothing was sent, else the connection is dropped, so that
    /// no broken response looks whole. Where the core refused the request already, that stands.
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
