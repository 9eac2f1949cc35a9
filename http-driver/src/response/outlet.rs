//! Sending of responses to the core.

use std::task::Waker;

use bytes::Bytes;
use http::Method;
use httpants_core::{FieldLines, Misuse, Now, RequestId, RequestLimits, ResponseHead, ResponseState};

use super::error_page::{ErrorPage, ResponsePolicy};
use super::files::OpenFiles;
use super::server_error::{ServerError, ServerErrorKind};
use crate::exchange::{Exchange, Shared};
use crate::observe::report::report;
use crate::observe::{Count, Metrics};

/// The connection of a request, with the server's settings that a response needs.
pub(crate) struct Outlet<'a> {
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) request: RequestId,
    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "no response is a file"))]
    pub(crate) open_files: &'a mut OpenFiles,
    pub(crate) policy: &'a ResponsePolicy,
    pub(crate) metrics: &'a Metrics,
    /// True if the server has begun to shut down.
    pub(crate) is_draining: bool,
    /// The time when the application last ran.
    pub(crate) now: Now,
    /// The waker of the connection's task.
    pub(crate) task_waker: &'a Waker,
    /// Set to true if the request must be polled again, because what it waited for is ready.
    pub(crate) ready: &'a mut bool,
}

impl Outlet<'_> {
    /// Calls the core.
    pub(super) fn with<T>(&mut self, operation: impl FnOnce(&mut Shared) -> T) -> T {
        let now = self.now;
        let (result, task_woken) = self.exchange.with_as_task(self.task_waker, |shared| {
            shared.core.handle_time(now);
            operation(shared)
        });
        *self.ready |= task_woken;
        result
    }

    pub(super) fn state(&mut self) -> ResponseState {
        let request = self.request;
        self.with(|shared| shared.core.response_state(request))
    }

    /// Sets limits of the request; without effect if the connection has ended.
    pub(crate) fn set_request_limits(&mut self, limits: &RequestLimits) {
        let request = self.request;
        let _ = self.with(|shared| shared.core.set_request_limits(request, limits));
    }

    pub(super) fn report(&mut self, misuse: &Misuse) {
        let request = self.request;
        let responded = self.with(|shared| shared.has_responded(request));
        // An ended connection is not an error of the application. A second response is, and so is a
        // response that ended too early, although it ends the connection.
        let is_short = matches!(misuse, Misuse::TooLittleContent { .. });
        let has_ended = *misuse == Misuse::Closed || self.state() == ResponseState::Closed;
        if !responded && !is_short && has_ended {
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

    /// Refuses CONNECT with 501, because the handler returned 2xx without opening a tunnel, and a
    /// 2xx means that the tunnel is open. Scanners send CONNECT, so this must not be able to fill
    /// the log.
    #[cold]
    pub(super) fn refuse_tunnel(&mut self) {
        self.metrics.one(Count::TunnelRefused);
        let text = "CONNECT refused with 501: the handler returned 2xx without an upgrade";
        if self.metrics.is_first_refused_tunnel() {
            tracing::warn!("{text}; further ones are logged at DEBUG");
        } else {
            tracing::debug!("{text}");
        }
        self.respond_error(ServerErrorKind::Tunnel, "Not Implemented\n");
    }

    /// Handles a failed handler: sends 500 if nothing was sent, otherwise drops the connection, so
    /// that a broken response does not look complete. If the core has refused the request, its
    /// response is kept.
    #[cold]
    pub(crate) fn fail(&mut self, kind: ServerErrorKind) {
        self.respond_error(kind, "Internal Server Error\n");
    }

    fn respond_error(&mut self, kind: ServerErrorKind, text: &'static str) {
        let error = ServerError::new(kind);
        let mut head = ResponseHead::with_fields(error.status(), FieldLines::text_plain());
        let body = self.error_page(&error, &mut head).unwrap_or(Bytes::from_static(text.as_bytes()));
        let request = self.request;
        // A clone, so that the last handle of the body is dropped without the lock.
        let kept = body.clone();
        self.with(|shared| {
            if shared.core.response_state(request) == ResponseState::Expected
                && shared.core.respond_with(request, &head, body).is_ok()
            {
                return;
            }
            let _ = shared.core.abort(request);
        });
        drop(kept);
    }

    /// Asks the application for its response to an error; puts the fields into the head of the
    /// default response and returns the body. Returns `None` for the default.
    pub(super) fn error_page(&mut self, error: &ServerError, head: &mut ResponseHead) -> Option<Bytes> {
        let on_error = self.policy.on_error.as_ref()?;
        if self.state() != ResponseState::Expected {
            return None;
        }
        let id = self.request;
        let request = self.with(|shared| shared.core.current_request().cloned());
        let request = request.filter(|request| request.id() == id);
        let page = ErrorPage::of(on_error, error, request.as_ref(), self.metrics)?;
        Some(page.apply(head))
    }
}
