//! A request as its handler gets it: the head, the content, and the way to answer by calls.

mod body;
mod client;
pub(crate) mod collect;
mod cookies;
mod decoded;
mod joined;
mod multipart_stream;
pub(crate) mod upload;

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::forms::{Multipart, ParseFormError, Variables, urlencoded};
use httpants_core::{Connection, Headers, Misuse, RequestHead, RequestId};

pub use self::body::Body;
pub use self::multipart_stream::{FormError, MultipartStream, StreamedPart};
use self::upload::{BodyReader, Files, Form, TextFields};
use crate::exchange::{Exchange, Shared};

/// A request and its content (`HTTPRequest` in Pants).
///
/// What its head says is reached through [`httpants_core::RequestHead`], to which it derefs.
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
    form: Option<Box<Form>>,
    /// The variables of the query, once they were asked for.
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

    /// The head alone: owned, and cheap to clone. It holds no settings of the server, so its host is
    /// that of the request, whatever trusted proxies say.
    #[must_use]
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The variables of the query (`get` in Pants): several values a name, in order, blank
    /// ones dropped, `+` and percent sequences decoded. Parsed on the first call.
    ///
    /// # Errors
    /// [`ParseFormError`] for more than 1,000 variables (413).
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

    /// The variables of a buffered form: those of `application/x-www-form-urlencoded`, and the
    /// text fields of `multipart/form-data`, multi-valued and in order (`post` in Pants). As in
    /// Pants, urlencoded variables without a value are dropped unless
    /// [`Server::variables`](crate::Server::variables) keeps them, and empty text fields are kept.
    /// Only on POST and PUT, and on PATCH by
    /// [`Server::forms_on_patch`](crate::Server::forms_on_patch); else empty. A form that is
    /// malformed or too large is answered without the handler.
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

    /// The files of a buffered `multipart/form-data` form (`files` in Pants): the parts with
    /// a `filename`. Those that are not persisted are gone with the request.
    #[must_use]
    pub fn files(&self) -> &Files {
        &self.form().files
    }

    /// The text fields of a buffered `multipart/form-data` form with the header fields of their
    /// parts, their charset and their bytes; empty for any other content.
    #[must_use]
    pub fn text_fields(&self) -> TextFields<'_> {
        self.form().text_fields()
    }

    /// The segments of the path, each percent-decoded after the path was split: `/a%2Fb/` has
    /// `a/b` and an empty one, `/` an empty one; `*` and the target of CONNECT have none. Bytes
    /// that are not UTF-8 become U+FFFD: do not find files by it.
    ///
    /// ```
    /// use httpants_driver::{Request, Response};
    ///
    /// async fn handler(request: Request) -> Response {
    ///     let segments: Vec<_> = request.segments().collect();
    ///     match segments.iter().map(|segment| &**segment).collect::<Vec<_>>()[..] {
    ///         ["users", name] => Response::text(format!("hello {name}")),
    ///         _ => Response::new(404),
    ///     }
    /// }
    /// # let _ = handler;
    /// ```
    pub fn segments(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let path = self.head.path().strip_prefix('/');
        let segments = path.into_iter().flat_map(|path| path.split('/'));
        segments.map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy())
    }

    /// The first value of a variable of the query; empty where it has none (`?debug`), `None`
    /// where it is absent. `+` and percent sequences are decoded, and bytes that are not UTF-8
    /// become U+FFFD. [`get`](httpants_core::RequestHead::get) has all variables, without those that
    /// are empty, as in Pants.
    #[must_use]
    pub fn query_param(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut variables = form_urlencoded::parse(self.head.query().as_bytes());
        variables.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn form(&self) -> &Form {
        self.form.as_deref().unwrap_or_else(|| Form::none())
    }

    /// The parts of a `multipart/form-data` form as they arrive, where the request is streamed
    /// ([`BodyPolicy::Stream`](crate::BodyPolicy::Stream)): nothing is stored. Takes the content out
    /// of the request, so that there are no parts when it is called again. The server's limits
    /// hold, and for the whole content `max_body_size`.
    ///
    /// # Errors
    /// [`ParseFormError`] where the head is not that of such a form, or has a Content-Encoding; the
    /// content is as before then.
    pub fn parts(&mut self) -> Result<MultipartStream, ParseFormError> {
        let mut limits = self.exchange.environment().form_limits.clone();
        // The core counts the content, under the limit of this request.
        limits.max_body_size = u64::MAX;
        let multipart = Multipart::for_headers(self.head.headers(), &limits)?;
        Ok(MultipartStream::new(self.body.take(), multipart))
    }

    /// The whole body as it was received, where it is in memory: empty where the request has none.
    ///
    /// `None` where it is somewhere else: in a temporary file, which it is where it is larger than
    /// [`Limits::memory`](httpants_core::forms::Limits::memory) (256 KiB unless changed); not
    /// received, where it is streamed; not kept, where it is that of a large multipart form and
    /// [`Limits::keep_body`](httpants_core::forms::Limits::keep_body) did not ask for it; or taken
    /// through [`body_mut`](Self::body_mut). [`bytes`](Self::bytes) has it wherever it is.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        self.body.as_whole()
    }

    /// The whole content of a buffered request as [`std::io::Read`] and [`std::io::Seek`],
    /// in memory or in a temporary file; for use where blocking is allowed. `None` where the
    /// request is streamed, and where the content is that of a multipart form and was not
    /// kept ([`BodyError::NotKept`](crate::BodyError::NotKept)).
    #[must_use]
    pub fn body_reader(&self) -> Option<BodyReader> {
        self.body.reader()
    }

    /// The content as a stream of pieces, wherever it is.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    /// The content, without the head.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.body
    }

    /// The trailer fields: those of a buffered request at once, of a streamed one when its
    /// content was read to the end.
    #[must_use]
    pub fn trailers(&self) -> Headers {
        self.body.trailers().unwrap_or_default()
    }

    /// How long ago the head was received; frozen when the response was finished (`time` in
    /// Pants).
    #[must_use]
    pub fn time(&self) -> Duration {
        self.head.time(self.exchange.environment().clock.now())
    }

    /// What TLS tells of the connection: version, names, the client's certificate. `None`
    /// where the connection is plain, even if the client's is not, behind a proxy.
    #[cfg(feature = "_tls")]
    #[must_use]
    pub fn tls(&self) -> Option<&crate::TlsSession> {
        self.exchange.tls()
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// A call to the core, which checks that the request is the one that is outstanding.
    fn core<T>(&self, call: impl FnOnce(&mut Connection, RequestId) -> Result<T, Misuse>) -> Result<T, Misuse> {
        let request = self.head.id();
        self.exchange.with(|shared: &mut Shared| call(&mut shared.core, request))
    }

    /// Whether the client has ended its stream. It may only have closed its sending half, so a
    /// response may still be of use to it. Also true once the request is over.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        self.exchange.with(|shared| shared.is_peer_closed(self.head.id()))
    }

    /// Waits until the client has ended its stream or the connection is broken, so that a
    /// handler can stop work whose result is not needed. Ready at once when the request is over.
    ///
    /// A client may close only its sending half and still wait for the response: it gets it
    /// within [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed), unless
    /// [`Config::half_close`](httpants_core::Config::half_close) says otherwise. A broken
    /// connection drops the handler anyway.
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
