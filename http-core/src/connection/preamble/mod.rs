//! The phases before the first request: the PROXY protocol header and the TLS handshake.

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

/// The kind of the first bytes of a TLS connection, from [`Connection::receive_preface`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[must_use]
pub enum Preface {
    /// More bytes are needed: call again with all bytes when more have arrived.
    NeedMore,
    /// The first bytes, of this number, are the PROXY protocol header: call again with the bytes
    /// after it.
    Header(usize),
    /// The bytes are the beginning of the handshake.
    Handshake,
    /// The bytes are refused, possibly with a response, which is sent without TLS. Bytes that
    /// follow are read and dropped as usual.
    Refused,
}

/// Connections with a handshake before the first request.
///
/// The caller processes the bytes of the handshake. The core handles its timers, its shutdown, and
/// bytes that precede or replace it.
///
/// ```
/// use httpants_core::{Config, Connection, Event, Now, ConnectionInfo, Preface};
///
/// let now = Now::default();
/// let mut connection = Connection::with_handshake(Config::default().into(), ConnectionInfo::default(), now);
/// assert_eq!(connection.receive_preface(&[22, 3, 1], now), Preface::Handshake);
/// // A TLS library continues the handshake; the decrypted bytes are received as usual.
/// connection.handle_secured(now);
/// connection.receive(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", now);
/// let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// assert!(request.connection_info().secure);
/// ```
impl Connection {
    /// Creates a connection that was just accepted and begins with a TLS handshake. Nothing is to
    /// be received until [`handle_secured`](Self::handle_secured).
    #[must_use]
    pub fn with_handshake(config: Arc<Config>, peer: ConnectionInfo, now: Now) -> Self {
        let mut connection = Self::new(config, peer, now);
        connection.state = State::NEW_WITH_HANDSHAKE;
        connection
    }

    /// Classifies all bytes that were received before the handshake began. A PROXY protocol header
    /// may precede the handshake ([`Config::proxy_protocol`]). A request without TLS is refused
    /// with 400.
    ///
    /// Other bytes are assumed to be a handshake, to be checked by the TLS library.
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
            // Every method begins with a letter in practice. TLS begins with 22 (RFC 8446 section
            // 5.1).
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

    /// Records that the handshake failed, or that the peer ended the stream during it. Bytes that
    /// the peer still sends are dropped for a while, so that it receives the TLS alert with the
    /// reason.
    pub fn handle_handshake_failed(&mut self, now: Now) {
        self.set_now(now);
        if self.state.recv == Receiving::Handshake && self.apply(Input::Refuse) {
            // No request was interrupted.
            self.ordinary_end = true;
            self.events.close(CloseReason::HandshakeFailed);
            self.continue_if_flushed();
        }
    }

    /// Offers the deadline of a handshake, which begins after the PROXY protocol header.
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
    /// Returns the TLVs of this header. `received` must begin with the bytes from which it was
    /// parsed.
    #[must_use]
    pub fn tlvs(&self, received: &[u8]) -> ProxyTlvs {
        ProxyTlvs::new(received.get(self.len.saturating_sub(self.tlvs)..self.len).unwrap_or_default())
    }
}

/// The PROXY protocol header.
impl Connection {
    /// Reads the PROXY header, which precedes everything else. An invalid one gets no response,
    /// because the bytes after it may not be HTTP.
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

    /// Refuses a request without TLS in place of a handshake. `received` is the part of it that was
    /// received.
    fn refuse_plain_request(&mut self, received: &[u8]) {
        let fault = ProtocolError::PlainRequest;
        let refusal = Refusal::of_head(fault, (0, received), HeadProgress::RequestLine, &self.config.limits);
        self.events.refuse(refusal);
        self.respond_error_and_close(fault.status(), fault.rule(), CloseReason::Refused(fault));
    }

    /// Closes the connection without a response, because the bytes after an invalid PROXY header
    /// may not be HTTP.
    fn refuse_proxy_header(&mut self, refusal: Refusal) {
        let reason = CloseReason::Refused(refusal.error());
        self.events.refuse(refusal);
        self.break_off(reason);
    }
}
