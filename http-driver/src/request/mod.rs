//! A request as its handler receives it: head, body, and the responder.

mod body;
mod builder;
mod client;
pub(crate) mod collect;
#[cfg(feature = "cookies")]
mod cookies;
mod decoded;
#[cfg(feature = "compression")]
mod decompression;
#[cfg(not(feature = "compression"))]
#[path = "decompression/unsupported.rs"]
mod decompression;
mod form_error;
#[cfg(feature = "forms")]
pub(crate) mod forms;
#[cfg(not(feature = "forms"))]
#[path = "forms/unsupported.rs"]
pub(crate) mod forms;
mod joined;
mod path_segments;
pub(crate) mod upload;
#[cfg(feature = "websocket")]
mod websocket_error;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::forms::{ParseFormError, Variables, urlencoded};
use httpants_core::{Headers, RequestHead};

pub use self::body::Body;
pub use self::builder::{BuildRequestError, RequestBuilder};
#[cfg(not(feature = "compression"))]
pub(crate) use self::decompression::Decompression;
#[cfg(feature = "compression")]
pub use self::decompression::Decompression;
pub use self::form_error::FormError;
use self::forms::Form;
pub use self::path_segments::{PathSegments, PathSegmentsIter};
use self::upload::BodyReader;
#[cfg(feature = "websocket")]
pub use self::websocket_error::WebSocketError;
use crate::exchange::Exchange;
use crate::lifecycle::Handle;

