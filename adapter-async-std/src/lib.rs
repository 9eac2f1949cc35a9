//! The httpants server on async-std.
//!
//! **async-std is discontinued** (RUSTSEC-2025-0052) and gets no more fixes. Use `httpants-smol`
//! for new applications: it has the same reactor, names and defaults, so moving to it changes only
//! the crate name.
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
//! Each connection is a task on async-std's thread pool, whose size is `ASYNC_STD_THREAD_COUNT`
//! (default: one per processor). [`workers`](httpants_driver::Server::workers) is therefore the
//! number of threads of [`BoundServer::run`] that accept connections, not of those that serve them.
//!
//! # Work that blocks
//!
//! A handler that blocks stops all connections of its thread. Run such work on async-std's threads
//! for blocking work:
//!
//! ```
//! use httpants_async_std::{Request, Response};
//!
//! async fn uptime(_: Request) -> Response {
//!     let read = async_std::task::spawn_blocking(|| std::fs::read_to_string("/proc/uptime")).await;
//!     read.map_or_else(|_| Response::new(500), Response::text)
//! }
//! ```
//!
//! # Features
//!
//! No feature is enabled by default. The documentation of an item names the feature that it needs.
//!
//! | feature | adds |
//! |---|---|
//! | `full` | `cookies`, `files`, `forms` and `json`: what most applications use |
//! | `cookies` | cookies of requests and responses, plain and signed |
//! | `files` | files as responses: ranges, conditions, directories |
//! | `forms` | urlencoded and multipart forms, with uploaded files |
//! | `json` | bodies as JSON, by serde |
//! | `tls`, `tls-aws-lc` | HTTPS through rustls |
//! | `compression` | compressed responses, and requests |
//! | `tower`, `hyper-upgrade` | any `tower` service as a handler |
//! | `websocket` | WebSockets |
//! | `testing` | servers without sockets, for tests of applications |
//!
//! # Examples
//!
//! The [examples of
//! `httpants-tokio`](https://docs.rs/httpants-tokio/latest/httpants_tokio/#examples) also run on
//! this crate if you replace the crate name, unless they use tokio itself.
//!
//! This crate contains no HTTP and no sockets: sockets and timers are
//! [`httpants_driver::async_io`], and the server is re-exported with this runtime filled in.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod executor;
#[cfg(test)]
mod tests;

pub use executor::Executor;
pub use httpants_driver::async_io::{AsyncIo, AsyncIoSleep, Listener, Transport};

/// The runtime for the driver: async-std's reactor and thread pools.
pub type AsyncStd = AsyncIo<Executor>;

/// Tests of applications without sockets. Feature `testing`.
///
/// ```
/// use httpants_async_std::Request;
/// use httpants_async_std::testing::TestServer;
///
/// let server = TestServer::new(async |request: Request| format!("hello from {}", request.path()));
/// assert_eq!(server.get("/a").send().body(), "hello from /a");
/// ```
///
/// [`memory`](testing::memory) is a server on a virtual clock that the test advances:
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
pub mod testing {
    pub use httpants_testkit::*;

    /// A server for tests on this runtime.
    pub type TestServer = httpants_testkit::TestServer<crate::Runtime>;
}

httpants_driver::adapter!(AsyncStd);

/// Compiles the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
