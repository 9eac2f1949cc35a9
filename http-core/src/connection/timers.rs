//! The named timers.

use std::fmt;
use std::time::Duration;

/// Why a deadline stands, so that logs, counters and tests can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// No byte since the connection was accepted: it is closed.
    Accept,
    /// A head is not complete in time: 408.
    Head,
    /// No new request on a connection kept alive: it is closed.
    Idle,
    /// No byte of a body: 408.
    Body,
    /// A body slower than the lowest rate: 408.
    BodyRate,
    /// No progress in sending: the connection is dropped.
    Write,
    /// The peer did not end its stream after the last answer: the connection is closed.
    Linger,
    /// The application has not answered in time: 503.
    Handler,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept => "accept",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Body => "body",
            Self::BodyRate => "body rate",
            Self::Write => "write",
            Self::Linger => "linger",
            Self::Handler => "handler",
        })
    }
}

/// When [`handle_timeout`](crate::Connection::handle_timeout) is due, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// The moment, on the caller's monotonic clock ([`Now::mono`](crate::Now::mono)).
    pub at: Duration,
    /// What happens then.
    pub why: Timer,
}
