//! Responses of handlers.

#[cfg(feature = "compression")]
mod compression;
#[cfg(not(feature = "compression"))]
#[path = "compression/unsupported.rs"]
mod compression;
mod convert;
mod error_page;
mod events;
#[cfg(feature = "files")]
pub(crate) mod files;
#[cfg(not(feature = "files"))]
#[path = "files/unsupported.rs"]
pub(crate) mod files;
mod heartbeat;
mod location;
mod outlet;
mod responder;
mod server_error;
mod task;
mod upgraded;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use httpants_core::{FieldLines, Misuse, ResponseHead};

#[cfg(feature = "compression")]
pub use self::compression::{Compression, CompressionLevel};
pub(crate) use self::error_page::{ResponsePolicy, replace_refusal};
pub use self::events::{Event, EventError, Events, IntoEvent};
use self::files::NamedFile;
pub(crate) use self::files::{FileRange, FileSender, OpenFiles};
use self::heartbeat::Heartbeat;
pub(crate) use self::outlet::Outlet;
pub use self::responder::Responder;
pub use self::server_error::{ServerError, ServerErrorKind};
pub(crate) use self::task::{Progress, RemainingWork, StreamTask};
pub(crate) use self::upgraded::TimeLimit;
pub use self::upgraded::Upgraded;
use crate::observe::{Count, Metrics};
use crate::request::collect::CollectError;

/// The error of a response stream. The connection is dropped, so that the response does not look
/// complete.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

pub(crate) type ContentStream = Pin<Box<dyn Stream<Item = Result<Piece, BoxError>> + Send>>;
pub(crate) type UpgradeHandler = Box<dyn FnOnce(Upgraded) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

/// A response: status, header fields and body.
///
/// Handlers may return anything that converts into one: text, bytes, a status code, a `Result` of
/// two such types, and a tuple of a status, optional fields, and one of those.
///
/// ```
/// use httpants_driver::{Response, StatusCode};
///
/// let _ = Response::text("hello");
/// let _ = Response::html("<p>hello").with_header("Cache-Control", "no-store");
/// let _ = Response::bytes("image/png", vec![0x89]).with_status(201);
/// let _ = Response::bytes("application/json", r#"{"ready":true}"#);
/// let _ = Response::redirect("/elsewhere");
/// let _: Response = 404.into();
/// let _: Response = StatusCode::NO_CONTENT.into();
/// let _: Response = (StatusCode::CREATED, "made").into();
/// let _: Response = (StatusCode::CREATED, [("Location", "/orders/7")], "made").into();
/// ```
pub struct Response {
    pub(crate) head: ResponseHead,
    pub(crate) content: Content,
    /// The first invalid setting. The server sends a 500 instead, and logs the misuse.
    pub(crate) misuse: Option<Misuse>,
}

/// An item of a response stream.
pub(crate) enum Piece {
    Data(Bytes),
    /// The end, with trailer fields.
    #[cfg_attr(not(feature = "tower"), expect(dead_code, reason = "only bodies of services have them"))]
    Trailers(FieldLines),
}

pub(crate) enum Content {
    Whole(Bytes),
    Stream(ContentStream),
    Events(ContentStream, Heartbeat),
    #[cfg_attr(not(feature = "files"), expect(dead_code, reason = "no response is a file"))]
    File(Box<NamedFile>),
    Upgrade(UpgradeHandler),
    /// The server's text for an error, for which the application may have a page.
    Error(Box<ErrorText>),
    /// The application failed without a response.
    #[cfg_attr(
        not(any(feature = "tower", feature = "json")),
        expect(dead_code, reason = "only services and JSON fail without a response")
    )]
    Failed(BoxError),
    /// The response was sent by a responder, or should have been.
    Sent,
}

/// An error that the server responds to, and its default text.
pub(crate) struct ErrorText {
    pub(crate) error: ServerError,
    pub(crate) text: Bytes,
}

impl Response {
    /// Creates the default response to an error of the server.
    fn of_error(error: ServerError, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        let fields = if text.is_empty() { FieldLines::new() } else { FieldLines::text_plain() };
        let head = ResponseHead::with_fields(error.status(), fields);
        Self { head, content: Content::Error(Box::new(ErrorText { error, text })), misuse: None }
    }

    fn whole(head: ResponseHead, content: impl Into<Bytes>) -> Self {
        Self { head, content: Content::Whole(content.into()), misuse: None }
    }

    fn typed(fields: FieldLines, content: impl Into<Bytes>) -> Self {
        Self::whole(ResponseHead::with_fields(StatusCode::OK, fields), content)
    }

