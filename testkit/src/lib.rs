//! Tests for applications, runtimes and servers of httpants.
//!
//! | module | for | what it does |
//! |---|---|---|
//! | [`TestServer`] | applications | sends requests to a server without sockets, on the clock of its runtime |
//! | [`memory`] | applications | runs a server without sockets, on a virtual clock that the test advances |
//! | [`conformance`] | authors of runtimes | checks a runtime by more than eighty test cases |
//! | [`simulation`] | authors of runtimes and of servers over the core | runs random scenarios that can be repeated by their seed |
//!
//! [`conformance`] and [`simulation`] are features with the same names, which are enabled by
//! default. Applications use the other modules as `testing` of their adapter, with its feature
//! `testing`:
//!
//! ```toml
//! [dev-dependencies]
//! httpants-tokio = { version = "0.1", features = ["testing"] }
//! ```
//!
//! # Testing an application
//!
//! A handler is the same on every runtime, so a test runs it on [`memory::Memory`]. Nothing
//! depends on real time: a test that waits for a timeout of a minute takes microseconds, and a
//! test that passes once always passes.
//!
//! ```
//! use std::time::Duration;
//!
//! use httpants_driver::{Request, Response};
//! use httpants_testkit::memory::Memory;
//!
//! // The application.
//! async fn greet(request: Request) -> Response {
//!     match request.get().ok().and_then(|query| query.get("name").map(str::to_owned)) {
//!         Some(name) => Response::text(format!("hello {name}")),
//!         None => Response::new(400),
//!     }
//! }
//!
//! // The test.
//! let memory = Memory::new();
//! let handle = memory.start(memory.server(greet).config(|config| config.timeouts.idle = Some(Duration::from_secs(5))));
//! let client = memory.connect();
//!
//! client.send(b"GET /?name=Ada HTTP/1.1\r\nHost: a\r\n\r\n");
//! memory.run();
//! assert!(client.take_received().ends_with(b"\r\n\r\nhello Ada"));
//!
//! client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//! memory.run();
//! assert!(client.take_received().starts_with(b"HTTP/1.1 400 Bad Request\r\n"));
//!
//! memory.advance(Duration::from_secs(6));
//! assert!(client.is_closed());
//! assert_eq!(handle.counters().requests, 2);
//! ```
//!
//! # Testing a runtime
//!
//! One line creates a `#[test]` for each case: see [`conformance`]. The guide
//! `docs/custom-runtime.md` in the repository describes the steps from an empty crate to a runtime
//! that passes.
//!
//! # Testing a server over the core
//!
//! See [`simulation`]: it runs any server that implements [`simulation::System`], such as that of the example
//! [`by_hand`](https://docs.rs/crate/httpants-testkit/latest/source/examples/by_hand/server.rs).

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod memory;
#[cfg(feature = "simulation")]
pub mod simulation;
mod test_server;

pub use test_server::{
    InProcess, InProcessListener, Task, TestConnection, TestError, TestRequest, TestRuntime, TestServer, Trailers,
};

/// Compiles and runs the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
