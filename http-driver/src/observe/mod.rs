//! Observability: counters, spans, the access log.

pub(crate) mod access_log;
mod counters;
mod counts;
mod escaped;
mod observer;
mod panics;
pub(crate) mod report;
pub(crate) mod spans;

pub use self::counters::{CloseCounts, Counters, ResponseCounts};
pub(crate) use self::counters::{Count, Metrics};
pub use self::counts::{CountsIter, RefusalCounts, TimerCounts};
pub(crate) use self::observer::{Observed, Observer};
#[cfg(feature = "async-io")]
pub(crate) use self::panics::discard;
pub(crate) use self::panics::{Panicked, guard};
