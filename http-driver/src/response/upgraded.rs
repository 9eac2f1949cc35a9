//! Streams after an upgrade.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_io::{AsyncRead, AsyncWrite};

use crate::lifecycle::{Drain, Draining};
use crate::runtime::{SendHint, Transport};

/// The raw stream after an upgrade or CONNECT, beginning with bytes that the peer sent after its
/// request. Dropping it closes the connection.
///
/// Over TLS it is the decrypted stream; written bytes may wait for `poll_flush`, and an end of the
/// stream without `close_notify`, which may be forged, is an
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) error.
///
/// It implements the `futures-io` traits on every runtime, as async-tungstenite requires.
/// `tokio_util::compat::FuturesAsyncReadCompatExt::compat` converts it to tokio's traits, for
/// tokio-tungstenite and others. [`Request::websocket`](crate::Request) does all of this for
/// WebSockets, with the feature `websocket`.
///
/// When the server shuts down, it cannot close another protocol gracefully: wait for
/// [`draining`](Self::draining) concurrently with the stream, and end the protocol in its own way
/// (a WebSocket with a Close frame with 1001). After
/// [`Server::upgrade_grace`](crate::Server::upgrade_grace) it is dropped.
pub struct Upgraded {
    leftover: Bytes,
    drain: Drain,
    #[cfg_attr(not(feature = "websocket"), expect(dead_code, reason = "only WebSockets set limits"))]
    limit: TimeLimit,
    transport: Box<dyn Transport + Send>,
}

impl Upgraded {
    pub(crate) fn new(transport: impl Transport + Send, leftover: Bytes, drain: Drain, limit: TimeLimit) -> Self {
        Self { leftover, drain, limit, transport: Box::new(transport) }
    }

    #[cfg(feature = "websocket")]
    pub(crate) fn limit(&self) -> TimeLimit {
        self.limit.clone()
    }

    /// Waits until the server begins to shut down. The future does not borrow the stream, so both
    /// can be polled side by side.
    pub fn draining(&self) -> Draining {
        self.drain.draining()
    }
}

/// The time limit and the alarm of an upgraded protocol, which it sets while its future is polled.
#[derive(Clone, Debug, Default)]
pub(crate) struct TimeLimit(Arc<Times>);

#[derive(Debug, Default)]
struct Times {
    limit: AtomicU64,
    alarm: AtomicU64,
    has_rung: AtomicBool,
}

#[cfg(feature = "websocket")]
fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).clamp(1, u64::MAX - 1)
}

impl TimeLimit {
    const UNCHANGED: u64 = 0;
    const UNLIMITED: u64 = u64::MAX;

    /// Sets the time limit: the protocol is dropped after this time.
    #[cfg(feature = "websocket")]
    pub(crate) fn set(&self, span: Duration) {
        self.0.limit.store(millis(span), Ordering::Relaxed);
    }

    /// Removes the time limit.
    #[cfg(feature = "websocket")]
    pub(crate) fn clear(&self) {
        self.0.limit.store(Self::UNLIMITED, Ordering::Relaxed);
    }

    /// Returns the change of the limit since the last call: `Some(None)` if it was removed.
    pub(crate) fn take(&self) -> Option<Option<Duration>> {
        match self.0.limit.swap(Self::UNCHANGED, Ordering::Relaxed) {
            Self::UNCHANGED => None,
            Self::UNLIMITED => Some(None),
            millis => Some(Some(Duration::from_millis(millis))),
        }
    }

    /// Sets the alarm, at which the protocol is polled; replaces the previous alarm.
    #[cfg(feature = "websocket")]
    pub(crate) fn set_alarm(&self, span: Duration) {
        self.0.alarm.store(millis(span), Ordering::Relaxed);
    }

    /// Returns true once after the time of the alarm.
    #[cfg(feature = "websocket")]
    pub(crate) fn has_rung(&self) -> bool {
        self.0.has_rung.swap(false, Ordering::Relaxed)
    }

    /// Returns the alarm that was set since the last call.
    pub(crate) fn take_alarm(&self) -> Option<Duration> {
        let millis = self.0.alarm.swap(Self::UNCHANGED, Ordering::Relaxed);
        (millis != Self::UNCHANGED).then(|| Duration::from_millis(millis))
    }

    /// Records that the time of the alarm has come.
    pub(crate) fn ring(&self) {
        self.0.has_rung.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if self.leftover.is_empty() {
            return self.transport.poll_recv(context, buffer);
        }
        let count = self.leftover.len().min(buffer.len());
        if let Some(front) = buffer.get_mut(..count) {
            self.leftover.copy_to_slice(front);
        }
        if self.leftover.is_empty() {
            // An empty slice would keep the receive buffer alive.
            self.leftover = Bytes::new();
        }
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.transport.poll_send(context, slices, SendHint::Last)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_shutdown(context)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded").field("leftover", &self.leftover.len()).finish_non_exhaustive()
    }
}
