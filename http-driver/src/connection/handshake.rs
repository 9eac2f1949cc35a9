//! A connection between accept and the end of its TLS handshake.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{Connection, ConnectionInfo, IdleConnection, Now};

use super::exchange_slot::ExchangeSlot;
use super::stream::Stream;
use crate::exchange::{Environment, Exchange};
use crate::observe::report::report;
use crate::runtime::Transport;
use crate::tls::{Handshake, Outcome, Tls};

/// The handshake in progress, if any.
pub(crate) struct Handshaking<T>(Option<Box<Handshake<T>>>);

/// Creates the exchange of an accepted connection, with its stream or the handshake that produces
/// it.
pub(super) fn accept<T: Transport>(
    environment: &Arc<Environment>,
    (peer, age): (ConnectionInfo, Option<Duration>),
    now: Now,
    transport: T,
    tls: Option<&Tls>,
) -> (ExchangeSlot, Option<Stream<T>>, Handshaking<T>) {
    let config = &environment.config;
    let expires = age.map(|age| now.mono.saturating_add(age));
    let Some(tls) = tls else {
        let mut core = IdleConnection::new(config, peer, now);
        expires.into_iter().for_each(|at| core.expire_at(at));
        return (ExchangeSlot::idle(core.into()), Some(Stream::Plain(transport)), Handshaking(None));
    };
    let mut core = Connection::with_handshake(Arc::clone(config), peer, now);
    expires.into_iter().for_each(|at| core.expire_at(at));
    let handshake = Handshake::new(tls, transport).map(Box::new);
    if let Err(error) = &handshake {
        report!("invalid TLS configuration", error);
        core.handle_io_error(now);
    }
    (ExchangeSlot::busy(Exchange::new(core, Arc::clone(environment))), None, Handshaking(handshake.ok()))
}

impl<T: Transport> Handshaking<T> {
    pub(crate) fn is_pending(&self) -> bool {
        self.0.is_some()
    }

    /// Continues the handshake. When it is over, returns the stream to use: a TLS stream, or a
    /// plain one if the core refused the peer or the handshake failed.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, exchange: &Exchange, now: Now) -> Option<Stream<T>> {
        let mut handshake = self.0.take()?;
        let polled =
            handshake.poll(context, |received| exchange.with(|shared| shared.core.receive_preface(received, now)));
        match polled {
            Poll::Pending => {
                self.0 = Some(handshake);
                None
            }
            Poll::Ready(Ok(Outcome::Secured)) => {
                exchange.secure(handshake.session());
                exchange.with(|shared| shared.core.handle_secured(now));
                Some(Stream::Secured(Box::new(handshake.into_stream())))
            }
            Poll::Ready(Ok(Outcome::Refused)) => Some(Stream::Plain(handshake.into_transport())),
            Poll::Ready(Err(error)) => {
                // An error of the peer, to which an alert was sent. Its input is escaped in the
                // log.
                let remote = exchange.with(|shared| {
                    shared.core.handle_handshake_failed(now);
                    shared.core.connection_info().remote_addr
                });
                tracing::debug!(?remote, ?error, "TLS handshake failed");
                Some(Stream::Plain(handshake.into_transport()))
            }
        }
    }
}
