//! The setting for responses to errors of the server.

use httpants_core::RequestHead;

use super::Server;
use crate::response::{Response, ServerError};
use crate::runtime::Runtime;

impl<R: Runtime, H> Server<R, H> {
    /// Sets a function that creates the response to errors that the server responds to by itself,
    /// instead of a line of plain text: refused requests, timeouts, panics, forms and files. See
    /// [`ServerErrorKind`](crate::ServerErrorKind) for all of them. It gets the head of the request
    /// if that was accepted; [`ServerError::refusal`] has what was read of any other. `None` is the
    /// default response. Responses of the handler are not concerned, whatever their status; an error
    /// of this crate that the handler returns is ([`BodyError`](crate::BodyError),
    /// [`FormError`](crate::FormError), `websocket::WebSocketError`), unless its status was changed.
    ///
    /// Fields and body are the application's. Status, `Content-Length` and closing are the server's,
    /// and so is what it says of the error in `Accept-Encoding`, `Allow`, `Content-Range`,
    /// `Sec-WebSocket-Version` or `Upgrade`, unless the response has these fields, too. The status of
    /// the response is ignored. A response without a whole body (stream, file, upgrade), or with
    /// `Transfer-Encoding`, `Trailer`, `Upgrade`, `Connection: close` or another `Content-Length`, is
    /// a mistake: it is logged, and the default is sent, as it is if the function panics. A response
    /// to HEAD is sent without its body.
    ///
    /// The function runs in the task of the connection, in the span of the connection and without a
    /// lock; it must not block. There is no response, and so no call, if the connection has ended or
    /// if another response had begun, and for a peer without a valid PROXY header.
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
    /// A handler that streams a body can respond to one that is too large by itself: choose
    /// [`StreamUpTo(u64::MAX)`](crate::BodyPolicy::StreamUpTo), count what is read, and return a 413.
    #[must_use]
    pub fn on_error(
        mut self,
        respond: impl Fn(&ServerError, Option<&RequestHead>) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        self.parts.responses.on_error = Some(Box::new(respond));
        self
    }
}
