//! The means to stop a server, and to see what it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::counters::{Counters, Tally};
use crate::observer::Observed;
use crate::registry::{Order, Registry};

/// Stops a server; clones are as good as the first.
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) registry: Arc<Registry>,
    /// How long connections may take to finish, in milliseconds.
    grace: Arc<AtomicU64>,
    pub(crate) tally: Arc<Tally>,
}

impl Handle {
    pub(crate) fn new(observed: &Observed) -> Self {
        Self { registry: Arc::default(), grace: Arc::default(), tally: Arc::clone(&observed.tally) }
    }

    /// Stops listening and lets running requests finish: idle connections close at once,
    /// answers say `Connection: close`, and what runs longer than `grace` is dropped.
    pub fn shutdown(&self, grace: Duration) {
        self.grace.store(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::Release);
        self.registry.give(Order::Drain);
    }

    /// Stops listening and drops all connections (the seed's `close`).
    pub fn close(&self) {
        self.registry.give(Order::Close);
    }

    /// Whether it was told to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.order() != Order::Go
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    /// What the server has done so far, as plain numbers.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.tally.read(self.registry.count() as u64)
    }

    pub(crate) fn grace(&self) -> Duration {
        Duration::from_millis(self.grace.load(Ordering::Acquire))
    }
}
