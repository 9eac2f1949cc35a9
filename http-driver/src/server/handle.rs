//! The means to stop a server, and to see what it does.

use std::sync::Arc;
use std::time::Duration;

use crate::connection::registry::{Command, Registry};
use crate::draining::Draining;
use crate::observe::{Counters, Metrics};

/// Stops a server; clones are as good as the first.
///
/// It comes from [`BoundServer::handle`](crate::BoundServer::handle) before the server runs, and may be used
/// from any thread: by one that waits for signals, for instance, to let what runs finish.
///
/// ```
/// use std::time::Duration;
/// use httpants_driver::{Request, Server};
/// use httpants_testkit::memory::Memory;
///
/// let memory = Memory::new();
/// let handle = memory.start(Server::with_runtime(memory.clone(), async |_: Request| "hello"));
/// let (busy, idle) = (memory.connect(), memory.connect());
/// busy.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\no");
/// memory.run();
///
/// handle.shutdown(Duration::from_secs(30));
/// memory.run();
/// assert!(idle.is_ended() && !busy.is_ended());
///
/// busy.send(b"k");
/// memory.run();
/// let answer = String::from_utf8(busy.take_received()).unwrap();
/// assert!(answer.contains("\r\nConnection: close\r\n") && answer.ends_with("hello"));
/// ```
#[derive(Clone, Debug)]
pub struct Handle {
    pub(crate) registry: Arc<Registry>,
    pub(crate) metrics: Arc<Metrics>,
}

impl Handle {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { registry: Arc::default(), metrics }
    }

    /// Stops listening and lets running requests finish: the streams of idle connections end
    /// at once, responses say `Connection: close`, and what runs longer than `grace` is dropped.
    /// Upgraded streams have [`Server::upgrade_grace`](crate::Server::upgrade_grace), where that is
    /// shorter, and learn of the shutdown by [`Upgraded::draining`](crate::Upgraded::draining).
    /// Called again, the grace that ends first counts.
    pub fn shutdown(&self, grace: Duration) {
        self.registry.drain(grace);
    }

    /// Stops listening and drops all connections (`close` in Pants).
    pub fn close(&self) {
        self.registry.give(Command::Close);
    }

    /// Whether it was asked to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.command() != Command::Serve
    }

    /// Waits until it is asked to stop, by [`shutdown`](Self::shutdown) or [`close`](Self::close).
    pub fn draining(&self) -> Draining {
        self.registry.drain_signal().draining()
    }

    /// How many connections are open.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    /// What the server has done so far, as plain numbers.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.metrics.read(self.registry.count() as u64)
    }
}
