//! `hyper::upgrade::OnUpgrade`, which only hyper can create.
//!
//! For each request that offers an upgrade, hyper therefore serves a separate in-memory connection.
//! It reads a constant request from this file, and its output is dropped; its service keeps the
//! `OnUpgrade` of that request and waits. When the response to the real request is the upgrade,
//! hyper's service responds with 101, and hyper hands its stream to the owner of the `OnUpgrade`,
//! or drops it if there is none. Later the real stream is connected to hyper's.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};
use http::{Extensions, StatusCode};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;

use super::loan::{Lent, lend};
use crate::request::Body;
use crate::response::UpgradeHandler;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n";

/// The state shared by both sides of an offer.
#[derive(Default)]
struct Shared {
    /// The `OnUpgrade` created by hyper; `None` after it was offered.
    made: Option<OnUpgrade>,
    /// True if the service has responded with the upgrade.
    accepted: bool,
    /// True if hyper's stream was dropped, because the `OnUpgrade` was dropped.
    dropped: bool,
    /// The real stream; `None` after hyper's side took it.
    stream: Option<Lent>,
    /// True if no stream will be set any more.
    is_over: bool,
    /// Wakers waiting for the real stream.
    waiting: [Option<Waker>; 2],
}

type Place = Arc<Mutex<Shared>>;

fn lock(place: &Place) -> MutexGuard<'_, Shared> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A guard that ends the wait for a stream on drop: the stream is set, or will never be.
struct HandingOver(Place);

impl Drop for HandingOver {
    fn drop(&mut self) {
        let waiting = {
            let mut shared = lock(&self.0);
            shared.is_over = true;
            std::mem::take(&mut shared.waiting)
        };
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

/// An `OnUpgrade` that was offered to a service. After its drop, the `OnUpgrade` of the service
/// returns an error.
pub(super) struct Offer {
    connection: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
    place: Place,
}

impl Offer {
    /// Creates an offer and inserts its `OnUpgrade` into the extensions of the request.
    pub(super) fn insert(extensions: &mut Extensions) -> Option<Self> {
        let place = Place::default();
        let inner = Arc::clone(&place);
        let service = service_fn(move |request| {
            lock(&inner).made = Some(hyper::upgrade::on(request));
            let inner = Arc::clone(&inner);
            // Polled whenever the connection is polled, so no waker is needed.
            poll_fn(move |_| match lock(&inner).accepted {
                true => Poll::Ready(Ok::<_, Infallible>(switching())),
                false => Poll::Pending,
            })
        });
        let io = Io { unread: REQUEST, head: 0, place: Arc::clone(&place), stream: None };
        let mut server = http1::Builder::new();
        server.header_read_timeout(None);
        let mut connection = Box::pin(server.serve_connection(io, service).with_upgrades());
        // The request is read at once.
        let _ = connection.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let made = lock(&place).made.take()?;
        extensions.insert(made);
        Some(Self { connection, place })
    }

    /// Returns the upgrade handler after the service has accepted: it passes the stream to the
    /// owner of the `OnUpgrade`. Returns `None` if the service has dropped the `OnUpgrade`.
    pub(super) fn accept(mut self) -> Option<UpgradeHandler> {
        lock(&self.place).accepted = true;
        // This never waits, because hyper's output is dropped at once.
        let handed_over = self.connection.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if !matches!(handed_over, Poll::Ready(Ok(()))) || lock(&self.place).dropped {
            return None;
        }
        let handing_over = HandingOver(self.place);
        Some(Box::new(move |upgraded| {
            let (lent, lender) = lend(upgraded);
            lock(&handing_over.0).stream = Some(lent);
            drop(handing_over);
            Box::pin(lender)
        }))
    }
}

impl fmt::Debug for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Offer")
    }
}

fn switching() -> http::Response<Body> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
}

/// The end of the head that hyper writes.
const END: &[u8] = b"\r\n\r\n";

/// hyper's connection: first the handshake with an empty stream, then the real stream.
struct Io {
    unread: &'static [u8],
    /// Number of bytes of [`END`] that were written. Bytes after it belong to the upgraded
    /// protocol.
    head: usize,
    place: Place,
    stream: Option<Lent>,
}

impl Drop for Io {
    fn drop(&mut self) {
        lock(&self.place).dropped = true;
    }
}

/// The indexes of tasks that wait for the real stream.
const READER: usize = 0;
const WRITER: usize = 1;

impl Io {
    /// Returns the real stream, or waits for it.
    fn poll_stream(&mut self, context: &Context<'_>, who: usize) -> Poll<io::Result<Pin<&mut Lent>>> {
        let mut is_over = false;
        if self.stream.is_none() {
            let waker = context.waker().clone();
            let mut shared = lock(&self.place);
            self.stream = shared.stream.take();
            is_over = shared.is_over;
            let replaced = match shared.waiting.get_mut(who) {
                Some(waiting) if self.stream.is_none() && !is_over => waiting.replace(waker),
                _ => None,
            };
            drop(shared);
            drop(replaced);
        }
        match &mut self.stream {
            Some(stream) => Poll::Ready(Ok(Pin::new(stream))),
            None if is_over => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            None => Poll::Pending,
        }
    }

    /// Returns whether hyper is still writing its head.
    fn is_in_head(&self) -> bool {
        self.head < END.len()
    }

    /// Drops bytes of the head that hyper writes; returns their number.
    fn drop_head(&mut self, bytes: &[u8]) -> usize {
        let mut dropped = 0;
        for byte in bytes {
            if self.head == END.len() {
                break;
            }
            // CR starts a new match, whatever precedes it.
            self.head = if END.get(self.head) == Some(byte) { self.head + 1 } else { usize::from(*byte == b'\r') };
            dropped += 1;
        }
        dropped
    }
}

impl Read for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let (front, rest) = self.unread.split_at(self.unread.len().min(buffer.remaining()));
            buffer.put_slice(front);
            self.unread = rest;
            return Poll::Ready(Ok(()));
        }
        let stream = ready!(self.poll_stream(context, READER))?;
        let mut bytes = [0; 8 << 10];
        let most = bytes.len().min(buffer.remaining());
        let bytes = bytes.get_mut(..most).unwrap_or_default();
        let count = ready!(stream.poll_read(context, bytes))?;
        buffer.put_slice(bytes.get(..count).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl Write for Io {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_in_head() {
            return Poll::Ready(Ok(self.drop_head(bytes)));
        }
        ready!(self.poll_stream(context, WRITER))?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_flush(context),
            // Nothing was written yet.
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_in_head() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_stream(context, WRITER))?.poll_close(context)
    }
}
