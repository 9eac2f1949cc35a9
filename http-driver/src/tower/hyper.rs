//! `hyper::upgrade::OnUpgrade`, which only hyper can make.
//!
//! So hyper serves a connection of its own for each request that offers an upgrade. What it
//! reads there is a request that stands in this file, and what it writes is dropped; its
//! service keeps the `OnUpgrade` of that request and waits. When the real request was answered
//! with the upgrade, the real stream is put behind hyper's, and hyper's service answers 101.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_io::{AsyncRead, AsyncWrite};
use http::{Extensions, StatusCode};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;

use super::loan::{Lent, lend};
use crate::observe::report::report;
use crate::request::Body;
use crate::response::UpgradeHandler;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: any\r\n\r\n";

/// Where a value is put for the other side, once.
type Place<T> = Arc<Mutex<Option<T>>>;

fn take<T>(place: &Place<T>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn put<T>(place: &Place<T>, value: T) {
    *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
}

/// An `OnUpgrade` that was offered to a service. Dropped, it tells the service that nothing
/// came of it.
pub(super) struct Offer {
    connection: Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>,
    stream: Place<Lent>,
}

impl Offer {
    /// Makes one and puts it into the extensions of its request.
    pub(super) fn insert(extensions: &mut Extensions) -> Option<Self> {
        let (stream, made) = (Place::<Lent>::default(), Place::<OnUpgrade>::default());
        let accepted = Arc::clone(&stream);
        let place = Arc::clone(&made);
        let service = service_fn(move |request| {
            put(&place, hyper::upgrade::on(request));
            let accepted = Arc::clone(&accepted);
            // Polled again whenever the connection is; nobody needs to be woken.
            poll_fn(move |_| match &*accepted.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(_) => Poll::Ready(Ok::<_, Infallible>(switching())),
                None => Poll::Pending,
            })
        });
        let io = Io { unread: REQUEST, head: 0, place: Arc::clone(&stream), stream: None };
        let mut server = http1::Builder::new();
        server.header_read_timeout(None);
        let mut connection = Box::pin(server.serve_connection(io, service).with_upgrades());
        // The request is read at once.
        let _ = connection.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        extensions.insert(take(&made)?);
        Some(Self { connection, stream })
    }

    /// What follows when the service has accepted: the stream goes to whoever awaits it.
    pub(super) fn accept(self) -> UpgradeHandler {
        let Self { connection, stream } = self;
        Box::new(|upgraded| {
            Box::pin(async move {
                let (lent, lender) = lend(upgraded);
                put(&stream, lent);
                if let Err(error) = connection.await {
                    report!("an upgrade could not be handed over", error);
                }
                lender.await;
            })
        })
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

/// What ends the head that hyper writes.
const END: &[u8] = b"\r\n\r\n";

/// hyper's connection: first the handshake with nobody, then the real stream.
struct Io {
    unread: &'static [u8],
    /// How much of [`END`] was written: nothing behind it is hyper's any more.
    head: usize,
    place: Place<Lent>,
    stream: Option<Lent>,
}

impl Io {
    fn stream(&mut self) -> Option<Pin<&mut Lent>> {
        if self.head < END.len() {
            return None;
        }
        if self.stream.is_none() {
            self.stream = take(&self.place);
        }
        self.stream.as_mut().map(Pin::new)
    }

    /// Drops the head that hyper writes; how much of the bytes that was.
    fn drop_head(&mut self, bytes: &[u8]) -> usize {
        let mut dropped = 0;
        for byte in bytes {
            if self.head == END.len() {
                break;
            }
            // CR begins the end anew, whatever came before it.
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
        let Some(stream) = self.stream() else {
            return Poll::Pending;
        };
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
        match self.stream() {
            Some(stream) => stream.poll_write(context, bytes),
            None => Poll::Ready(Ok(self.drop_head(bytes))),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().map_or(Poll::Ready(Ok(())), |stream| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().map_or(Poll::Ready(Ok(())), |stream| stream.poll_close(context))
    }
}
