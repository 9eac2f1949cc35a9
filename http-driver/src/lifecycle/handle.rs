//! The handle to stop and observe a server.

use std::sync::Arc;
use std::time::Duration;

use super::draining::Draining;
use super::registry::{Command, Registry};
use crate::observe::{Counters, Metrics};

/// A handle to a server; clones are equivalent.
///
/// Get it from [`BoundServer::handle`](crate::BoundServer::handle) before the server runs, or in a
/// handler from [`Request::server_handle`](crate::Request::server_handle), and use it from any
/// thread, for example from one that waits for signals.
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
    /// [`Server::upgrade_grace`](crate::Server::upgrade_grace), if that is shorter, and are
    /// notified of the shutdown by [`Upgraded::draining`](crate::Upgraded::draining).
    ///
    /// Requests that the kernel has received by then are served, also those of up to 1,024
    /// connections per worker that wait to be accepted.
    pub fn shutdown(&self, grace: Duration) {
        self.registry.drain(grace);
    }

    /// Shuts the server down as [`shutdown`](Self::shutdown) does, but only after `delay`. Until
    /// then it accepts connections and serves as usual, while [`is_ready`](Self::is_ready) returns
    /// false: a health route that responds with 503 lets load balancers choose other servers first,
    /// and no client connects to a closed socket. The delay must be longer than load balancers take
    /// to notice: the interval of their checks times the required number of failures, plus a
    /// margin.
    ///
    /// If called more than once, the shortest delay and the shortest grace apply. `shutdown` and
    /// [`close`](Self::close) end the delay. A server that does not run yet counts it from its
    /// start.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let handle = memory.start(Server::with_runtime(memory.clone(), async |_: Request| "hello"));
    /// handle.shutdown_after(Duration::from_secs(10), Duration::from_secs(30));
    /// assert!(!handle.is_ready() && !handle.is_draining());
    ///
    /// let client = memory.connect();
    /// client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    /// memory.run();
    /// assert!(client.take_received().ends_with(b"hello") && !client.is_ended());
    ///
    /// memory.advance(Duration::from_secs(10));
    /// memory.run();
    /// assert!(handle.is_draining() && client.is_ended());
    /// ```
    pub fn shutdown_after(&self, delay: Duration, grace: Duration) {
        if delay.is_zero() {
            self.shutdown(grace);
        } else {
            self.registry.drain_after(delay, grace);
        }
    }

    /// Stops listening and drops all connections (`close` in Pants).
    pub fn close(&self) {
        self.registry.send_command(Command::Close);
    }

    /// Returns whether the server should receive more requests, for health routes: false after a
    /// call of [`shutdown`](Self::shutdown), [`shutdown_after`](Self::shutdown_after) or
    /// [`close`](Self::close).
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.registry.is_ready()
    }

    /// Returns whether the shutdown has begun, after the delay of
    /// [`shutdown_after`](Self::shutdown_after).
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.registry.drain_signal().has_begun()
    }

    /// Returns a future that waits for a call of [`shutdown`](Self::shutdown) or
    /// [`close`](Self::close), or for the end of the delay of
    /// [`shutdown_after`](Self::shutdown_after). A handler can use it to finish a response that has
    /// no other end:
    ///
    /// ```
    /// use httpants_driver::{Misuse, Request, Response};
    ///
    /// async fn notes(request: Request) -> Result<Response, Misuse> {
    ///     let mut responder = request.responder();
    ///     responder.send_status(200)?;
    ///     responder.send("waiting for the shutdown\n").await?;
    ///     request.server_handle().draining().await;
    ///     responder.send("good bye\n").await?;
    ///     responder.finish().await
    /// }
    /// # let _ = notes;
    /// ```
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
