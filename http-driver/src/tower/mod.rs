//! Any `tower` service as a handler: an axum `Router`, say. Feature `tower`.
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
//! # What a service gets
//! The request's content streams: it is a [`Body`](crate::Body), read from the peer as it is
//! polled, with its length as `size_hint` and its trailer fields as the last frame. `100
//! Continue` is sent with the first poll. No temporary files are made, and forms are the
//! service's own business. [`Server::intake`](crate::Server::intake) may still refuse a request
//! or change its limit. It should not buffer: of a multipart form that is taken apart, only
//! [so much](crate::protocol::forms::Limits::memory) is left for a service to read, and more is
//! an error of its body.
//!
//! [`Server::max_body_size`](crate::Server::max_body_size) holds: content that is announced to be
//! larger is refused with 413 when it is first polled (at once where the client waits for `100
//! Continue`), and content that grows larger when it does. The body then ends with [`BodyError`](crate::BodyError), and what the service answers
//! to that comes too late. axum has a limit of its own for extractors that collect content
//! (`DefaultBodyLimit`, 2 MiB), whose 413 is the application's. The smaller of the two decides:
//! for large uploads raise both.
//!
//! The extensions of the request hold an `Arc<`[`Request`](crate::Request)`>`, without the
//! content: what the server knows of it, such as the client's address behind trusted proxies,
//! and the means to set signed cookies. Do not answer through its
//! [`responder`](crate::Request::responder): the service answers.
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
//! With axum that is the extractor `Extension<Arc<httpants_tokio::Request>>`. For its
//! `ConnectInfo<SocketAddr>` see [`TowerService::extend`].
//!
//! # What a service answers
//! The content of the response streams, too, as fast as the peer takes it. A body that knows its
//! exact size gets a `Content-Length`; another is chunked, and its trailer fields are sent
//! behind it. It is dropped when the connection ends, and never polled for HEAD, 204 and 304.
//! An error of the service is a failure of the application: a 500 where nothing was sent. An
//! error of the body breaks the response off, visibly. Both are logged.
//!
//! # Upgrades
//! A service that answers 101, or 2xx to CONNECT, says what follows by [`Upgrade`] among the
//! extensions of its response. With the feature `hyper-upgrade`, requests that offer an upgrade
//! also carry `hyper::upgrade::OnUpgrade`: axum's `WebSocketUpgrade` takes it from there. (axum
//! itself spawns the socket's task on tokio, so that part needs a tokio runtime.)

mod body;
#[cfg(feature = "hyper-upgrade")]
mod hyper;
#[cfg(feature = "hyper-upgrade")]
mod loan;
mod response;
mod service;
mod upgrade;

pub use self::service::{ResponseFuture, TowerService};
pub use self::upgrade::Upgrade;
