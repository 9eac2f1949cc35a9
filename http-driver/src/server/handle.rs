//! The handle to stop and observe a server.

use std::sync::Arc;
use std::time::Duration;

use crate::connection::registry::{Command, Registry};
use crate::draining::Draining;
use crate::observe::{Counters, Metrics};

/// A handle to a server; clones are equivalent.
///
/// Get it from [`BoundServer::handle`](crate::BoundServer::handle) before the server runs, and use
/// it from any thread, for example from one that waits for signals.
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
/// let response = String::from_utf8(busy.take_received()).unwrap();
/// assert!(response.contains("\r\nConnection: close\r\n") && response.ends_with("hello"));
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

    /// Stops listening and lets running requests finish: idle connections close at once, responses
    /// carry `Connection: close`, and connections that need longer than `grace` are dropped. If
    /// called again, the grace period that ends first applies. Upgraded streams have
    /// [`Server::upgrade_grace`](crate::Server::upgrade_grace), if that is shorter, and learn of
    /// the shutdown through [`Upgraded::draining`](crate::Upgraded::draining).
    pub fn shutdown(&self, grace: Duration) {
        self.registry.drain(grace);
    }

    /// Stops listening and drops all connections (`close` in Pants).
    pub fn close(&self) {
        self.registry.send_command(Command::Close);
    }

    /// Returns whether the server was asked to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.drain_signal().has_begun()
    }

    /// Waits for the call of [`shutdown`](Self::shutdown) or [`close`](Self::close).
    pub fn draining(&self) -> Draining {
        self.registry.drain_signal().draining()
    }

    /// Returns the number of open connections.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.registry.count()
    }

    /// Returns the server's counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.metrics.read(self.registry.count() as u64)
    }
}
