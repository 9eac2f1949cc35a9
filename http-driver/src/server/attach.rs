//! A server on a listener that it does not bind.

use std::future::Future;
use std::sync::Arc;

use super::Server;
use super::accept::Accepting;
use super::connect::connect;
use crate::connection::{Serve, Service};
use crate::handler::Handler;
use crate::lifecycle::Handle;
use crate::observe::report::report;
use crate::runtime::{Runtime, Spawn};

impl<R: Runtime, H: 'static> Server<R, H> {
    /// Returns a future that serves the connections of this listener, and a handle to stop it.
    ///
    /// Use it if connections do not come from sockets that the server binds: in memory, from a
    /// simulator, or over another kind of transport. The configured addresses and sockets are not
    /// used, and the first TLS configuration is used for all connections. The future ends after
    /// [`Handle::shutdown`] or [`Handle::close`]. If the server cannot start, because no cookie
    /// keys can be generated or a limit is 0 that must not be 0, the future logs that as an event
    /// of `tracing` and ends.
    ///
    /// ```
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let server = Server::with_runtime(memory.clone(), async |_: Request| "hello");
    /// let (handle, serving) = server.attach_to(memory.listener());
    /// memory.serve(serving);
    /// handle.close();
    /// memory.run();
    /// assert_eq!(memory.tasks(), 0);
    /// ```
    #[must_use = "the server runs only while the future is polled"]
    pub fn attach_to(self, listener: R::Listener) -> (Handle, impl Future<Output = ()> + 'static) {
        let checked = self.check_limits();
        let handle = Handle::new(Arc::clone(&self.parts.settings.disk.metrics));
        let listeners = vec![(listener, self.tls.into_iter().next())];
        let limits = self.limits.complete(&self.parts.config);
        let service = checked.and_then(|()| Service::new(self.parts, self.runtime.clock(), handle.clone()));
        let (runtime, connect, registered) = (self.runtime, self.connect, handle.clone());
        let serving = async move {
            match service {
                Ok(service) => Accepting::new((runtime, connect, service), listeners, limits, registered).await,
                Err(error) => report!("the server cannot start", error),
            }
        };
        (handle, serving)
    }
}

impl<R: Runtime, H> Server<R, H> {
    /// Moves the handler and its settings to another runtime, such as one of a test. The addresses,
    /// sockets and TLS settings are dropped.
    ///
    /// ```
    /// use httpants_driver::{Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "hello").max_body_size(1024);
    /// let memory = Memory::new();
    /// memory.start(server.on_runtime(memory.clone()));
    /// let client = memory.connect();
    /// client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1025\r\n\r\n");
    /// memory.run();
    /// assert!(client.take_received().starts_with(b"HTTP/1.1 413 "));
    /// ```
    #[must_use]
    pub fn on_runtime<S>(self, runtime: S) -> Server<S, H>
    where
        S: Runtime + Spawn<Serve<S, H>>,
        S::Transport: Send,
        H: Handler,
    {
        let Self { mut parts, options, limits, workers, .. } = self;
        parts.settings.disk.pool = runtime.blocking_pool();
        let (addresses, sockets, tls) = (Vec::new(), Vec::new(), Vec::new());
        Server { runtime, connect, parts, addresses, sockets, tls, options, limits, workers }
    }
}
