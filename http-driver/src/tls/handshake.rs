//! From an accepted transport to a secured one.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, ready};

use httpants_core::Preface;
use rustls::ServerConnection;

use super::{Tls, TlsSession, TlsStream};
use crate::runtime::Transport;

/// A handshake under way, in the task of its connection.
pub(crate) struct Handshake<T> {
    stream: TlsStream<T>,
    /// What may come before it is over.
    begun: bool,
}

/// How a handshake ended.
pub(crate) enum Outcome {
    Secured,
    /// It never began, and the core knows why.
    Refused,
}

impl<T: Transport> Handshake<T> {
    /// With the certificates of this moment.
    ///
    /// # Errors
    /// Those of a configuration that rustls does not accept.
    pub(crate) fn new(tls: &Tls, transport: T) -> io::Result<Self> {
        let session = ServerConnection::new(tls.current()).map_err(io::Error::other)?;
        Ok(Self { stream: TlsStream::new(transport, session), begun: false })
    }

    /// Goes on; `preface` judges the bytes before the first one of TLS.
    ///
    /// # Errors
    /// Those of the transport, the end of the stream, and what the peer did wrong, whom an
    /// alert has told.
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
            ready!(stream.poll_drain(context, false))?;
            if !stream.session().is_handshaking() {
                return Poll::Ready(Ok(Outcome::Secured));
            }
            if !ready!(stream.poll_more(context))? {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// What the handshake of a secured stream agreed on.
    pub(crate) fn session(&self) -> TlsSession {
        TlsSession::of(self.stream.session())
    }

    pub(crate) fn into_stream(self) -> TlsStream<T> {
        self.stream
    }

    /// The transport without what was read from it.
    pub(crate) fn into_transport(self) -> T {
        self.stream.into_transport()
    }
}
