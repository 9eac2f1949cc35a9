//! Responding call by call, as in Pants, with backpressure.

use bytes::Bytes;
use http::StatusCode;
use httpants_core::{FieldLines, Misuse, RequestId, ResponseWriter};

use super::Response;
use crate::exchange::{Exchange, Shared};
use crate::request::Request;
use crate::runtime::yield_now;

/// A responder that sends a response call by call; from
/// [`Request::responder`](crate::Request::responder).
///
/// The order is [`send_status`](Self::send_status), [`send_headers`](Self::send_headers),
/// [`send`](Self::send), [`finish`](Self::finish); calls out of order return [`Misuse`]. The
/// handler returns what `finish` returns. If it returns without finishing, the response is aborted
/// and the connection dropped.
///
/// ```
/// use httpants_driver::{Misuse, Request, Response};
///
/// async fn handler(request: Request) -> Result<Response, Misuse> {
///     let mut responder = request.responder();
///     responder.send_status(200)?;
///     responder.send_headers([("Content-Type", "text/plain")], true)?;
///     for line in 0..3 {
///         responder.send(format!("line {line}\n")).await?;
///     }
///     responder.finish().await
/// }
/// # let _ = handler;
/// ```
#[derive(Debug)]
pub struct Responder {
    exchange: Exchange,
    request: RequestId,
    /// Number of pieces sent without waiting since other tasks last got a turn.
    sent: usize,
}

/// Number of pieces that a handler may send before other tasks get a turn.
const PIECES: usize = 32;

impl Request {
    /// Returns a responder to send the response call by call, as in Pants, instead of returning it
    /// from the handler.
    #[must_use]
    pub fn responder(&self) -> Responder {
        Responder { exchange: self.exchange().clone(), request: self.id(), sent: 0 }
    }
}

impl Responder {
    /// Sends the status, in the request's version and with its registered phrase.
    ///
    /// # Errors
    /// Returns the same errors as [`ResponseWriter::send_status`].
    pub fn send_status(&mut self, status: impl Into<u16> + TryInto<StatusCode>) -> Result<(), Misuse> {
        let status = status.into();
        self.write(|writer| writer.send_status(status))
    }

