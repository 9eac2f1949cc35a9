//! A connection between requests, without the state that only a busy one needs.

use alloc::sync::Arc;
use core::time::Duration;

use super::Connection;
use super::config::Config;
use super::preamble::PrefaceHeader;
use super::state::State;
use super::timers::Times;
use super::uncommon::Uncommon;
use crate::message::connection_info::ConnectionInfo;
use crate::message::now::Now;

/// A connection that waits for a request, in little memory, from [`Connection::take_idle`].
///
/// A caller with many connections keeps one of these for each that is idle, and a few
/// [`Connection`]s, with their buffers, for those that are busy. Ids of requests count on each
/// connection: keep them with the connection that they are of, also across [`Connection::restore`].
///
/// ```
/// # use std::sync::Arc;
/// use httpants_core::{Config, Connection, ConnectionInfo, Event, IdleConnection, Now};
///
/// let (config, now) = (Arc::new(Config::default()), Now::default());
/// let idle = IdleConnection::new(&config, ConnectionInfo::default(), now);
/// assert!(size_of::<IdleConnection>() * 8 < size_of::<Connection>());
///
/// let mut connection = Connection::new(config, ConnectionInfo::default(), now);
/// connection.restore(idle, now);
/// connection.receive(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", now);
/// assert!(matches!(connection.poll_event(), Some(Event::Request(_))));
/// assert!(connection.take_idle().is_none(), "a response is expected");
/// ```
#[derive(Debug)]
#[must_use = "the connection goes on with it"]
pub struct IdleConnection {
    peer: ConnectionInfo,
    /// When it was accepted, or became idle.
    since: Duration,
    served: u64,
    /// How much was consumed of its stream, in bytes.
    position: u64,
    uncommon: Option<Box<Uncommon>>,
    proxy_header: PrefaceHeader,
}

impl IdleConnection {
    /// Creates a connection that was just accepted.
    pub fn new(config: &Config, peer: ConnectionInfo, now: Now) -> Self {
        let proxy_header = PrefaceHeader::first(config);
        Self { peer, since: now.mono, served: 0, position: 0, uncommon: None, proxy_header }
    }

    /// Does as [`Connection::expire_at`].
    pub fn expire_at(&mut self, at: Duration) {
        self.uncommon.get_or_insert_default().expires = Some(at);
    }
}

/// Memory, for callers with many connections.
impl Connection {
    /// Moves the connection out if it is idle, and nothing of it was reported that a caller must
    /// still act on; [`restore`](Self::restore) brings it back. What stays here is unused until
    /// then: its buffers, for the next connection that is restored here.
    #[inline]
    #[must_use = "the connection goes on with it"]
    pub fn take_idle(&mut self) -> Option<IdleConnection> {
        if !self.is_vacant() {
            return None;
        }
        Some(IdleConnection {
            peer: self.peer,
            since: if self.served == 0 { self.times.accepted } else { self.times.idle },
            served: self.served,
            position: self.recv.position(),
            uncommon: self.uncommon.take(),
            proxy_header: self.proxy_header,
        })
    }

    /// Goes on with a connection that was idle, in the place of one that was taken out of here or
    /// has received nothing; with any other, that one is dropped. The configuration is the one
    /// that this connection was created with.
    #[inline]
    pub fn restore(&mut self, idle: IdleConnection, now: Now) {
        if !self.is_vacant() {
            self.renew(now);
        }
        let IdleConnection { peer, since, served, position, uncommon, proxy_header } = idle;
        self.recv.set_position(position);
        self.peer = peer;
        self.now = Now { mono: now.mono.max(since), ..now };
        self.times = Times::new(since);
        self.served = served;
        self.uncommon = uncommon;
        self.proxy_header = proxy_header;
        // Not what the last request of the connection that was here has left.
        self.more_may_come = false;
    }

    /// Drops the connection, but for what the next one with the same configuration has, too.
    fn renew(&mut self, now: Now) {
        let default_headers = core::mem::take(&mut self.default_headers);
        *self = Self::with_default_headers(Arc::clone(&self.config), default_headers, self.peer, now);
    }

    /// Returns true if nothing but what an [`IdleConnection`] holds distinguishes this connection
    /// from a new one. What belongs to a request ends with it, and what begins the end of the
    /// connection leads out of this state.
    fn is_vacant(&self) -> bool {
        self.state == State::NEW
            && !(self.held | self.events.any | self.recv.is_lent())
            && self.empty_lines == 0
            && self.recv.is_empty()
            && !self.has_unsent()
            && self.peer_closed_at.is_none()
            && self.times.shutdown.is_none()
            && self.current.is_none()
            && !self.responses.has_any()
    }
}
