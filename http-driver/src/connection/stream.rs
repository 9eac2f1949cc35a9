//! The transport of a connection, plain or secured.

use std::fs::File;
use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use crate::runtime::{PeerClose, SendHint, Transport};
use crate::tls::TlsStream;

pub(crate) enum Stream<T> {
    Plain(T),
    Secured(Box<TlsStream<T>>),
}

/// Calls the same method on either variant.
macro_rules! on_stream {
    ($stream:expr, $transport:ident => $call:expr) => {
        match $stream {
            Stream::Plain($transport) => $call,
            Stream::Secured($transport) => $call,
        }
    };
}

impl<T: Transport> Stream<T> {
    /// Returns the number of buffered bytes that were sent since the last call.
    pub(crate) fn take_sent(&mut self) -> u64 {
        match self {
            Self::Plain(_) => 0,
            Self::Secured(stream) => stream.take_sent(),
        }
    }

    /// Sends `close_notify` before an orderly close, without waiting if it cannot be sent at once.
    pub(crate) fn announce_end(&mut self, context: &mut Context<'_>) {
        if let Self::Secured(stream) = self {
            let _ = stream.poll_close_notify(context);
        }
    }
}

impl<T: Transport> Transport for Stream<T> {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        on_stream!(self, transport => transport.poll_recv(context, buffer))
    }

    fn retry_recv(&mut self) {
        on_stream!(self, transport => transport.retry_recv());
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        hint: SendHint,
    ) -> Poll<io::Result<usize>> {
        on_stream!(self, transport => transport.poll_send(context, slices, hint))
    }

    fn retry_send(&mut self) {
        on_stream!(self, transport => transport.retry_send());
    }

    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, transport => transport.poll_flush(context))
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_stream!(self, transport => transport.poll_shutdown(context))
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        on_stream!(self, transport => transport.poll_send_file(context, file, offset, length))
    }

    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        on_stream!(self, transport => transport.poll_peer_closed(context, awaited))
    }

    fn reset_on_close(&mut self) {
        on_stream!(self, transport => transport.reset_on_close());
    }
}
