//! Requests without a connection, for tests of handlers.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method};
use httpants_core::forms::{FormLimits, ParseFormError};
use httpants_core::proxy::{ProxyPolicy, XHeaders};
use httpants_core::{Config, Connection, ConnectionInfo, Event, Headers, Misuse, Now, ProtocolError, RequestHead};

use super::collect::{CollectError, Collected, Settings, collect};
use super::forms::Form;
use super::upload::Content;
use super::{Body, Request};
use crate::exchange::{CookieKeys, Environment, Exchange, random_key};
use crate::lifecycle::Handle;
use crate::runtime::{BlockingPool, Clock};

/// A builder of requests for unit tests that call a handler directly, from [`Request::builder`].
///
/// The request is parsed by the parser of the server, so what a server would refuse is an error
/// here, too. Host and Content-Length are added unless they are set, and forms are parsed. There is
/// no limit for the size of the body.
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn greet(request: Request) -> Response {
///     Response::text(format!("hello {}", request.post().get("name").unwrap_or("stranger")))
/// }
///
/// # fn main() -> Result<(), httpants_driver::BuildRequestError> {
/// let request = Request::builder()
///     .method("POST")
///     .target("/greet?lang=en")
///     .header("Content-Type", "application/x-www-form-urlencoded")
///     .body("name=Ada")
///     .build()?;
/// assert_eq!(request.query_param("lang").as_deref(), Some("en"));
/// assert_eq!(request.post().get("name"), Some("Ada"));
/// # let response = httpants_testkit::memory::Memory::new();
/// # use httpants_driver::runtime::Runtime;
/// # let response = response.block_on(greet(request)).unwrap();
/// // In an async test: let response = greet(request).await;
/// assert_eq!(response.status(), 200);
/// # Ok(()) }
/// ```
///
/// Cookies that a handler sets on the request are not in the response that it returns; a server
/// adds them when it sends the response. Bytes that a handler sends by [`Request::responder`] are
/// accepted as long as they fit into the send buffer, and are then dropped. The client never
/// disconnects. To test whole responses, use the server in the module `testing` of the adapters.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct RequestBuilder {
    method: String,
    target: String,
    fields: Vec<(String, Vec<u8>)>,
    body: Bytes,
    info: ConnectionInfo,
    cookie_keys: Option<CookieKeys>,
    proxies: ProxyPolicy,
    /// The first field that cannot be sent.
    misuse: Option<Misuse>,
}

impl Request {
    /// Returns a builder for tests of handlers. Defaults: method GET, target `/`, version HTTP/1.1.
    pub fn builder() -> RequestBuilder {
        RequestBuilder {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            fields: Vec::new(),
            body: Bytes::new(),
            info: ConnectionInfo::default(),
            cookie_keys: None,
            proxies: ProxyPolicy::default(),
            misuse: None,
        }
    }
}

impl RequestBuilder {
    /// Sets the method.
    pub fn method(mut self, method: impl AsRef<str>) -> Self {
        method.as_ref().clone_into(&mut self.method);
        self
    }

