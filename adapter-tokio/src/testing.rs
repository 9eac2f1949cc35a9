//! Tests of applications without sockets and without waiting. Feature `testing`.
//!
//! [`TestServer`] sends requests to an application. In a plain `#[test]`, `send` blocks:
//!
//! ```
//! use std::time::Duration;
//!
//! use httpants_tokio::testing::TestServer;
//! use httpants_tokio::{Request, Response};
//!
//! async fn greet(request: Request) -> Response {
//!     // On the paused clock of the test, this takes no time.
//!     tokio::time::sleep(Duration::from_secs(60)).await;
//!     match request.query_param("name") {
//!         Some(name) => Response::text(format!("hello {name}")),
//!         None => Response::new(400),
//!     }
//! }
//!
//! let server = TestServer::new(greet);
//! let response = server.get("/?name=Ada").header("Accept", "text/plain").send();
//! assert_eq!(response.status(), 200);
//! assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
//! assert_eq!(response.body(), "hello Ada");
//! assert_eq!(server.get("/").send().status(), 400);
//! ```
//!
//! In a `#[tokio::test]`, requests are awaited. They and their handlers run in the runtime of the
//! test, on its clock:
//!
//! ```
//! # use httpants_tokio::testing::TestServer;
//! # use httpants_tokio::{Request, Server};
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() {
//! // #[tokio::test(start_paused = true)]
//! // async fn large_bodies_get_413() {
//! let echo = async |mut request: Request| request.bytes().await;
//! let server = TestServer::of(Server::new(echo).max_body_size(4));
//! assert_eq!(server.post("/").body("ants").await.body(), "ants");
//! assert_eq!(server.post("/").body("beetles").await.status(), 413);
//! # }
//! ```
//!
//! [`TestRequest`] sets the other parts of a request: forms, cookies, addresses, and JSON with the
//! feature `json`:
//!
//! ```
//! # use httpants_tokio::testing::TestServer;
//! # use httpants_tokio::{BodyError, Request};
//! async fn sum(mut request: Request) -> Result<String, BodyError> {
//!     Ok(request.json::<Vec<u32>>().await?.iter().sum::<u32>().to_string())
//! }
//!
//! let server = TestServer::new(sum);
//! assert_eq!(server.post("/").json(&[1, 2, 3]).send().body(), "6");
//! ```
//!
//! [`memory`] is a server on a virtual clock that the test advances, without tokio:
//!
//! ```
//! use httpants_tokio::Request;
//! use httpants_tokio::testing::memory::Memory;
//!
//! let memory = Memory::new();
//! memory.start(memory.server(async |request: Request| format!("hello from {}", request.path())));
//! let client = memory.connect();
//! client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
//! memory.run();
//! assert!(client.take_received().ends_with(b"\r\n\r\nhello from /a"));
//! ```

use std::future::Future;
use std::io;

pub use httpants_testkit::*;
use tokio::runtime::{Builder, Handle, Runtime};

use crate::Tokio;

/// A server for tests on tokio.
pub type TestServer = httpants_testkit::TestServer<Tokio>;

/// The runtime of a [`TestServer`] that was created outside of a runtime; its clock is paused.
#[derive(Debug)]
pub struct TestExecutor(Option<Runtime>);

impl Drop for TestExecutor {
    fn drop(&mut self) {
        // A runtime must not be dropped inside another, because it waits for its blocking tasks.
        if let Some(runtime) = self.0.take()
            && Handle::try_current().is_ok()
        {
            runtime.shutdown_background();
        }
    }
}

impl TestRuntime for Tokio {
    type Executor = TestExecutor;

    fn executor() -> io::Result<TestExecutor> {
        if Handle::try_current().is_ok() {
            return Ok(TestExecutor(None));
        }
        Builder::new_current_thread().enable_all().start_paused(true).build().map(Some).map(TestExecutor)
    }

    fn within<T>(executor: &TestExecutor, call: impl FnOnce() -> T) -> T {
        let _entered = executor.0.as_ref().map(Runtime::enter);
        call()
    }

    fn wait<F: Future>(&self, executor: &TestExecutor, future: F) -> io::Result<F::Output> {
        match &executor.0 {
            Some(runtime) if Handle::try_current().is_err() => Ok(runtime.block_on(future)),
            _ => Err(io::Error::other("cannot block inside a tokio runtime")),
        }
    }
}