    pub(crate) fn sent() -> Self {
        Self { head: ResponseHead::default(), content: Content::Sent, misuse: None }
    }

    /// Creates a response without a body, from a number or a [`StatusCode`]. A code outside 200 to
    /// 999 is a mistake; [`with_header`](Self::with_header) describes how those are handled.
    ///
    /// ```
    /// use httpants_driver::{Response, StatusCode};
    ///
    /// assert_eq!(Response::new(404).status(), StatusCode::NOT_FOUND);
    /// assert_eq!(Response::new(StatusCode::NOT_FOUND).status(), 404);
    /// ```
    #[must_use]
    pub fn new(code: impl Into<u16> + TryInto<StatusCode>) -> Self {
        Self::whole(ResponseHead::default(), Bytes::new()).with_status(code)
    }

    /// Creates a 200 with `text/plain` in UTF-8.
    #[must_use]
    pub fn text(content: impl Into<Bytes>) -> Self {
        Self::typed(FieldLines::text_plain(), content)
    }

    /// Creates a 200 with `text/html` in UTF-8.
    #[must_use]
    pub fn html(content: impl Into<Bytes>) -> Self {
        Self::typed(FieldLines::text_html(), content)
    }

    /// Creates a 200 with a body of this media type.
    #[must_use]
    pub fn bytes(content_type: &str, content: impl Into<Bytes>) -> Self {
        Self::typed(FieldLines::new(), content).with_header("Content-Type", content_type)
    }

