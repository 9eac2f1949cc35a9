//! httpants over async-std, for applications that are still on it.
//!
//! **async-std is discontinued** (RUSTSEC-2025-0052): it gets no more fixes. What is new belongs
//! on `httpants-smol`, which has the same reactor, the same names and the same defaults, so that
//! moving there changes the crate's name and nothing else.
//!
//! ```no_run
//! use httpants_async_std::{Request, Response, Server};
//!
//! async fn hello(request: Request) -> Response {
//!     Response::text(format!("hello {}, you asked for {}", request.host(), request.path()))
//! }
//!
//! fn main() -> std::io::Result<()> {
//!     async_std::task::block_on(async { Server::new(hello).listen("127.0.0.1:8080").bind()?.serve().await })
//! }
//! ```
//!
//! Each connection is a task of async-std's one pool of threads, which `ASYNC_STD_THREAD_COUNT`
//! counts (default: one a processor). So what [`workers`](httpants_driver::Server::workers) counts
//! for [`BoundServer::run`] is how many threads accept, not how many serve.
//!
//! Nothing here knows the protocol, or sockets: those and the timers are
//! [`httpants_driver::async_io`], and the server is re-exported with this runtime filled in.

mod executor;
#[cfg(test)]
mod tests;

pub use executor::Executor;
pub use httpants_driver::async_io::{AsyncIo, Listener, Timer, Transport};

/// The runtime that the driver runs on: async-std's reactor and its pools of threads.
pub type AsyncStd = AsyncIo<Executor>;

/// Tests of applications without sockets and without waiting. Feature `testing`.
///
/// ```
/// use httpants_async_std::Request;
/// use httpants_async_std::testing::memory::Memory;
///
/// let memory = Memory::new();
/// memory.start(memory.server(async |request: Request| format!("hello from {}", request.path())));
/// let client = memory.connect();
/// client.send(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
/// memory.run();
/// assert!(client.take_received().ends_with(b"\r\n\r\nhello from /a"));
/// ```
#[cfg(feature = "testing")]
pub use httpants_testkit as testing;

httpants_driver::adapter!(AsyncStd);