    /// Sends an interim response before the head, such as 103 Early Hints with `Link` fields, so
    /// that the client can load what the page needs while the handler still works on it. Waits
    /// until there is room in the send buffer. Returns false if the client speaks HTTP/1.0, which
    /// has no interim responses; nothing is sent then. Any response may follow, also one that the
    /// handler returns without this responder.
    ///
    /// ```
    /// use httpants_driver::{Misuse, Request, Response};
    ///
    /// async fn page(request: Request) -> Result<Response, Misuse> {
    ///     let hints = [("Link", "</style.css>; rel=preload; as=style")];
    ///     request.responder().send_interim(103, hints).await?;
    ///     Ok(Response::html("<!doctype html><link rel=stylesheet href=/style.css>"))
    /// }
    /// # let _ = page;
    /// ```
    ///
    /// Some HTTP/1.1 clients treat any interim response except 100 as the final one, such as
    /// Python's `http.client` and libraries based on it (requests, urllib3). Send interim responses
    /// only to clients known to skip them (RFC 8297 section 3), such as Chromium, curl, Node.js,
    /// httpx and aiohttp.
    ///
    /// # Errors
    /// Returns the errors of [`httpants_core::Connection::send_interim`], and errors for invalid
    /// fields. Nothing was sent then.
    pub async fn send_interim<N, V>(
        &mut self,
        status: impl Into<u16> + TryInto<StatusCode>,
        fields: impl IntoIterator<Item = (N, V)>,
    ) -> Result<bool, Misuse>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let status = status.into();
        // The application's iterator runs without the lock.
        let fields = FieldLines::try_from_iter(fields)?;
        let sent = self.exchange.with(|shared| {
            let sent = shared.core.send_interim(self.request, status, &fields);
            shared.notify();
            sent
        });
        self.take_turn().await;
        let sent = sent?;
        self.wait_for_room().await?;
        Ok(sent)
    }

    /// Sends header fields; with `end_headers` the head is complete and is sent.
    ///
    /// # Errors
    /// Returns the same errors as [`ResponseWriter::send_headers`].
    pub fn send_headers<N, V>(
        &mut self,
        headers: impl IntoIterator<Item = (N, V)>,
        end_headers: bool,
    ) -> Result<(), Misuse>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        // The application's iterator runs without the lock.
        let fields = FieldLines::try_from_iter(headers)?;
        self.write(|writer| writer.send_fields(&fields, end_headers))
    }

    /// Sends the cookies that were set for the response: all, or those named. Without this call all
    /// are sent with the head; with it the others are not sent.
    ///
    /// # Errors
    /// Returns the same errors as [`ResponseWriter::send_cookies`].
    pub fn send_cookies(&mut self, names: Option<&[&str]>, end_headers: bool) -> Result<(), Misuse> {
        self.write(|writer| writer.send_cookies(names, end_headers))
    }

    /// Sends a piece of the body; waits until there is room for the next one.
    ///
    /// # Errors
    /// Returns the same errors as [`ResponseWriter::send`], and [`Misuse::Closed`] if the
    /// connection has ended.
    pub async fn send(&mut self, data: impl Into<Bytes>) -> Result<(), Misuse> {
        let data = data.into();
        // A clone, so that the last handle of the data is dropped without the lock.
        let kept = data.clone();
        let sent = self.write(|writer| writer.send(data));
        drop(kept);
        self.take_turn().await;
        sent?;
        self.wait_for_room().await
    }

    /// Yields to other tasks after [`PIECES`] calls without waiting. Called also if nothing can be
    /// sent: a loop that ignores errors must not occupy a thread.
    async fn take_turn(&mut self) {
        self.sent += 1;
        if self.sent >= PIECES {
            self.sent = 0;
            yield_now().await;
        }
    }

    async fn wait_for_room(&mut self) -> Result<(), Misuse> {
        if self.exchange.room(self.request).await? {
            self.sent = 0;
        }
        Ok(())
    }

    /// Sends a whole response in one call. The defaults of Pants are 200 and `text/plain`.
    ///
    /// # Errors
    /// Returns the same errors as [`ResponseWriter::send_response`].
    pub fn send_response(
        self,
        content: impl Into<Bytes>,
        status: impl Into<u16> + TryInto<StatusCode>,
        content_type: &str,
    ) -> Result<Response, Misuse> {
        let (content, status) = (content.into(), status.into());
        let kept = content.clone();
        let sent = self.finishing(|shared, request| {
            shared.core.response_writer(request).send_response(content, status, content_type)
        });
        drop(kept);
        sent
    }

    /// Finishes the response; returns the value that the handler must return.
    ///
    /// # Errors
    /// Returns the same errors as [`ResponseWriter::finish`].
    pub async fn finish(self) -> Result<Response, Misuse> {
        self.finishing(|shared, request| shared.core.response_writer(request).finish())
    }

    /// Finishes like [`finish`](Self::finish), with trailer fields after a chunked body.
    ///
    /// # Errors
    /// Returns the same errors as [`httpants_core::Connection::finish_with_trailers`].
    pub async fn finish_with_trailers(self, trailers: &FieldLines) -> Result<Response, Misuse> {
        self.finishing(|shared, request| shared.core.finish_with_trailers(request, trailers))
    }

    pub(super) fn write<T>(
        &self,
        call: impl FnOnce(&mut ResponseWriter<'_>) -> Result<T, Misuse>,
    ) -> Result<T, Misuse> {
        self.exchange.with(|shared| {
            let result = call(&mut shared.core.response_writer(self.request));
            // Queued bytes are sent by the connection's task, which may be another one.
            shared.notify();
            result
        })
    }

    /// Makes a call that finishes the response.
    fn finishing(&self, call: impl FnOnce(&mut Shared, RequestId) -> Result<(), Misuse>) -> Result<Response, Misuse> {
        // The duration of the request includes its handler.
        let now = self.exchange.environment().clock.now();
        self.exchange.with(|shared| {
            shared.core.handle_time(now);
            call(shared, self.request)?;
            shared.set_responded(self.request);
            shared.notify();
            Ok(())
        })?;
        Ok(Response::sent())
    }
}
