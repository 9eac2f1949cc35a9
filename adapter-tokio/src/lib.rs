//! The httpants server on tokio.
//!
//! ```no_run
//! use httpants_tokio::{Request, Response, Server};
//!
//! async fn hello(request: Request) -> Response {
//!     Response::text(format!("hello {}, you asked for {}", request.host(), request.path()))
//! }
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     Server::new(hello).listen("127.0.0.1:8080").bind()?.serve().await
//! }
//! ```
//!
//! [`BoundServer::serve`] runs in the tokio runtime that awaits it, which needs its IO and time
//! drivers. [`BoundServer::run`] is for programs without a runtime: it blocks, and creates a
//! single-threaded runtime for each of the [`workers`](httpants_driver::Server::workers).
//!
//! # Work that blocks
//!
//! A handler that blocks stops all connections of its thread. Run such work on tokio's threads for
//! blocking work:
//!
//! ```
//! use httpants_tokio::{Request, Response};
//!
//! async fn uptime(_: Request) -> Response {
//!     let read = tokio::task::spawn_blocking(|| std::fs::read_to_string("/proc/uptime")).await;
//!     match read {
//!         Ok(Ok(text)) => Response::text(text),
//!         _ => Response::new(500),
//!     }
//! }
//! ```
//!
//! # Reverse proxies
//!
//! [`Request::upstream_headers`] returns the fields of a request for another server,
//! [`remove_hop_by_hop`](protocol::proxy::remove_hop_by_hop) removes those of the upstream connection
//! from its response, and [`append_via`](protocol::proxy::append_via) adds the proxy to `Via`:
//!
//! ```
//! use httpants_tokio::protocol::proxy::{Pseudonym, append_via, remove_hop_by_hop};
//! use httpants_tokio::{Request, http};
//!
//! fn to_upstream(received: &Request, proxy: &Pseudonym) -> http::Request<()> {
//!     let mut request = http::Request::<()>::from(received.head());
//!     *request.headers_mut() = received.upstream_headers();
//!     append_via(request.headers_mut(), received.version(), proxy);
//!     request
//! }
//!
//! fn to_client<B>(mut response: http::Response<B>) -> http::Response<B> {
//!     remove_hop_by_hop(response.headers_mut());
//!     response
//! }
//!
//! let received = Request::builder().header("Connection", "x-a").header("X-A", "1").build()?;
//! let request = to_upstream(&received, &"edge".parse()?);
//! assert!(!request.headers().contains_key("x-a") && request.headers()["via"] == "1.1 edge");
//! let response = http::Response::builder().header("Keep-Alive", "timeout=5").body(())?;
//! assert!(to_client(response).headers().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Examples
//!
//! | program | shows |
//! |---|---|
//! | [`files`](https://docs.rs/crate/httpants-tokio/latest/source/examples/files.rs) | a directory as a site |
//! | [`axum`](https://docs.rs/crate/httpants-tokio/latest/source/examples/axum.rs) | an axum application with uploads and a WebSocket |
//! | [`websocket`](https://docs.rs/crate/httpants-tokio/latest/source/examples/websocket.rs) | a WebSocket without axum |
//! | [`reverse_proxy`](https://docs.rs/crate/httpants-tokio/latest/source/examples/reverse_proxy.rs) | requests and responses streamed through hyper-util's client |
//!
//! The folder `examples` of the repository has short programs for routes, JSON, forms, logins, HTTPS, error
//! pages, streams and tests.
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
//! This crate contains no HTTP: three small types implement the traits of
//! [`httpants_driver::runtime`], and the server is re-exported with this runtime filled in.

#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(test)]
mod tests;

mod listener;
mod runtime;
mod transport;

pub use listener::Listener;
pub use runtime::{Tokio, TokioSleep};
pub use transport::Transport;

#[cfg(feature = "testing")]
pub mod testing;

httpants_driver::adapter!(Tokio);

/// Compiles the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
