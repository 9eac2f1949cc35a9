//! The setting for error responses of the server.

use httpants_core::RequestHead;

use super::Server;
use crate::response::{Response, ServerError};
use crate::runtime::Runtime;

impl<R: Runtime, H> Server<R, H> {
    /// Sets a function that creates the server's own error responses, instead of a line of plain
    /// text: refused requests, timeouts, panics, forms and files. See
    /// [`ServerErrorKind`](crate::ServerErrorKind) for all of them. It gets the head of the request
    /// if that was accepted; for a refused head, [`ServerError::refusal`] contains what was read of
    /// it. `None` selects the default response. The function is not called for responses of the
    /// handler, whatever their status, except for errors of this crate that the handler returns
    /// ([`BodyError`](crate::BodyError), [`FormError`](crate::FormError),
    /// `websocket::WebSocketError`) without changing their status.
    ///
    /// The function sets the fields and the body. The server sets the status, `Content-Length` and
    /// whether the connection closes; it ignores the status of the response. It adds the fields
    /// that belong to the error: `Upgrade`, and unless the response has them `Accept-Encoding`,
    /// `Allow`, `Content-Range` and `Sec-WebSocket-Version`. A response without a whole body
    /// (stream, file, upgrade), or with `Transfer-Encoding`, `Trailer`, `Upgrade`,
    /// `Connection: close` or another `Content-Length`, is a mistake: it is logged, and the default
    /// response is sent, as it is if the function panics. A response to HEAD is sent without its
    /// body.
    ///
    /// The function runs in the task of the connection, in the span of the connection and without a
    /// lock; it must not block. The function is not called if there is no response: the connection
    /// has ended, another response has begun, or the peer sent no valid PROXY header.
    ///
    /// ```
    /// use httpants_driver::{Request, Response, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let server = Server::with_runtime(memory.clone(), async |_: Request| "hello").on_error(|error, _| {
    ///     let body = format!("{{\"status\":{},\"detail\":\"{error}\"}}", error.status().as_u16());
    ///     let response = Response::bytes("application/problem+json", body);
    ///     Some(response.with_header("Access-Control-Allow-Origin", "*"))
    /// });
    /// memory.start(server);
    /// let client = memory.connect();
    /// client.send(b"GET / HTTP/1.1\r\n\r\n");
    /// memory.run();
    /// let received = String::from_utf8(client.take_received()).unwrap();
    /// assert!(received.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    /// assert!(received.contains("\r\nAccess-Control-Allow-Origin: *\r\n"));
    /// assert!(received.ends_with("\"detail\":\"an HTTP/1.1 request must have a Host field (RFC 9112 3.2)\"}"));
    /// ```
    ///
    /// A handler that streams a body can send its own response to one that is too large: choose
    /// [`StreamUpTo(u64::MAX)`](crate::BodyPolicy::StreamUpTo), count what is read, and return a
    /// 413.
    #[must_use]
    pub fn on_error(
        mut self,
        respond: impl Fn(&ServerError, Option<&RequestHead>) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        self.parts.responses.on_error = Some(Box::new(respond));
        self
    }
}
