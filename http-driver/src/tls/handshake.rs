//! The handshake of an accepted transport.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use httpants_core::Preface;
use rustls::ServerConnection;

use super::{Tls, TlsSession, TlsStream};
use crate::runtime::{SendHint, Transport};

/// A handshake in progress, in the task of its connection.
pub(crate) struct Handshake<T> {
    stream: TlsStream<T>,
    /// True if the first byte of TLS was received.
    begun: bool,
}

/// The result of a handshake.
pub(crate) enum Outcome {
    Secured,
    /// The core refused the peer before the handshake began.
    Refused,
}

impl<T: Transport> Handshake<T> {
    /// Starts a handshake with the current certificates.
    ///
    /// # Errors
    /// Returns the error of a configuration that rustls rejects.
    pub(crate) fn new(tls: &Tls, transport: T) -> io::Result<Self> {
        let session = ServerConnection::new(tls.current()).map_err(io::Error::other)?;
        Ok(Self { stream: TlsStream::new(transport, session), begun: false })
    }

    /// Continues the handshake. `preface` processes the bytes before the first byte of TLS (a PROXY
    /// header).
    ///
    /// # Errors
    /// Returns the errors of the transport, the end of the stream, and protocol errors of the peer,
    /// to which an alert was sent.
    pub(crate) fn poll(
        &mut self,
        context: &mut Context<'_>,
        mut preface: impl FnMut(&[u8]) -> Preface,
    ) -> Poll<io::Result<Outcome>> {
        let stream = &mut self.stream;
        while !self.begun {
            match preface(stream.received().filled()) {
                Preface::NeedMore => {
                    if ready!(stream.poll_fill(context))? == 0 {
                        return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
                    }
                }
                Preface::Header(length) => stream.received().consume(length),
                Preface::Handshake => self.begun = true,
                _ => return Poll::Ready(Ok(Outcome::Refused)),
            }
        }
        loop {
            ready!(stream.poll_drain(context, SendHint::Last))?;
            if !stream.session().is_handshaking() {
                return Poll::Ready(Ok(Outcome::Secured));
            }
            if !ready!(stream.poll_more(context))? {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Returns the session of a stream after its handshake.
    pub(crate) fn session(&self) -> TlsSession {
        TlsSession::of(self.stream.session())
    }

    pub(crate) fn into_stream(self) -> TlsStream<T> {
        self.stream
    }

    /// Returns the transport, without the bytes read from it.
    pub(crate) fn into_transport(self) -> T {
        self.stream.into_transport()
    }
}
