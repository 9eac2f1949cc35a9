//! A request as its handler gets it: the head, the content, and the way to answer by calls.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{Connection, Headers, Misuse};

use crate::body::Body;
use crate::exchange::Exchange;
use crate::responder::Responder;

/// A request and its content (the seed's `HTTPRequest`).
///
/// What its head says is reached through [`httpants_core::Request`], to which it derefs.
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
    head: httpants_core::Request,
    body: Body,
    exchange: Exchange,
    serial: u64,
}

static NOTHING: Bytes = Bytes::new();

impl Request {
    pub(crate) fn new(head: httpants_core::Request, body: Body, exchange: Exchange, serial: u64) -> Self {
        Self { head, body, exchange, serial }
    }

    /// The head alone: owned, and cheap to clone.
    #[must_use]
    pub fn head(&self) -> &httpants_core::Request {
        &self.head
    }

    /// The whole content, where the request was buffered (the default). Empty where there is
    /// none, where it is streamed, and after it was taken through
    /// [`body_mut`](Self::body_mut).
    #[must_use]
    pub fn body(&self) -> &Bytes {
        self.body.as_whole().unwrap_or(&NOTHING)
    }

    /// The content as a stream of pieces.
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

    /// Answers call by call, in the seed's style, instead of by the handler's return value.
    #[must_use]
    pub fn responder(&self) -> Responder {
        Responder::new(self.exchange.clone(), self.serial)
    }

    /// How long ago the head was received; frozen when the answer was finished (the seed's
    /// `time`). In another task it is as late as the connection's last wake-up.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.head.time(self.exchange.lock().core.now())
    }

    /// A call to the core for this request, as long as it is the one being answered.
    pub(crate) fn core<T>(&self, call: impl FnOnce(&mut Connection) -> Result<T, Misuse>) -> Result<T, Misuse> {
        let mut shared = self.exchange.lock();
        if shared.serial == self.serial { call(&mut shared.core) } else { Err(Misuse::NoRequest) }
    }

    /// Whether the client ended its stream since. It may only have closed its sending side,
    /// so an answer may still be of use to it.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        let shared = self.exchange.lock();
        shared.serial != self.serial || shared.closed.is_some() || shared.peer_closed
    }
}

impl Deref for Request {
    type Target = httpants_core::Request;

    fn deref(&self) -> &Self::Target {
        &self.head
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("head", &self.head).field("body", &self.body).finish_non_exhaustive()
    }
}
