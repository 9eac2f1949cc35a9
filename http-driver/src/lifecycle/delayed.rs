//! Shutdowns that begin after a delay.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// The requests for a delayed shutdown, from any thread. The accept loops, which have a clock,
/// start the shutdown.
#[derive(Debug)]
pub(crate) struct DelayedShutdowns {
    count: AtomicUsize,
    /// The shortest delay and the shortest grace of all requests, in milliseconds.
    delay: AtomicU64,
    grace: AtomicU64,
}

impl Default for DelayedShutdowns {
    fn default() -> Self {
        Self { count: AtomicUsize::default(), delay: AtomicU64::new(u64::MAX), grace: AtomicU64::new(u64::MAX) }
    }
}

impl DelayedShutdowns {
    pub(crate) fn request(&self, delay: Duration, grace: Duration) {
        self.delay.fetch_min(milliseconds(delay), Ordering::AcqRel);
        self.grace.fetch_min(milliseconds(grace), Ordering::AcqRel);
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Returns the number of requests.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Returns the shortest delay of all requests.
    pub(crate) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay.load(Ordering::Acquire))
    }

    /// Returns the shortest grace of all requests.
    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace.load(Ordering::Acquire))
    }
}

pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
