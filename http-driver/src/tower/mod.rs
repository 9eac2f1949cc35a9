//! Any `tower` service as a handler, for example an axum `Router`. Requires the feature `tower`.
//!
//! ```
//! use std::convert::Infallible;
//! use std::future::{Ready, ready};
//! use std::task::{Context, Poll};
//!
//! use httpants_driver::tower::TowerService;
//! use httpants_driver::{Body, Server};
//! use httpants_testkit::memory::Memory;
//!
//! #[derive(Clone)]
//! struct Echo;
//!
//! impl tower_service::Service<http::Request<Body>> for Echo {
//!     type Response = http::Response<Body>;
//!     type Error = Infallible;
//!     type Future = Ready<Result<Self::Response, Infallible>>;
//!
//!     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
//!         Poll::Ready(Ok(()))
//!     }
//!
//!     fn call(&mut self, request: http::Request<Body>) -> Self::Future {
//!         ready(Ok(http::Response::new(request.into_body())))
//!     }
//! }
//!
//! let memory = Memory::new();
//! memory.start(Server::with_runtime(memory.clone(), TowerService::new(Echo)));
//! ```
//!
//! # Requests
//! The request body is streamed: it is a [`Body`](crate::Body) that reads from the peer when it is
//! polled, with its length as `size_hint` and its trailer fields as the last frame. `100 Continue`
//! is sent with the first poll. No temporary files are created, and the service parses forms
//! itself. [`Server::body_policy`](crate::Server::body_policy) may still refuse a request or change
//! its limit. It should not choose buffering: the raw body of a multipart form is not kept if it is
//! larger than [`FormLimits::memory`](crate::protocol::forms::FormLimits::memory), and then returns
//! an error to the service.
//!
//! [`Server::max_body_size`](crate::Server::max_body_size) applies: a body announced to be larger
//! is refused with 413 when it is first polled (at once if the client waits for `100 Continue`),
//! and a body without an announced length when it exceeds the limit. The body then ends with
//! [`BodyError`](crate::BodyError), and the service's response is dropped. axum has its own limit
//! for extractors that collect the body (`DefaultBodyLimit`, 2 MiB), whose 413 comes from the
//! application. The smaller limit decides, so raise both for large uploads.
//!
//! The extensions of the request contain an `Arc<`[`Request`](crate::Request)`>` without the body:
//! it has the client's address behind trusted proxies, and methods for signed cookies. Do not use
//! its [`responder`](crate::Request::responder), because the service responds.
//!
//! ```
//! use std::sync::Arc;
//!
//! use httpants_driver::{Body, Misuse, Request};
//!
//! fn welcome(request: &http::Request<Body>) -> Result<String, Misuse> {
//!     let Some(known) = request.extensions().get::<Arc<Request>>() else {
//!         return Ok("not behind httpants".into());
//!     };
//!     known.set_signed_cookie("seen", "yes")?;
//!     Ok(format!("{:?} came by {}", known.remote_ip(), known.scheme()))
//! }
//! # let _ = welcome;
//! ```
//!
//! In axum, use the extractor `Extension<Arc<httpants_tokio::Request>>`. For
//! `ConnectInfo<SocketAddr>`, see [`TowerService::extend`].
//!
//! # Responses
//! The response body is streamed as fast as the peer reads it. A body with a known exact size gets
//! a `Content-Length`; any other is chunked, followed by its trailer fields. It is dropped when the
//! connection ends, and not polled for HEAD, 204 and 304. An error of the service is an application
//! failure: a 500 if nothing was sent. An error of the body aborts the response and drops the
//! connection. Both are logged.
//!
//! # Upgrades
//! A service that returns 101, or 2xx to CONNECT, must add [`Upgrade`] to the extensions of its
//! response. With the feature `hyper-upgrade`, requests that offer an upgrade also carry
//! `hyper::upgrade::OnUpgrade`, which axum's `WebSocketUpgrade` uses. axum spawns the socket's task
//! on tokio, so it needs a tokio runtime, as tower-http's timeouts do. On other runtimes, provide a
//! tokio context with [`TowerService::within`].
//!
//! Unlike [`Upgraded`](crate::Upgraded), a stream from hyper's `OnUpgrade` is not notified of a
//! shutdown: wait for [`Handle::draining`](crate::Handle::draining) concurrently. It is dropped
//! after [`Server::upgrade_grace`](crate::Server::upgrade_grace).

mod body;
#[cfg(feature = "hyper-upgrade")]
mod hyper;
#[cfg(feature = "hyper-upgrade")]
mod loan;
mod response;
mod service;
mod upgrade;
mod within;

pub use self::service::{ResponseFuture, TowerService};
pub use self::upgrade::Upgrade;