/// A request with its body (`HTTPRequest` in Pants).
///
/// It derefs to [`httpants_core::RequestHead`], which has the methods for the head.
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn handler(mut request: Request) -> Response {
///     match request.path() {
///         "/" => Response::text(format!("hello {}", request.host())),
///         "/length" => match request.bytes().await {
///             Ok(body) => Response::text(body.len().to_string()),
///             Err(error) => error.into(),
///         },
///         _ => Response::new(404),
///     }
/// }
/// # let _ = handler;
/// ```
pub struct Request {
    head: RequestHead,
    body: Body,
    #[cfg_attr(not(feature = "forms"), expect(dead_code, reason = "no body is parsed"))]
    form: Option<Box<Form>>,
    /// The variables of the query, parsed on the first call of `get`.
    query: OnceLock<Box<Result<Variables, ParseFormError>>>,
    exchange: Exchange,
}

impl Request {
    pub(crate) fn new(head: RequestHead, body: Body, form: Option<Box<Form>>, exchange: Exchange) -> Self {
        Self { head, body, form, query: OnceLock::new(), exchange }
    }

    pub(crate) fn without_body(head: RequestHead, exchange: Exchange) -> Self {
        Self::new(head, Body::empty(), None, exchange)
    }

    /// Returns the head without the body; cloning it is cheap. It does not use the settings of the
    /// server, so its host is that of the request even if trusted proxies state another one.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Returns the variables of the query, multi-valued and in order (`get` in Pants): those
    /// without a value are dropped, `+` and percent-encoding are decoded. Parsed on the first call.
    ///
    /// # Errors
    /// Returns [`ParseFormError`] for more than 1,000 variables (413).
    ///
    /// ```
    /// use httpants_driver::protocol::forms::ParseFormError;
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn greet(request: Request) -> Result<Response, ParseFormError> {
    ///     Ok(Response::text(format!("hello {}", request.get()?.get("name").unwrap_or("stranger"))))
    /// }
    /// # let _ = greet;
    /// ```
    pub fn get(&self) -> Result<&Variables, ParseFormError> {
        let query = self.query.get_or_init(|| Box::new(urlencoded::query(&self.head)));
        query.as_ref().as_ref().map_err(Clone::clone)
    }

    /// Returns the segments of the path, each percent-decoded after the path was split: `/a%2Fb/`
    /// has the segments `a/b` and an empty one, and `/` has an empty one; `*` and the target of
    /// CONNECT have none. Bytes that are not UTF-8 become U+FFFD, so do not use it to find files.
    ///
    /// ```
    /// use httpants_driver::Request;
    ///
    /// let request = Request::builder().target("/users/Ad%61").build()?;
    /// assert_eq!(request.segments().last().as_deref(), Some("Ada"));
    /// # Ok::<(), httpants_driver::BuildRequestError>(())
    /// ```
    ///
    /// [`path_segments`](Self::path_segments) returns them as a list to be matched.
    pub fn segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let path = self.head.path().strip_prefix('/');
        let segments = path.into_iter().flat_map(|path| path.split('/'));
        segments.map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy())
    }

    /// Returns the [`segments`](Self::segments) of the path as a list to be matched. It does not borrow
    /// the request.
    ///
    /// ```
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn handler(mut request: Request) -> Response {
    ///     match request.path_segments().to_vec()[..] {
    ///         ["users", name] => Response::text(format!("hello {name}")),
    ///         ["notes", id, "text"] => match request.text().await {
    ///             Ok(text) => Response::text(format!("{id}: {text}")),
    ///             Err(error) => error.into(),
    ///         },
    ///         _ => Response::new(404),
    ///     }
    /// }
    /// # let _ = handler;
    /// ```
    #[must_use]
    pub fn path_segments(&self) -> PathSegments {
        PathSegments::new(self.segments())
    }

    /// Returns the first value of a variable of the query: empty if it has no value (`?debug`),
    /// `None` if it is absent. `+` and percent-encoding are decoded, and bytes that are not UTF-8
    /// become U+FFFD. [`get`](Self::get) returns all variables, without those that are empty, as in
    /// Pants.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut variables = form_urlencoded::parse(self.head.query().as_bytes());
        variables.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns the whole body as received, if it is in memory; it is empty if the request has none.
    ///
    /// Returns `None` if it is in a temporary file, because it is larger than
    /// [`FormLimits::memory`](httpants_core::forms::FormLimits::memory) (256 KiB by default); not
    /// received yet, because it is streamed; not kept, because it is that of a large multipart form
    /// and [`FormLimits::keep_body`](httpants_core::forms::FormLimits::keep_body) is not set; or
    /// taken through [`body_mut`](Self::body_mut). [`bytes`](Self::bytes) also reads it from a
    /// temporary file or the connection.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_whole()
    }

    /// Returns the whole body of a buffered request as [`std::io::Read`] and [`std::io::Seek`],
    /// from memory or a temporary file. Reading may block. Returns `None` if the request is
    /// streamed, or if the body of a multipart form was not kept
    /// ([`BodyError::NotKept`](crate::BodyError::NotKept)).
    #[must_use]
    pub fn body_reader(&self) -> Option<BodyReader> {
        self.body.reader()
    }

    /// Returns the body as a stream of pieces, streamed or buffered.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// Returns the body without the head.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// Returns the trailer fields: of a buffered request at once, of a streamed one after its body
    /// was read to the end; empty before.
    #[must_use]
    pub fn trailers(&self) -> Headers {
        self.body.trailers().unwrap_or_default()
    }

    /// Returns the time since the head was received; after the response was finished, the time
    /// until then (`time` in Pants).
    #[must_use]
    pub fn time(&self) -> Duration {
        self.head.time(self.exchange.environment().clock.now())
    }

    /// Returns the TLS session of the connection: version, names, the client's certificate. `None`
    /// for a plain connection, even if the client uses TLS with a proxy before this server.
    #[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
    #[must_use]
    pub fn tls(&self) -> Option<&crate::TlsSession> {
        self.exchange.tls()
    }

    /// Returns the handle of the server that received the request, for routes that report its
    /// health or counters, and for streams that end when a shutdown begins.
    ///
    /// A request from [`Request::builder`] has its own handle, of a server without connections.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn health(request: Request) -> Response {
    ///     Response::new(if request.server_handle().is_ready() { 200 } else { 503 })
    /// }
    ///
    /// # fn main() -> Result<(), httpants_driver::BuildRequestError> {
    /// let request = Request::builder().target("/health").build()?;
    /// request.server_handle().shutdown(Duration::from_secs(30));
    /// # use httpants_driver::runtime::Runtime;
    /// # let response = httpants_testkit::memory::Memory::new().block_on(health(request)).unwrap();
    /// // In an async test: let response = health(request).await;
    /// assert_eq!(response.status(), 503);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn server_handle(&self) -> &Handle {
        &self.exchange.environment().handle
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Returns whether the client has ended its stream, or the request is over. The client may only
    /// have closed its sending side and still wait for the response.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        self.exchange.with(|shared| shared.is_peer_closed(self.head.id()))
    }

    /// Waits until the client has ended its stream or the connection is broken, so that a handler
    /// can stop work whose result is no longer needed. Ready at once if the request is over.
    ///
    /// A client that only closed its sending side still gets the response within
    /// [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed), unless
    /// [`Config::half_close`](httpants_core::Config::half_close) is set otherwise. If the
    /// connection is broken, the handler is dropped anyway.
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::Poll;
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn search() -> String {
    ///     "found".into()
    /// }
    ///
    /// async fn handler(request: Request) -> Response {
    ///     let (mut found, mut left) = (pin!(search()), pin!(request.peer_closed()));
    ///     std::future::poll_fn(|context| {
    ///         if let Poll::Ready(found) = found.as_mut().poll(context) {
    ///             return Poll::Ready(Response::text(found));
    ///         }
    ///         left.as_mut().poll(context).map(|()| Response::new(503))
    ///     })
    ///     .await
    /// }
    /// # let _ = handler;
    /// ```
    pub async fn peer_closed(&self) {
        self.exchange.peer_closed(self.head.id()).await;
    }
}

impl Deref for Request {
    type Target = RequestHead;

    fn deref(&self) -> &Self::Target {
        &self.head
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("head", &self.head).field("body", &self.body).finish_non_exhaustive()
    }
}
