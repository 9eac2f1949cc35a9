//! What answers requests.

use std::future::Future;

use httpants_core::{RequestHead, forms};

use crate::request::Request;
use crate::response::Response;

/// The application: an async function from a request to something that becomes a response.
///
/// It is implemented for functions and closures of that form. Futures need to be `Send`
/// only where the runtime's spawn asks for it.
///
/// What all requests share is a state ([`Server::with_state`](crate::Server::with_state)), or is
/// captured by a closure. An error of the application becomes an
/// answer, also behind `?`, by a conversion of its own; there is none for
/// [`std::io::Error`] and boxed errors, because internal errors are not shown to clients.
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
///             (_, "/" | "/uptime") => Ok(Response::new(405).with_header("Allow", "GET, HEAD")),
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
    note = "what all requests share goes into `Server::with_state`, and to `async fn handler(state: Arc<State>, request: Request) -> Response`"
)]
pub trait Handler: 'static {
    /// What the future gives.
    type Output: Into<Response>;
    /// The future that answers one request.
    type Future: Future<Output = Self::Output> + 'static;

    /// Begins to answer. The request is owned: it may be moved to another task.
    fn call(&self, request: Request) -> Self::Future;

    /// What becomes of the content of a request that has some, decided by its head, unless
    /// [`Server::intake`](crate::Server::intake) decides. By default it is read before
    /// [`call`](Self::call).
    fn intake(&self, head: &RequestHead) -> BodyPolicy {
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

/// What to do with the content of a request, decided when its head is there and before
/// `100 Continue` is sent.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum BodyPolicy {
    /// Read all of it before the handler runs, as Pants does. The default.
    ///
    /// A form is taken apart on POST and PUT ([`Request::post`], [`Request::files`]).
    /// Unprocessed, the content is in memory where it is small, else in a temporary file
    /// ([`Request::body`], [`Request::body_reader`]); that of a large multipart form only
    /// where [`Limits::keep_body`](forms::Limits::keep_body) asks for it.
    #[default]
    Buffer,
    /// The same under other limits than the server's: how large this request may be, and how
    /// much of it stays in memory.
    BufferWith(Box<forms::Limits>),
    /// Start the handler at once and let it read the content piece by piece
    /// ([`Request::body_mut`]), or a form part by part ([`Request::parts`]): no temporary
    /// file is made.
    Stream,
    /// The same with a limit in bytes of its own, in place of `max_body_size`.
    StreamUpTo(u64),
    /// Answer at once, without the content and without the handler.
    Refuse(Box<Response>),
}
