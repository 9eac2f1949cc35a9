//! A request as its handler receives it: head, body, and the responder.

mod body;
pub(crate) mod collect;
mod cookies;
mod joined;
mod multipart_stream;
pub(crate) mod upload;

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::forms::{Multipart, ParseFormError, Variables};
use httpants_core::{Connection, Headers, Misuse, Request as RequestHead, RequestId};

pub use self::body::Body;
pub use self::multipart_stream::{FormError, MultipartStream, StreamedPart};
use self::upload::{BodyReader, Files, Form, TextFields};
use crate::exchange::{Exchange, Shared};

/// A request with its body (`HTTPRequest` in Pants).
///
/// It derefs to [`httpants_core::Request`], which has the methods for the head.
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn handler(request: Request) -> Response {
///     match request.path() {
///         "/" => Response::text(format!("hello {}", request.host())),
///         "/length" => Response::text(request.body().len().to_string()),
///         _ => Response::new(404),
///     }
/// }
/// # let _ = handler;
/// ```
pub struct Request {
    head: RequestHead,
    body: Body,
    form: Option<Box<Form>>,
    exchange: Exchange,
}

static NOTHING: Bytes = Bytes::new();

impl Request {
    pub(crate) fn new(head: RequestHead, body: Body, form: Option<Box<Form>>, exchange: Exchange) -> Self {
        Self { head, body, form, exchange }
    }

    pub(crate) fn without_body(head: RequestHead, exchange: Exchange) -> Self {
        Self::new(head, Body::empty(), None, exchange)
    }

    /// Returns the head without the body; cloning it is cheap.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// Returns the variables of a buffered form, multi-valued and in order (`post` in Pants): those
    /// of `application/x-www-form-urlencoded`, and the text fields of `multipart/form-data`. As in
    /// Pants, urlencoded variables without a value are dropped unless
    /// [`Server::variables`](crate::Server::variables) keeps them, and empty text fields are kept.
    /// Forms are parsed on POST and PUT, and on PATCH with
    /// [`Server::forms_on_patch`](crate::Server::forms_on_patch); otherwise it is empty. A
    /// malformed or too large form is refused without calling the handler.
    ///
    /// ```
    /// use httpants_driver::Request;
    ///
    /// async fn greet(request: Request) -> String {
    ///     format!("hello {}", request.post().get("name").unwrap_or("stranger"))
    /// }
    /// # let _ = greet;
    /// ```
    #[must_use]
    pub fn post(&self) -> &Variables {
        &self.form().post
    }

    /// Returns the files of a buffered `multipart/form-data` form (`files` in Pants): the parts
    /// with a `filename`. Files that are not persisted are removed with the request.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.form().files
    }

    /// Returns the text fields of a buffered `multipart/form-data` form with the header fields of
    /// their parts, their charset and their bytes; empty for any other body.
    #[must_use]
    pub fn text_fields(&self) -> TextFields<'_> {
        self.form().text_fields()
    }

    fn form(&self) -> &Form {
        self.form.as_deref().unwrap_or_else(|| Form::none())
    }

    /// Returns the parts of a `multipart/form-data` form as they arrive, for a streamed request
    /// ([`BodyPolicy::Stream`](crate::BodyPolicy::Stream)). Nothing is stored. Takes the body out
    /// of the request, so a second call returns no parts. The server's limits apply, and
    /// `max_body_size` for the whole body.
    ///
    /// # Errors
    /// Returns [`ParseFormError`] if the head is not that of such a form or has a Content-Encoding;
    /// the body is left unchanged then.
    pub fn parts(&mut self) -> Result<MultipartStream, ParseFormError> {
        let mut limits = self.exchange.environment().form_limits.clone();
        // The core enforces the limit of this request.
        limits.max_body_size = u64::MAX;
        let multipart = Multipart::for_headers(self.head.headers(), &limits)?;
        Ok(MultipartStream::new(std::mem::replace(&mut self.body, Body::empty()), multipart))
    }

    /// Returns the whole body, if the request was buffered (the default) and the body is in memory.
    ///
    /// The body of a form is returned as received. It is empty if there is no body, if it is
    /// streamed, if it was taken through [`body_mut`](Self::body_mut), and if it is larger than
    /// [`Limits::memory`](httpants_core::forms::Limits::memory) (256 KiB by default): then it is in
    /// a temporary file, for a multipart form only with
    /// [`Limits::keep_body`](httpants_core::forms::Limits::keep_body).
    /// [`body_reader`](Self::body_reader) and [`Body::bytes`] return it in either case.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.body.as_whole().unwrap_or(&NOTHING)
    }

    /// Returns the whole body of a buffered request as [`std::io::Read`] and [`std::io::Seek`],
    /// from memory or a temporary file. Reading may block. Returns `None` if the request is
    /// streamed, and if the body of a multipart form was not kept
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

    /// Returns the trailer fields: of a buffered request at once, of a streamed one once its body
    /// was read to the end.
    #[must_use]
    pub fn trailers(&self) -> Headers {
        self.body.trailers().unwrap_or_default()
    }

    /// Returns the time since the head was received, until the response was finished (`time` in
    /// Pants).
    #[must_use]
    pub fn time(&self) -> Duration {
        self.head.time(self.exchange.environment().clock.now())
    }

    /// Returns the TLS session of the connection: version, names, the client's certificate. `None`
    /// for a plain connection, even if the client speaks TLS to a proxy in front.
    #[cfg(feature = "_tls")]
    #[must_use]
    pub fn tls(&self) -> Option<&crate::TlsSession> {
        self.exchange.tls()
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Calls the core, which checks that this is the current request.
    fn core<T>(&self, call: impl FnOnce(&mut Connection, RequestId) -> Result<T, Misuse>) -> Result<T, Misuse> {
        let request = self.head.id();
        self.exchange.with(|shared: &mut Shared| call(&mut shared.core, request))
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
    /// [`Config::half_close`](httpants_core::Config::half_close) says otherwise. If the connection
    /// is broken, the handler is dropped anyway.
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