    /// Sets the request target: a path with its query, or another form of RFC 9112 section 3.2.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = target.into();
        self
    }

    /// Adds a field line. Lines with the same name are all kept.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            self.misuse.get_or_insert(Misuse::FieldName);
        } else if HeaderValue::from_bytes(value).is_err() {
            self.misuse.get_or_insert(Misuse::FieldValue);
        } else {
            self.fields.push((name.to_owned(), value.to_vec()));
        }
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the addresses of the connection, and whether it is secured. Default: unknown addresses
    /// and a plain transport.
    pub fn connection_info(mut self, info: ConnectionInfo) -> Self {
        self.info = info;
        self
    }

    /// Sets the keys of signed cookies, as [`Server::cookie_keys`](crate::Server::cookie_keys).
    /// Default: a random one.
    #[cfg(feature = "cookies")]
    pub fn cookie_keys(mut self, keys: crate::KeyRing) -> Self {
        self.cookie_keys = Some(keys);
        self
    }

    /// Sets the trusted proxies, as [`Server::xheaders`](crate::Server::xheaders).
    pub fn xheaders(mut self, xheaders: XHeaders) -> Self {
        self.proxies.xheaders = xheaders;
        self
    }

    /// Parses and returns the request.
    ///
    /// # Errors
    /// Returns the reason why a server would not call a handler with this request, or why it cannot
    /// be sent.
    pub fn build(mut self) -> Result<Request, BuildRequestError> {
        let clock = system_clock();
        let mut config = Config::default();
        config.limits.max_body_size = u64::MAX;
        let config = Arc::new(config);
        let mut core = Connection::new(Arc::clone(&config), self.info, clock.now());
        let head = self.encode()?;
        let (front, last) = self.body.split_at(self.body.len().saturating_sub(1));
        let Received { head, body, trailers } = Received::from(&mut core, [&head, front, last], clock.now())?;
        let (Some(head), Some(trailers)) = (head, trailers) else { return Err(BuildRequestError::Length) };
        let (body, form) = buffered(&head, body.freeze(), trailers)?;
        let cookie_keys = self.cookie_keys.map_or_else(random_key, Ok).map_err(BuildRequestError::Io)?;
        let proxies = Arc::new(self.proxies);
        let (form_limits, handle) = (form_limits(), Handle::new(Arc::default()));
        let environment = Environment { config, form_limits, proxies, cookie_keys, clock, handle };
        Ok(Request::new(head, body, form, Exchange::new(core, environment.into())))
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Encodes the head.
    fn encode(&mut self) -> Result<Vec<u8>, BuildRequestError> {
        if let Some(misuse) = self.misuse.take() {
            return Err(BuildRequestError::Field(misuse));
        }
        if Method::from_bytes(self.method.as_bytes()).is_err() {
            return Err(BuildRequestError::Method);
        }
        if self.target.is_empty() || self.target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(BuildRequestError::Target);
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        if !self.has("Host") {
            head.extend_from_slice(b"Host: localhost\r\n");
        }
        let is_framed = self.has("Content-Length") || self.has("Transfer-Encoding");
        if !is_framed && (!self.body.is_empty() || matches!(&*self.method, "POST" | "PUT" | "PATCH")) {
            head.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        for (name, value) in &self.fields {
            head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        head.extend_from_slice(b"\r\n");
        Ok(head)
    }
}

/// The events of a core for the bytes of a request.
#[derive(Default)]
struct Received {
    head: Option<RequestHead>,
    body: BytesMut,
    /// The trailer fields; `None` before the request is complete.
    trailers: Option<Headers>,
}

impl Received {
    /// Passes the head, the body and the last byte of the body to a core. The request must end
    /// after that byte.
    fn from(core: &mut Connection, sent: [&[u8]; 3], now: Now) -> Result<Self, BuildRequestError> {
        let mut received = Self::default();
        for mut rest in sent {
            while !rest.is_empty() {
                if received.trailers.is_some() {
                    return Err(BuildRequestError::Length);
                }
                let taken = core.receive(rest, now);
                let events = received.process_events(core)?;
                if taken == 0 && events == 0 {
                    return Err(BuildRequestError::Length);
                }
                rest = rest.get(taken..).unwrap_or_default();
            }
        }
        Ok(received)
    }

    /// Takes the events of the core; returns their number.
    fn process_events(&mut self, core: &mut Connection) -> Result<usize, BuildRequestError> {
        let mut count = 0;
        while let Some(event) = core.poll_event() {
            count += 1;
            match event {
                // Bytes after the body are another request.
                Event::Request(_) if self.head.is_some() => return Err(BuildRequestError::Length),
                Event::Request(head) => {
                    self.trailers = (!head.has_body()).then(Headers::default);
                    self.head = Some(head);
                }
                Event::Data(_, data) => self.body.extend_from_slice(&data),
                Event::End(_, trailers) => self.trailers = Some(trailers),
                Event::Refused(refusal) => return Err(BuildRequestError::Refused(refusal.error())),
                _ => {}
            }
        }
        Ok(count)
    }
}

type Buffered = (Body, Option<Box<Form>>);

/// Buffers the body as a server does before it calls the handler.
fn buffered(head: &RequestHead, body: Bytes, trailers: Headers) -> Result<Buffered, BuildRequestError> {
    if !head.has_body() {
        return Ok((Body::empty(), None));
    }
    // The pool does blocking work at once, so the future is ready after a few polls.
    let mut settings = Settings::new(blocking_pool());
    settings.limits = form_limits();
    let body = Body::collected(Some(Content::Memory(body)), trailers);
    let mut collecting = pin!(collect(head, body, None, &Arc::new(settings))?);
    loop {
        if let Poll::Ready(collected) = collecting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            let Collected { body, form } = collected?;
            return Ok((body, form));
        }
    }
}

fn form_limits() -> FormLimits {
    let mut limits = FormLimits::default();
    limits.max_body_size = u64::MAX;
    limits
}

/// Returns a pool that does the work on the calling thread.
fn blocking_pool() -> BlockingPool {
    BlockingPool::new(|work| {
        work();
        Box::pin(std::future::ready(Ok(())))
    })
}

fn system_clock() -> Clock {
    let origin = Instant::now();
    Clock::new(move || Now::new(origin.elapsed(), SystemTime::now().try_into().unwrap_or_default()))
}

/// The reason why a request cannot be built.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildRequestError {
    /// The method is not a token.
    Method,
    /// The target is empty, or has a space or a control character.
    Target,
    /// A field line cannot be sent.
    Field(Misuse),
    /// The Content-Length field or the chunks do not fit the body.
    Length,
    /// A server refuses the request.
    Refused(ProtocolError),
    /// A server refuses the form in the body.
    Form(ParseFormError),
    /// A temporary file cannot be written, or the system has no random key.
    Io(io::Error),
}

impl fmt::Display for BuildRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method => f.write_str("invalid method: expected a token"),
            Self::Target => f.write_str("invalid target: expected text without spaces and control characters"),
            Self::Field(misuse) => write!(f, "invalid field: {misuse}"),
            Self::Length => f.write_str("the body is not as long as its header fields announce"),
            Self::Refused(error) => write!(f, "a server refuses the request: {error}"),
            Self::Form(error) => write!(f, "a server refuses the form: {error}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BuildRequestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Field(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::Form(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Method | Self::Target | Self::Length => None,
        }
    }
}

impl From<CollectError> for BuildRequestError {
    fn from(error: CollectError) -> Self {
        match error {
            CollectError::Form { fault, .. } => Self::Form(fault),
            CollectError::Disk { error, .. } => Self::Io(error),
            // A builder decodes nothing.
            CollectError::Connection | CollectError::Decoding { .. } => Self::Length,
        }
    }
}
