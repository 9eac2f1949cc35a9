//! Connections whose transport is secured before the first request: TLS.

use std::sync::Arc;

use super::refusal::Refusal;
use super::state::{Input, State};
use super::{Connection, ConnectionInfo, Now, Receiving};
use crate::config::Config;
use crate::error::CloseReason;
use crate::proxy::ProxyHeader;

/// What the first bytes of a connection are that is to be secured, from
/// [`Connection::receive_preface`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Preface {
    /// Too few to tell: ask again with all of them when there are more.
    NeedMore,
    /// So many of them are the PROXY protocol header: ask again with those behind it.
    Header(usize),
    /// The handshake begins with them.
    Handshake,
    /// They are refused, perhaps with a response, which leaves unsecured; what follows them is
    /// read and dropped as usual.
    Refused,
}

/// The PROXY protocol header before everything else, where one is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrefaceHeader {
    Expected,
    /// Something was received, but not all of it, or something else.
    Begun,
    /// It was received, or none is expected.
    Done,
}

impl PrefaceHeader {
    /// Once this was received of it.
    pub(super) fn after(self, received: &[u8]) -> Self {
        if received.is_empty() { self } else { Self::Begun }
    }
}

/// Where a handshake comes before the first request.
///
/// The caller has the bytes of the handshake, and the core its timers, its shutdown and what
/// may come before or instead of it.
///
/// ```
/// use httpants_core::{Config, Connection, Event, Now, ConnectionInfo, Preface};
///
/// let now = Now::default();
/// let mut connection = Connection::with_handshake(Config::default().into(), ConnectionInfo::default(), now);
/// assert_eq!(connection.receive_preface(&[22, 3, 1], now), Preface::Handshake);
/// // A library for TLS goes on from here; what it deciphers is received as usual.
/// connection.handle_secured(now);
/// connection.receive(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", now);
/// let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// assert_eq!(request.full_url(), "https://example.com/");
/// ```
impl Connection {
    /// A connection that was just accepted and begins with a handshake, of TLS. Nothing is to
    /// be received until [`handle_secured`](Self::handle_secured).
    #[must_use]
    pub fn with_handshake(config: Arc<Config>, peer: ConnectionInfo, now: Now) -> Self {
        let mut connection = Self::new(config, peer, now);
        connection.state = State::NEW_WITH_HANDSHAKE;
        connection
    }

    /// All bytes received so far, until the handshake begins: in front of it may be a PROXY
    /// protocol header ([`Config::proxy_protocol`]), and in its place a request without TLS,
    /// which is answered with 400.
    ///
    /// What is neither is taken for a handshake, for the library to judge.
    pub fn receive_preface(&mut self, received: &[u8], now: Now) -> Preface {
        self.set_now(now);
        if self.state.recv != Receiving::Handshake {
            return Preface::Refused;
        }
        if self.proxy_header != PrefaceHeader::Done {
            self.proxy_header = self.proxy_header.after(received);
            return match ProxyHeader::parse(received) {
                Ok(None) => Preface::NeedMore,
                Ok(Some(header)) => {
                    self.accept_proxy_header(header);
                    self.times.accepted = self.now.mono;
                    Preface::Header(header.len)
                }
                Err(fault) => {
                    let received = received.get(..self.config.limits.head).unwrap_or(received);
                    self.refuse_proxy_header(Refusal::of_proxy_header(fault, received));
                    Preface::Refused
                }
            };
        }
        match received.first() {
            None => Preface::NeedMore,
            // As every method does. TLS begins with 22 (RFC 8446 section 5.1).
            Some(byte) if byte.is_ascii_alphabetic() => {
                self.refuse_plain_request(received);
                Preface::Refused
            }
            Some(_) => Preface::Handshake,
        }
    }

    /// The handshake is complete: requests follow, and their scheme is `https`.
    pub fn handle_secured(&mut self, now: Now) {
        self.set_now(now);
        if self.apply(Input::Secured) {
            self.peer.secure = true;
            self.times.accepted = self.now.mono;
        }
    }

    /// The handshake failed, or the peer ended the stream during it. What it still sends is
    /// dropped for a while, so that it sees the alert that tells it why.
    pub fn handle_handshake_failed(&mut self, now: Now) {
        self.set_now(now);
        if self.state.recv == Receiving::Handshake && self.apply(Input::Refuse) {
            // The alert cuts no request off.
            self.ordinary_end = true;
            self.events.close(CloseReason::HandshakeFailed);
            self.settle();
        }
    }
}
