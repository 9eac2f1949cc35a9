//! What a connection does, for the counters and the access log of its server.

use std::sync::Arc;

use httpants_core::{Event, Now, Peer, Request as RequestHead};

use super::access_log::{self, AccessLog, AccessLogState};
use super::counters::{Count, Metrics};

/// What all connections of a server report to.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Option<Arc<AccessLog>>,
}

/// The observer of one connection: it consumes the events of the core, and nothing else.
#[derive(Debug)]
pub(crate) struct Observer {
    observed: Observed,
    /// Once there is something to log, and somebody who reads it.
    log: Option<Box<AccessLogState>>,
}

impl Observed {
    pub(crate) fn new(metrics: Arc<Metrics>, log: Option<AccessLog>) -> Self {
        Self { metrics, log: log.map(Arc::new) }
    }
}

impl Observer {
    pub(crate) fn new(observed: Observed) -> Self {
        Self { observed, log: None }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.observed.metrics
    }

    #[inline]
    pub(crate) fn count(&self, count: Count, by: u64) {
        self.observed.metrics.add(count, by);
    }

    fn is_logged(&self) -> bool {
        self.observed.log.is_some() || access_log::has_subscriber()
    }

    #[inline]
    pub(crate) fn request(&mut self, request: &RequestHead) {
        self.observed.metrics.one(Count::Request);
        if self.is_logged() {
            self.log.get_or_insert_default().request(request);
        }
    }

    /// An event that is no request. What it leads to is written by [`flush`](Self::flush).
    #[inline]
    pub(crate) fn event(&mut self, event: Event, peer: &Peer, now: Now) {
        let metrics = &self.observed.metrics;
        match event {
            Event::ResponseEnd(stats) => {
                if let Some(status) = stats.status {
                    metrics.one(Count::Answer(status));
                }
                if let Some(log) = &mut self.log {
                    log.response_end(stats, peer, now);
                }
            }
            Event::TimedOut(timer) => metrics.one(Count::Timeout(timer)),
            Event::Upgraded(_) => metrics.one(Count::Upgrade),
            Event::Closed(reason) => {
                metrics.one(Count::Close(reason));
                if let Some(log) = &mut self.log {
                    log.closed(reason);
                }
            }
            Event::Refused(refusal) => {
                metrics.one(Count::Refusal(refusal.error()));
                if self.is_logged() {
                    self.log.get_or_insert_default().refused(refusal);
                }
            }
            _ => {}
        }
    }

    /// Whether so much waits for responses to leave that no further request is to be accepted.
    pub(crate) fn is_full(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_full())
    }

    /// Writes to the log, which is foreign code: no lock is held.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if let Some(log) = &mut self.log
            && log.has_records()
        {
            log.flush(self.observed.log.as_deref(), &self.observed.metrics);
        }
    }
}
