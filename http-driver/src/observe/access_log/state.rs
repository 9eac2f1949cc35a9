//! The requests of one connection whose responses have not ended, and records to log.

use std::collections::VecDeque;

use httpants_core::proxy::ProxyPolicy;
use httpants_core::{ConnectionInfo, Now, Refusal, RequestHead, ResponseStats};

use super::line::{LoggedRequest, Record};
use super::{AccessLog, emit, has_subscriber};
use crate::observe::{Metrics, guard};

/// Maximum number of bytes of heads kept for responses that were not sent yet; above it, no further
/// request is accepted.
const KEPT: usize = 64 << 10;

#[derive(Debug, Default)]
pub(crate) struct AccessLogState {
    /// The requests in order, except those accepted before the log was enabled.
    requests: VecDeque<RequestHead>,
    kept: usize,
    /// The refusal; there is at most one, because it is the last response of a connection.
    refusal: Option<Box<Refusal>>,
    records: Vec<Record>,
}

impl AccessLogState {
    pub(crate) fn request(&mut self, request: &RequestHead) {
        self.kept += request.as_bytes().len();
        self.requests.push_back(request.clone());
    }

    pub(crate) fn refused(&mut self, refusal: Box<Refusal>) {
        self.refusal = Some(refusal);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.kept > KEPT
    }

    pub(crate) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    pub(crate) fn response_end(
        &mut self,
        stats: ResponseStats,
        peer: &ConnectionInfo,
        proxies: &ProxyPolicy,
        now: Now,
    ) {
        let refused = self.refusal.as_ref().filter(|refusal| refusal.request() == stats.request);
        let refused = refused.map(|refusal| refusal.error());
        let request = match stats.request {
            Some(id) => {
                if self.requests.front().is_none_or(|first| first.id() != id) {
                    return;
                }
                let Some(request) = self.requests.pop_front() else { return };
                self.kept = self.kept.saturating_sub(request.as_bytes().len());
                LoggedRequest::Request(request)
            }
            None => match self.refusal.take() {
                Some(refusal) => LoggedRequest::Refused(refusal),
                None => LoggedRequest::Unknown,
            },
        };
        let (received, remote_ip) = match &request {
            LoggedRequest::Request(request) => (request.received(), proxies.client(request).remote_ip()),
            _ => (now, peer.remote_addr.ip()),
        };
        let is_request = matches!(request, LoggedRequest::Request(_));
        self.records.push(Record {
            request,
            remote_ip,
            received: received.wall,
            status: stats.status,
            bytes: stats.body_bytes,
            complete: stats.complete,
            duration: is_request.then(|| now.mono.saturating_sub(received.mono)),
            refused,
        });
    }

    /// Writes the records. If the log function panics, only that line is lost.
    pub(crate) fn flush(&mut self, log: Option<&AccessLog>, metrics: &Metrics) {
        for record in self.records.drain(..) {
            if let Some(log) = log {
                let _ = guard(metrics, "access log", || log.write(&record));
            }
            if has_subscriber() {
                emit(&record);
            }
        }
    }
}
