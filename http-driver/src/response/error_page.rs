//! Error responses created by the application.

use std::fmt;
use std::task::Waker;

use bytes::Bytes;
use httpants_core::{FieldLines, RefusalResponse, RequestHead, ResponseHead};

use super::compression::Compression;
use super::files::FilePolicy;
use super::server_error::ServerError;
use super::{Content, Response};
use crate::exchange::Exchange;
use crate::observe::report::report;
use crate::observe::{Metrics, guard};

/// The application's function. If it returns `None`, the default response is sent.
pub(crate) type OnError = Box<dyn Fn(&ServerError, Option<&RequestHead>) -> Option<Response> + Send + Sync>;

/// The settings of a server for its responses.
#[derive(Default)]
pub(crate) struct ResponsePolicy {
    pub(crate) files: FilePolicy,
    pub(crate) compression: Option<Compression>,
    pub(crate) on_error: Option<OnError>,
}

impl fmt::Debug for ResponsePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponsePolicy").field("files", &self.files).finish_non_exhaustive()
    }
}

/// The fields and the body that the application sets for a response whose status and framing the
/// server sets.
pub(crate) struct ErrorPage {
    fields: FieldLines,
    body: Bytes,
}

impl ErrorPage {
    /// Calls the application's function; no lock may be held. Returns `None`, for the default
    /// response, if the function returns that, panics, or returns a response that cannot be used.
    pub(crate) fn of(
        on_error: &OnError,
        error: &ServerError,
        request: Option<&RequestHead>,
        metrics: &Metrics,
    ) -> Option<Self> {
        let Response { head, content, misuse } = guard(metrics, "on_error", || on_error(error, request)).ok()??;
        let body = match content {
            Content::Whole(body) => body,
            Content::Error(own) => own.text,
            content => {
                let _ = guard(metrics, "drop of a response body", || drop(content));
                report!("on_error returned a response without a whole body; the default is sent");
                return None;
            }
        };
        match misuse.map_or_else(|| head.fields.check_reserved(body.len() as u64), Err) {
            Ok(()) => Some(Self { fields: head.fields, body }),
            Err(misuse) => {
                let _ = guard(metrics, "drop of a response body", || drop(body));
                report!("on_error returned a response that cannot be sent; the default is sent", misuse);
                None
            }
        }
    }

    /// Replaces the fields in the head of a default response; returns the body. Fields that belong
    /// to the error, such as `Allow` and `Content-Range`, are kept unless the page sets them.
    pub(crate) fn apply(self, head: &mut ResponseHead) -> Bytes {
        head.fields.remove("Content-Type");
        for (name, _) in &self.fields {
            head.fields.remove(name);
        }
        head.fields.append(&self.fields);
        self.body
    }
}

/// Replaces the response to a refused peer by that of the application, if there is one. Returns
/// true if the connection's task must run again.
#[cold]
pub(crate) fn replace_refusal(
    on_error: &OnError,
    refusal: &RefusalResponse,
    exchange: &mut Exchange,
    task_waker: &Waker,
    metrics: &Metrics,
) -> bool {
    let error = ServerError::from(refusal);
    let Some(page) = ErrorPage::of(on_error, &error, refusal.request(), metrics) else { return false };
    // A clone, so that the last handle of the body is dropped without the lock.
    let body = page.body.clone();
    let (replaced, task_woken) =
        exchange.with_as_task(task_waker, |shared| shared.core.replace_refusal(&page.fields, body));
    if let Err(misuse) = replaced {
        tracing::debug!(%misuse, "the connection ended before its response");
    }
    task_woken
}
