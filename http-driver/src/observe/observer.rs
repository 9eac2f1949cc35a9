//! The observer of a connection, for the counters and the access log of its server.

use std::fmt;
use std::sync::Arc;

use httpants_core::proxy::ProxyPolicy;
use httpants_core::{Address, CloseReason, Connection, Event, Now, ProxyHeaderError, Refusal, RequestHead};

use super::access_log::{self, AccessLog, AccessLogState};
use super::counters::{Count, Metrics};
use super::spans::Shown;

/// The metrics and logs to which all connections of a server report.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) log: Option<Arc<AccessLog>>,
    pub(crate) proxies: Arc<ProxyPolicy>,
}

/// The observer of one connection. Its only input is the events of the core.
#[derive(Debug)]
pub(crate) struct Observer {
    observed: Observed,
    /// True if the access log is enabled: it has a function or a subscriber.
    is_logged: bool,
    /// The state of the access log; `None` before there is something to log.
    log: Option<Box<AccessLogState>>,
    /// The peer that sent no valid PROXY header, until it is logged.
    proxy_header: Option<Box<(Address, ProxyHeaderFault)>>,
}

/// The reason why a required PROXY header was not accepted.
#[derive(Clone, Copy, Debug)]
enum ProxyHeaderFault {
    Malformed(ProxyHeaderError),
    /// The connection ended first.
    Incomplete(CloseReason),
}

impl fmt::Display for ProxyHeaderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(fault) => fault.fmt(f),
            Self::Incomplete(reason) => write!(f, "incomplete PROXY header: {reason}"),
        }
    }
}

impl Observed {
    pub(crate) fn new(metrics: Arc<Metrics>, log: Option<AccessLog>, proxies: Arc<ProxyPolicy>) -> Self {
        Self { metrics, log: log.map(Arc::new), proxies }
    }
}

impl Observer {
    pub(crate) fn new(observed: Observed) -> Self {
        Self { observed, is_logged: false, log: None, proxy_header: None }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.observed.metrics
    }

    #[inline]
    pub(crate) fn count(&self, count: Count, by: u64) {
        self.observed.metrics.add(count, by);
    }

    /// Prepares for events. Calls the `tracing` subscriber, which is foreign code, so no lock may
    /// be held.
    #[inline]
    pub(crate) fn begin(&mut self) {
        self.is_logged = self.observed.log.is_some() || access_log::has_subscriber();
    }

    #[inline]
    pub(crate) fn request(&mut self, request: &RequestHead) {
        self.observed.metrics.one(Count::Request);
        if self.is_logged {
            self.log.get_or_insert_default().request(request);
        }
    }

    /// Records an event other than a request. Its log lines are written by [`flush`](Self::flush).
    #[inline]
    pub(crate) fn event(&mut self, event: Event, core: &Connection, now: Now) {
        let metrics = &self.observed.metrics;
        match event {
            Event::ResponseEnd(stats) => {
                if let Some(status) = stats.status {
                    metrics.one(Count::Response(status));
                }
                if let Some(log) = &mut self.log {
                    log.response_end(stats, core.connection_info(), &self.observed.proxies, now);
                }
            }
            Event::TimedOut(timer) => metrics.one(Count::Timeout(timer)),
            Event::Upgraded(_) => metrics.one(Count::Upgrade),
            Event::Closed(reason) => {
                metrics.one(Count::Close(reason));
                if core.lacks_proxy_header() && self.proxy_header.is_none() {
                    self.note_proxy_header(core, ProxyHeaderFault::Incomplete(reason));
                }
            }
            Event::Refused(refusal) => self.refused(refusal, core),
            _ => {}
        }
    }

    #[cold]
    fn refused(&mut self, refusal: Box<Refusal>, core: &Connection) {
        self.observed.metrics.one(Count::Refusal(refusal.error()));
        if let Some(fault) = refusal.proxy_header() {
            self.note_proxy_header(core, ProxyHeaderFault::Malformed(fault));
        }
        if self.is_logged {
            self.log.get_or_insert_default().refused(refusal);
        }
    }

    #[cold]
    fn note_proxy_header(&mut self, core: &Connection, fault: ProxyHeaderFault) {
        self.proxy_header = Some(Box::new((core.connection_info().remote_addr, fault)));
    }

    /// Returns whether the heads of unfinished responses exceed the limit, so that no other request
    /// may be accepted.
    pub(crate) fn is_full(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.is_full())
    }

    /// Writes the log lines. Calls the log function, which is foreign code, so no lock may be held.
    #[inline]
    pub(crate) fn flush(&mut self) {
        if let Some(fault) = self.proxy_header.take() {
            report_proxy_header(*fault);
        }
        if let Some(log) = &mut self.log
            && log.has_records()
        {
            log.flush(self.observed.log.as_deref(), &self.observed.metrics);
        }
    }
}

#[cold]
fn report_proxy_header((peer, reason): (Address, ProxyHeaderFault)) {
    let message = "missing or invalid PROXY header; connection closed";
    tracing::info!(target: "httpants::connection", peer = %Shown(peer), %reason, "{message}");
}
