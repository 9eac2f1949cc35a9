//! What comes before the first request: a header of the PROXY protocol, and the handshake of a
//! transport that is secured (TLS).

mod preface_header;
mod proxy_protocol;

use alloc::sync::Arc;

pub(super) use self::preface_header::PrefaceHeader;
pub use self::proxy_protocol::{Endpoints, ProxyHeader, ProxyHeaderError};
use super::Connection;
use super::config::Config;
use super::events::CloseReason;
use super::refusal::{HeadProgress, Refusal};
use super::state::{Input, Receiving, State};
use super::timers::{Earliest, Timer};
use crate::message::address::Address;
use crate::message::connection_info::ConnectionInfo;
use crate::message::now::Now;
use crate::message::proxy_tlvs::ProxyTlvs;
use crate::wire::error::ProtocolError;

/// The kind of the first bytes of a connection that is to be secured, from
/// [`Connection::receive_preface`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Preface {
    /// Too few to tell: ask again with all of them when there are more.
    NeedMore,
    /// This many of them are the PROXY protocol header: ask again with those behind it.
    Header(usize),
    /// The handshake begins with them.
    Handshake,
    /// They are refused, perhaps with a response, which leaves unsecured; what follows them is
    /// read and dropped as usual.
    Refused,
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
/// assert!(request.connection_info().secure);
/// ```
impl Connection {
    /// Creates a connection that was just accepted and begins with a handshake, of TLS. Nothing is
    /// to be received until [`handle_secured`](Self::handle_secured).
    #[must_use]
    pub fn with_handshake(config: Arc<Config>, peer: ConnectionInfo, now: Now) -> Self {
        let mut connection = Self::new(config, peer, now);
        connection.state = State::NEW_WITH_HANDSHAKE;
        connection
    }

    /// Judges all bytes received so far, until the handshake begins: in front of it may be a PROXY
    /// protocol header ([`Config::proxy_protocol`]), and in its place a request without TLS,
    /// which is refused with 400.
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
                    self.accept_proxy_header(header, header.tlvs(received));
                    self.times.accepted = self.now.mono;
                    Preface::Header(header.len)
                }
                Err(fault) => {
                    self.refuse_proxy_header(Refusal::of_proxy_header(fault, received, &self.config.limits));
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

    /// Records that the handshake is complete: requests follow, and their scheme is `https`.
    pub fn handle_secured(&mut self, now: Now) {
        self.set_now(now);
        if self.apply(Input::Secured) {
            self.peer.secure = true;
            self.times.accepted = self.now.mono;
        }
    }

    /// Records that the handshake failed, or that the peer ended the stream during it. What it
    /// still sends is dropped for a while, so that it sees the alert that tells it why.
    pub fn handle_handshake_failed(&mut self, now: Now) {
        self.set_now(now);
        if self.state.recv == Receiving::Handshake && self.apply(Input::Refuse) {
            // The alert cuts no request off.
            self.ordinary_end = true;
            self.events.close(CloseReason::HandshakeFailed);
            self.settle();
        }
    }

    /// Offers the deadline of a handshake, which begins behind the PROXY protocol header.
    pub(super) fn offer_handshake(&self, next: &mut Earliest) {
        let (times, timeouts) = (&self.times, &self.config.timeouts);
        if self.proxy_header == PrefaceHeader::Done {
            next.offer(times.accepted, timeouts.handshake, Timer::Handshake);
        } else {
            next.offer(times.accepted, timeouts.accept, Timer::Accept);
        }
    }
}

impl ProxyHeader {
    /// Returns the additions (TLVs) of the header at the beginning of these bytes, from which it
    /// was parsed.
    #[must_use]
    pub fn tlvs(&self, received: &[u8]) -> ProxyTlvs {
        ProxyTlvs::new(received.get(self.len.saturating_sub(self.tlvs)..self.len).unwrap_or_default())
    }
}

/// The PROXY protocol header.
impl Connection {
    /// What a load balancer says of the connection, before anything else. It never gets a
    /// response: where it is wrong, what follows is not known to be HTTP.
    pub(super) fn read_proxy_header(&mut self) {
        let received = self.recv.filled();
        self.proxy_header = self.proxy_header.after(received);
        match ProxyHeader::parse(received) {
            Ok(None) => self.await_more(),
            Ok(Some(header)) => {
                let tlvs = header.tlvs(received);
                self.recv.consume(header.len);
                self.accept_proxy_header(header, tlvs);
            }
            Err(fault) => {
                let refusal = Refusal::of_proxy_header(fault, received, &self.config.limits);
                self.refuse_proxy_header(refusal);
            }
        }
    }

    fn accept_proxy_header(&mut self, header: ProxyHeader, tlvs: ProxyTlvs) {
        self.proxy_header = PrefaceHeader::Done;
        if tlvs != ProxyTlvs::default() {
            self.uncommon.get_or_insert_default().proxy_tlvs = tlvs;
        }
        self.events.accept_proxy_header();
        match header.endpoints {
            Endpoints::Inet { source, destination } => {
                (self.peer.remote_addr, self.peer.local_addr) = (source.into(), destination.into());
            }
            Endpoints::Unix => (self.peer.remote_addr, self.peer.local_addr) = (Address::Unix, Address::Unix),
            Endpoints::Kept => {}
        }
    }

    /// A plain request where a handshake is expected. `received` has what came of it.
    fn refuse_plain_request(&mut self, received: &[u8]) {
        let fault = ProtocolError::PlainRequest;
        let refusal = Refusal::of_head(fault, (0, received), HeadProgress::RequestLine, &self.config.limits);
        self.events.refuse(refusal);
        self.turn_away(fault.status(), fault.rule(), CloseReason::Refused(fault));
    }

    /// Behind a wrong PROXY header nothing is known to be HTTP, so it gets no response.
    fn refuse_proxy_header(&mut self, refusal: Refusal) {
        let reason = CloseReason::Refused(refusal.error());
        self.events.refuse(refusal);
        self.break_off(reason);
    }
}
