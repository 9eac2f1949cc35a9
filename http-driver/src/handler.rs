//! Handlers of requests.

use std::future::Future;

use httpants_core::{RequestHead, RequestLimits, forms};

use crate::request::Request;
use crate::response::Response;

/// The application: an async function from a request to a value that converts into a response.
///
/// Implemented for functions and closures of that form. Futures must be `Send` only if the
/// runtime's spawn requires it.
///
/// State shared by all requests is passed by [`Server::with_state`](crate::Server::with_state), or
/// captured by a closure; an async closure that borrows captured state does not implement `Fn`, so
/// use `with_state` for that. An application error becomes a response, also with `?`, if it
/// implements `Into<Response>`. There is no such conversion for [`std::io::Error`] and boxed
/// errors, because internal errors are not shown to clients.
///
/// ```
/// use std::sync::Arc;
/// use httpants_driver::{Request, Response, Server, StatefulHandler};
/// use httpants_testkit::memory::Memory;
///
/// struct Application {
///     greeting: String,
/// }
///
/// enum Failed {
///     NotFound,
///     Disk(std::io::Error),
/// }
///
/// impl From<std::io::Error> for Failed {
///     fn from(error: std::io::Error) -> Self {
///         Self::Disk(error)
///     }
/// }
///
/// impl From<Failed> for Response {
///     fn from(failed: Failed) -> Self {
///         match failed {
///             Failed::NotFound => Response::text("there is no such page\n").with_status(404),
///             Failed::Disk(error) => {
///                 eprintln!("{error}");
///                 Response::new(500)
///             }
///         }
///     }
/// }
///
/// impl Application {
///     async fn respond(&self, request: Request) -> Result<Response, Failed> {
///         match (request.method().as_str(), request.path()) {
///             ("GET" | "HEAD", "/") => Ok(Response::text(self.greeting.clone())),
///             ("GET" | "HEAD", "/uptime") => Ok(Response::text(std::fs::read_to_string("/proc/uptime")?)),
///             (_, "/" | "/uptime") => Ok(Response::method_not_allowed(["GET", "HEAD"])),
///             _ => Err(Failed::NotFound),
///         }
///     }
/// }
///
/// let application = Arc::new(Application { greeting: "hello\n".into() });
/// let respond = async |application: Arc<Application>, request| application.respond(request).await;
/// let memory = Memory::new();
/// let handler = StatefulHandler::new(application, respond);
/// memory.start(Server::with_runtime(memory.clone(), handler));
/// let client = memory.connect();
/// client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /there HTTP/1.1\r\nHost: a\r\n\r\n");
/// memory.run();
/// assert!(client.take_received().ends_with(b"\r\n\r\nthere is no such page\n"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler",
    label = "expected an async function from `Request` to something that becomes a `Response`",
    note = "write `async fn handler(request: Request) -> Response` or `async |request: Request| ..`",
    note = "to share a state between requests, use `Server::with_state` and `async fn handler(state: Arc<State>, request: Request) -> Response`"
)]
pub trait Handler: 'static {
    /// The output of the future.
    type Output: Into<Response>;
    /// The future that handles one request.
    type Future: Future<Output = Self::Output> + 'static;

    /// Starts handling a request. The request is owned and may be moved to another task.
    fn call(&self, request: Request) -> Self::Future;

    /// Returns the policy for the body of a request, chosen from its head, unless
    /// [`Server::body_policy`](crate::Server::body_policy) is set. The default buffers it before
    /// [`call`](Self::call). Not called for requests without a body.
    fn body_policy(&self, head: &RequestHead) -> BodyPolicy {
        let _ = head;
        BodyPolicy::Buffer
    }
}

impl<F, Fut> Handler for F
where
    F: Fn(Request) -> Fut + 'static,
    Fut: Future + 'static,
    Fut::Output: Into<Response>,
{
    type Output = Fut::Output;
    type Future = Fut;

    fn call(&self, request: Request) -> Fut {
        self(request)
    }
}

/// The policy for the body of a request, chosen after its head was received and before `100
/// Continue` is sent.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum BodyPolicy {
    /// Reads the whole body before the handler runs, as in Pants. The default.
    ///
    /// The raw body is in memory if it is small, otherwise in a temporary file ([`Request::body`],
    /// [`Request::body_reader`]). With the feature `forms`, forms are parsed on POST and PUT
    /// (`Request::post`, `Request::files`); the raw body of a large multipart form is kept only
    /// with [`FormLimits::keep_body`](forms::FormLimits::keep_body).
    #[default]
    Buffer,
    /// Buffers with these limits instead of the server's: the maximum size of this body, and how
    /// much of it stays in memory.
    BufferWith(Box<forms::FormLimits>),
    /// Starts the handler at once. It reads the body piece by piece ([`Request::body_mut`]), or a
    /// form part by part (`Request::parts`). No temporary files are created.
    Stream,
    /// Streams with this limit in bytes instead of `max_body_size`.
    StreamUpTo(u64),
    /// Sends this response at once, without reading the body or calling the handler.
    Refuse(Box<Response>),
    /// One of the other policies, with limits and timeouts for this request; created by
    /// [`with_limits`](Self::with_limits).
    Limited(Box<LimitedPolicy>),
}

/// A body policy with limits for one request.
#[derive(Debug)]
pub struct LimitedPolicy {
    policy: BodyPolicy,
    limits: RequestLimits,
}

impl BodyPolicy {
    /// Sets limits and timeouts for this request instead of the server's: size, time, rate and
    /// framing of its body, and the time of its handler. They take precedence over those of
    /// [`BufferWith`](Self::BufferWith) and [`StreamUpTo`](Self::StreamUpTo), and those of the last
    /// call over those of earlier calls. A request without a body has no policy: use
    /// [`Server::request_limits`](crate::Server::request_limits) to set limits for any request.
    ///
    /// ```
    /// use std::time::Duration;
    /// use httpants_driver::{BodyPolicy, Request, RequestLimits, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let backup = RequestLimits::new()
    ///     .max_body_size(1 << 40)
    ///     .body_timeout(Duration::from_secs(300))
    ///     .body_rate(0)
    ///     .handler_timeout(None);
    /// let handler = async |_: Request| "stored";
    /// let server = Server::with_runtime(Memory::new(), handler).body_policy(move |head| match head.path() {
    ///     "/backup" => BodyPolicy::Stream.with_limits(backup.clone()),
    ///     _ => BodyPolicy::Buffer,
    /// });
    /// # drop(server);
    /// ```
    #[must_use]
    pub fn with_limits(self, limits: RequestLimits) -> Self {
        let (policy, known) = self.into_parts();
        let limits = limits.or(known.unwrap_or_default());
        Self::Limited(Box::new(LimitedPolicy { policy, limits }))
    }

    /// Returns the largest body that the policy itself allows, if it sets one.
    pub(crate) fn max_body_size(&self) -> Option<u64> {
        match self {
            Self::BufferWith(form) => Some(form.max_body_size),
            Self::StreamUpTo(size) => Some(*size),
            _ => None,
        }
    }

    /// Returns the policy, and the limits for its request if it sets some.
    pub(crate) fn into_parts(self) -> (Self, Option<RequestLimits>) {
        match self {
            Self::Limited(limited) => (limited.policy, Some(limited.limits)),
            policy => (policy, None),
        }
    }
}