    /// Creates a 200 with this value as `application/json`. If the value cannot be serialized, such
    /// as a map whose keys are not strings, the response is a 500 and the error is logged.
    ///
    /// ```
    /// use httpants_driver::Response;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Order {
    ///     id: u32,
    /// }
    ///
    /// let response = Response::json(&Order { id: 7 }).with_status(201);
    /// assert_eq!(response.head().fields.get("Content-Type"), Some(&b"application/json"[..]));
    /// ```
    #[cfg(feature = "json")]
    #[must_use]
    pub fn json<T: serde::Serialize + ?Sized>(value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(content) => Self::bytes("application/json", content),
            Err(error) => {
                let content = Content::Failed(Box::new(error));
                Self { head: ResponseHead::default(), content, misuse: None }
            }
        }
    }

    /// Creates a 405 with these methods in `Allow` (RFC 9110 section 15.5.6).
    ///
    /// ```
    /// use httpants_driver::Response;
    ///
    /// let response = Response::method_not_allowed(["GET", "HEAD"]);
    /// assert_eq!(response.status(), 405);
    /// assert_eq!(response.head().fields.get("Allow"), Some(&b"GET, HEAD"[..]));
    /// ```
    #[must_use]
    pub fn method_not_allowed<M: AsRef<str>>(methods: impl IntoIterator<Item = M>) -> Self {
        let methods: Vec<M> = methods.into_iter().collect();
        let allow = methods.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
        Self::new(405).with_header("Allow", allow)
    }

    /// Creates a 302 to another location (RFC 9110 section 15.4.3). Characters that are not allowed
    /// in a URI are percent-encoded as UTF-8; existing encodings such as `%41` are kept. If the
    /// location comes from the client, check its host: `//example.com` is another server.
    /// [`with_status(308)`](Self::with_status) makes it permanent and keeps the method.
    ///
    /// ```
    /// use httpants_driver::Response;
    ///
    /// let response = Response::redirect("/größe?of=a b");
    /// assert_eq!(response.head().fields.get("Location"), Some(&b"/gr%C3%B6%C3%9Fe?of=a%20b"[..]));
    /// ```
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::new(302).with_header("Location", location::encode(location))
    }

    /// Creates a 200 whose body is produced while it is sent. Without a `Content-Length` field it
    /// is chunked, or delimited by the end of the connection on HTTP/1.0. An error of the stream
    /// drops the connection, so that the response does not look complete.
    #[must_use]
    pub fn stream<S, E>(stream: S) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let content = Content::Stream(Box::pin(Mapped { stream: Box::pin(stream) }));
        Self { head: ResponseHead::default(), content, misuse: None }
    }

    /// Creates a 101: the connection continues in another protocol, implemented by `then` (RFC 9110
    /// section 7.8). The request must offer it. For CONNECT, set the status 200.
    #[must_use]
    pub fn upgrade<F, Fut>(protocol: &str, then: F) -> Self
    where
        F: FnOnce(Upgraded) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let content = Content::Upgrade(Box::new(|stream| Box::pin(then(stream))));
        Self { head: ResponseHead::default(), content, misuse: None }.with_status(101).with_header("Upgrade", protocol)
    }

    /// Creates the 200 that opens the tunnel of a CONNECT request; `then` gets the raw stream (RFC
    /// 9110 section 9.3.6).
    #[must_use]
    pub fn tunnel<F, Fut>(then: F) -> Self
    where
        F: FnOnce(Upgraded) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let content = Content::Upgrade(Box::new(|stream| Box::pin(then(stream))));
        Self { head: ResponseHead::default(), content, misuse: None }
    }

    /// Sets the status, by a number or a [`StatusCode`].
    #[must_use]
    pub fn with_status(mut self, code: impl Into<u16> + TryInto<StatusCode>) -> Self {
        // With `Into<u16>` alone, the type of an integer literal would be ambiguous.
        let code = code.into();
        match StatusCode::from_u16(code) {
            Ok(status) => self.head.status = status,
            Err(_) => self.note(Misuse::Status(code)),
        }
        self
    }

    /// Sets a field, in place of all lines with its name; [`fields_mut`](Self::fields_mut) can add
    /// another line. If the name or value cannot be sent, the response becomes a 500, and the
    /// error is logged; `fields_mut` returns such errors instead.
    ///
    /// ```
    /// use httpants_driver::Response;
    /// use httpants_driver::http::header::{CACHE_CONTROL, HeaderValue};
    ///
    /// let response = Response::text("hello").with_header("X-Frame-Options", "DENY");
    /// let response = response.with_header(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    /// assert_eq!(response.head().fields.get("Cache-Control"), Some(&b"no-store"[..]));
    /// ```
    #[must_use]
    pub fn with_header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        if let Err(misuse) = self.head.fields.set(name.as_ref(), value) {
            self.note(misuse);
        }
        self
    }

    /// Returns the field lines for changes.
    pub fn fields_mut(&mut self) -> &mut FieldLines {
        &mut self.head.fields
    }

    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// Returns the status and the field lines.
    #[must_use]
    pub fn head(&self) -> &ResponseHead {
        &self.head
    }

    /// Returns the response to a body that could not be buffered; `None` if the connection has
    /// ended. If some of the body is unread, the connection closes after it.
    pub(crate) fn for_collect_error(error: CollectError, metrics: &Metrics) -> Option<Self> {
        let (response, unread) = match error {
            CollectError::Form { fault, unread } => {
                metrics.one(Count::FormRefused);
                (Self::from(fault), unread)
            }
            CollectError::Disk { error, unread } => {
                let error = ServerError::with_status(ServerErrorKind::Storage, CollectError::disk_status(&error));
                let text = format!("{error}\n");
                (Self::of_error(error, text), unread)
            }
            CollectError::Decoding { error, unread } => (Self::from(error), unread),
            CollectError::Connection => return None,
        };
        Some(if unread { response.with_header("Connection", "close") } else { response })
    }

    /// Returns the response to a request whose body has a coding that is not in this list.
    pub(crate) fn unsupported_coding(supported: &str) -> Self {
        let text = format!("unsupported Content-Encoding: expected one of {supported} (RFC 9110 15.5.16)\n");
        Self::of_error(ServerError::new(ServerErrorKind::ContentEncoding), text)
            .with_header("Accept-Encoding", supported)
    }

    fn note(&mut self, misuse: Misuse) {
        self.misuse.get_or_insert(misuse);
    }
}

/// A stream with boxed errors.
struct Mapped<S> {
    stream: Pin<Box<S>>,
}

impl<S, E> Stream for Mapped<S>
where
    S: Stream<Item = Result<Bytes, E>>,
    E: Into<BoxError>,
{
    type Item = Result<Piece, BoxError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        let item = self.stream.as_mut().poll_next(context);
        item.map(|item| item.map(|item| item.map(Piece::Data).map_err(Into::into)))
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = match &self.content {
            Content::Whole(bytes) => format!("{} bytes", bytes.len()),
            Content::Stream(_) => "stream".into(),
            Content::Events(_, heartbeat) => format!("events, {heartbeat:?}"),
            Content::File(file) => format!("{file:?}"),
            Content::Upgrade(_) => "upgrade".into(),
            Content::Error(own) => format!("{} bytes", own.text.len()),
            Content::Failed(_) => "failed".into(),
            Content::Sent => "sent".into(),
        };
        f.debug_struct("Response").field("head", &self.head).field("content", &content).finish_non_exhaustive()
    }
}
