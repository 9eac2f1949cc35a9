//! The settings of a server for the limits of its connections.

use std::sync::Arc;
use std::time::Duration;

use super::Server;
use super::connection_limits::{Age, WhenFull};
use crate::connection::AddressLimit;
use crate::runtime::Runtime;

impl<R: Runtime, H> Server<R, H> {
    /// Sets the maximum number of open connections of all workers together;
    /// [`when_full`](Self::when_full) sets what happens to more. If the maximum is reached, a
    /// connection that only lingers after its last response is closed. Default: three quarters of
    /// the process's limit of descriptors (`RLIMIT_NOFILE`), so that some are left for files;
    /// without a limit, three quarters of 65,536. 0 is an error of [`bind`](Self::bind).
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.limits.most = connections;
        self
    }

    /// Sets what happens to connections over [`max_connections`](Self::max_connections). Default:
    /// [`WhenFull::Wait`]. With [`WhenFull::Refuse`], up to 64 more are open at a time while they
    /// are refused.
    ///
    /// ```
    /// use httpants_driver::{Request, Server, WhenFull};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let server = Server::with_runtime(memory.clone(), async |_: Request| "hello");
    /// let handle = memory.start(server.max_connections(1).when_full(WhenFull::Refuse));
    /// let (first, second) = (memory.connect(), memory.connect());
    /// memory.run();
    /// assert!(first.take_received().is_empty());
    /// assert!(second.take_received().starts_with(b"HTTP/1.1 503 "));
    /// assert_eq!(handle.counters().closes.overloaded, 1);
    /// ```
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.limits.when_full = when_full;
        self
    }

    /// Sets the maximum number of open connections per client address, on all workers together;
    /// more get 503 and are closed. Default: no limit. 0 is an error of [`bind`](Self::bind).
    ///
    /// IPv6 addresses count by their first 64 bits, link-local ones as a whole. Unix sockets have
    /// no limit. With [`Config::proxy_protocol`](httpants_core::Config::proxy_protocol) the address
    /// is that of the PROXY header. Behind a proxy that sends no PROXY header, the address is the
    /// proxy's, whatever the setting [`xheaders`](Self::xheaders) is: let the proxy limit its
    /// clients. Over TLS the refusal follows the handshake; until then, such connections are the
    /// first to be closed when [`max_connections`](Self::max_connections) are open.
    ///
    /// ```
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let server = Server::with_runtime(memory.clone(), async |_: Request| "hello");
    /// let server = server.max_connections_per_address(100);
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn max_connections_per_address(mut self, connections: usize) -> Self {
        self.limits.addresses = Some(Arc::new(AddressLimit::new(connections)));
        self
    }

    /// Sets the maximum number of requests on a connection before it is closed; the last response
    /// has `Connection: close`. Default: no limit. 0 is an error of [`bind`](Self::bind).
    #[must_use]
    pub fn max_requests_per_connection(self, requests: u64) -> Self {
        self.config(|config| config.requests_per_connection = Some(requests))
    }

    /// Sets the maximum age of a connection, so that clients reconnect from time to time and a load
    /// balancer can move them to other servers. At that age an idle connection closes at once, and
    /// any other after its current response, which has `Connection: close` if its head was not sent
    /// yet. If the head was already sent and another request was received, that request is served,
    /// too, and its response has the field. Responses are not cut off, and upgraded streams are not
    /// closed. Each connection has a random age between 90 and 100 percent of the maximum, so that
    /// clients that connected at the same time do not reconnect at the same time. Default: no
    /// limit. 0 is an error of [`bind`](Self::bind).
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let server = Server::with_runtime(memory.clone(), async |_: Request| "hello");
    /// memory.start(server.max_connection_age(Duration::from_secs(10)));
    /// let client = memory.connect();
    /// memory.advance(Duration::from_secs(8));
    /// assert!(!client.is_ended());
    /// memory.advance(Duration::from_secs(2));
    /// assert!(client.is_ended());
    /// ```
    #[must_use]
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.limits.age = Some(Age::new(age));
        self
    }
}
