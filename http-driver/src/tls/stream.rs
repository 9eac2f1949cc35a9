//! A TLS stream over any transport.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;

use super::received::Received;
use crate::runtime::{PeerClose, SendHint, Transport};

/// Maximum number of bytes that are encrypted at once and wait to be sent: four records, which
/// usually fit one system call.
const SENDING: usize = 64 << 10;

/// A stream that rustls decrypts and encrypts.
///
/// An end of the stream without `close_notify` is an [`UnexpectedEof`](ErrorKind::UnexpectedEof)
/// error, because it may be forged.
pub(crate) struct TlsStream<T> {
    transport: T,
    session: ServerConnection,
    received: Received,
    failed: bool,
    sent_close_notify: bool,
    /// Number of encrypted bytes that the transport accepted since the last call of `take_sent`.
    left: u64,
}

impl<T: Transport> TlsStream<T> {
    pub(super) fn new(transport: T, mut session: ServerConnection) -> Self {
        session.set_buffer_limit(Some(SENDING));
        Self { transport, session, received: Received::default(), failed: false, sent_close_notify: false, left: 0 }
    }

    pub(super) fn session(&self) -> &ServerConnection {
        &self.session
    }

    pub(super) fn into_transport(self) -> T {
        self.transport
    }

    pub(super) fn received(&mut self) -> &mut Received {
        &mut self.received
    }

    pub(super) fn poll_fill(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.received.poll_fill(&mut self.transport, context)
    }

    /// Decrypts more bytes; returns false at the end of the stream.
    ///
    /// # Errors
    /// Returns the errors of the transport, and protocol errors of the peer, to which an alert is
    /// sent.
    pub(super) fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.failed {
            return Poll::Ready(Err(ErrorKind::InvalidData.into()));
        }
        let ended = self.received.is_empty() && ready!(self.poll_fill(context))? == 0;
        let count = self.session.read_tls(&mut self.received.filled())?;
        // After `close_notify` no bytes are accepted or counted.
        self.received.consume(if count == 0 { usize::MAX } else { count });
        let result = self.session.process_new_packets();
        // Sends alerts, tickets and key updates. Bytes that cannot be sent now are sent with the
        // next ones.
        let _ = self.poll_drain(context, SendHint::Last);
        match result {
            Ok(_) => Poll::Ready(Ok(!ended)),
            Err(error) => {
                self.failed = true;
                Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error)))
            }
        }
    }

    /// Sends encrypted bytes until none are left.
    pub(super) fn poll_drain(&mut self, context: &mut Context<'_>, hint: SendHint) -> Poll<io::Result<()>> {
        while self.session.wants_write() {
            let mut outgoing = Outgoing { transport: &mut self.transport, context, hint };
            match self.session.write_tls(&mut outgoing) {
                Ok(0) => return Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Ok(count) => self.left = self.left.saturating_add(count as u64),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Returns the number of encrypted bytes that the transport accepted since the last call.
    pub(crate) fn take_sent(&mut self) -> u64 {
        std::mem::take(&mut self.left)
    }

    /// Sends `close_notify`.
    pub(crate) fn poll_close_notify(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.sent_close_notify, true) {
            self.session.send_close_notify();
        }
        self.poll_drain(context, SendHint::Last)
    }
}

impl<T: Transport> Transport for TlsStream<T> {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut filled = 0;
        loop {
            let room = buffer.get_mut(filled..).unwrap_or_default();
            match self.session.reader().read(room) {
                // The peer's `close_notify`, or the buffer is full.
                Ok(0) => return Poll::Ready(Ok(filled)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if filled > 0 && self.received.is_empty() {
                        return Poll::Ready(Ok(filled));
                    }
                    match ready!(self.poll_more(context)) {
                        Ok(_) => {}
                        // Bytes decrypted before the error are returned first; the next call
                        // returns the error.
                        Err(_) if filled > 0 => return Poll::Ready(Ok(filled)),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
                Err(_) if filled > 0 => return Poll::Ready(Ok(filled)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn retry_recv(&mut self) {
        self.transport.retry_recv();
    }

    /// Accepts at most [`SENDING`] bytes, and only after all bytes accepted before were sent.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        hint: SendHint,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_drain(context, SendHint::More))?;
        let count = self.session.writer().write_vectored(slices)?;
        match self.poll_drain(context, hint) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    fn retry_send(&mut self) {
        self.transport.retry_send();
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_drain(context, SendHint::Last)
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_close_notify(context))?;
        self.transport.poll_shutdown(context)
    }

    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        self.transport.poll_peer_closed(context, awaited)
    }

    fn reset_on_close(&mut self) {
        self.transport.reset_on_close();
    }
}

/// The transport as a writer for rustls.
struct Outgoing<'a, 'b, T> {
    transport: &'a mut T,
    context: &'a mut Context<'b>,
    hint: SendHint,
}

impl<T: Transport> Write for Outgoing<'_, '_, T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.transport.poll_send(self.context, slices, self.hint) {
            Poll::Ready(sent) => sent,
            Poll::Pending => Err(ErrorKind::WouldBlock.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
