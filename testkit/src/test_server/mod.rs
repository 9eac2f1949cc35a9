//! A test server that handles requests without sockets.

mod connection;
mod error;
mod request;
mod response;
mod runtime;

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;

use httpants_core::ConnectionInfo;
use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{Handle, Handler, Serve, Server};

use self::connection::Backlog;
pub use self::connection::TestConnection;
pub use self::error::TestError;
pub use self::request::TestRequest;
pub use self::response::Trailers;
pub use self::runtime::{InProcess, InProcessListener, Task, TestRuntime};
use crate::memory::peer;

/// A server for tests of an application: requests are passed through memory, in this process.
///
/// Adapters export it with their runtime filled in, as `testing::TestServer`. The parser, limits,
/// timeouts and body policies are those of a server with sockets; a panic of the handler is a 500.
///
/// The tasks and timers are those of the runtime:
///
/// | runtime | in a plain `#[test]` | in an async test |
/// |---|---|---|
/// | tokio | a separate runtime with a paused clock, which advances when all tasks wait | that of the test; `#[tokio::test(start_paused = true)]` pauses its clock |
/// | smol, async-std | the global executor, with the real clock | the same |
///
/// So a handler that uses `tokio::time` uses the same clock as the server's timeouts. For a clock
/// that the test advances itself, and for raw bytes, see [`Memory`](crate::memory::Memory).
///
/// Dropping the server closes all connections.
pub struct TestServer<R: TestRuntime> {
    backlog: Arc<Backlog>,
    handle: Handle,
    runtime: R,
    executor: R::Executor,
}

impl<R: TestRuntime> TestServer<R> {
    /// Starts a server with this handler and the default settings.
    ///
    /// # Panics
    /// Panics if the runtime cannot start.
    #[must_use]
    pub fn new<H>(handler: H) -> Self
    where
        H: Handler<Future: Send> + Send + Sync,
        R: Spawn<Serve<InProcess<R>, H>>,
    {
        Self::start(|runtime| Server::with_runtime(runtime, handler))
    }

    /// Starts a configured server. Its addresses, sockets and TLS settings are not used.
    ///
    /// # Panics
    /// Panics if the runtime cannot start.
    #[must_use]
    pub fn of<S, H>(server: Server<S, H>) -> Self
    where
        S: Runtime,
        H: Handler<Future: Send> + Send + Sync,
        R: Spawn<Serve<InProcess<R>, H>>,
    {
        Self::start(|runtime| server.on_runtime(runtime))
    }

    #[expect(clippy::panic, reason = "a runtime that cannot start is a failed test")]
    fn start<H>(build: impl FnOnce(InProcess<R>) -> Server<InProcess<R>, H>) -> Self
    where
        H: Handler<Future: Send> + Send + Sync,
        R: Spawn<Serve<InProcess<R>, H>>,
    {
        let executor = R::executor().unwrap_or_else(|error| panic!("the test server cannot start: {error}"));
        let backlog = Arc::new(Backlog::default());
        let listener = InProcessListener::new(Arc::clone(&backlog));
        let (handle, runtime) = R::within(&executor, || {
            let runtime = R::default();
            let (handle, serving) = build(InProcess::new(runtime.clone())).attach_to(listener);
            runtime.spawn(Box::pin(serving) as Task);
            (handle, runtime)
        });
        Self { backlog, handle, runtime, executor }
    }

    /// Returns a request with this method and target, such as `/search?q=ants`, which can be
    /// completed and [sent](TestRequest::send).
    pub fn request(&self, method: impl AsRef<str>, target: &str) -> TestRequest<'_, R> {
        TestRequest::new(self, method.as_ref(), target)
    }

    /// Returns a GET request.
    pub fn get(&self, target: &str) -> TestRequest<'_, R> {
        self.request("GET", target)
    }

    /// Returns a HEAD request.
    pub fn head(&self, target: &str) -> TestRequest<'_, R> {
        self.request("HEAD", target)
    }

    /// Returns a POST request.
    pub fn post(&self, target: &str) -> TestRequest<'_, R> {
        self.request("POST", target)
    }

    /// Returns a PUT request.
    pub fn put(&self, target: &str) -> TestRequest<'_, R> {
        self.request("PUT", target)
    }

    /// Returns a PATCH request.
    pub fn patch(&self, target: &str) -> TestRequest<'_, R> {
        self.request("PATCH", target)
    }

    /// Returns a DELETE request.
    pub fn delete(&self, target: &str) -> TestRequest<'_, R> {
        self.request("DELETE", target)
    }

    /// Creates a connection from `192.0.2.1:50000`, for raw bytes, several requests, or WebSockets.
    #[must_use]
    pub fn connect(&self) -> TestConnection {
        self.connect_from(peer())
    }

    /// Creates a connection with these addresses.
    #[must_use]
    pub fn connect_from(&self, info: ConnectionInfo) -> TestConnection {
        self.backlog.connect(info)
    }

    /// Returns the handle of the server, for its counters and its shutdown.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future in a test that is not async, on the runtime of the server if it has its own.
    ///
    /// # Errors
    /// Returns an error inside an async runtime that cannot block.
    pub fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        self.runtime.wait(&self.executor, future)
    }
}

impl<R: TestRuntime> Drop for TestServer<R> {
    fn drop(&mut self) {
        self.backlog.close();
        self.handle.close();
    }
}

impl<R: TestRuntime> fmt::Debug for TestServer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer").field("handle", &self.handle).finish_non_exhaustive()
    }
}
