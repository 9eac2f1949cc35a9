//! Idle connections, without the state that only busy ones need.

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

/// A connection that waits for a request and takes little memory, from [`Connection::take_idle`].
///
/// A caller with many connections keeps one of these for each idle connection, and a few
/// [`Connection`]s with their buffers for the busy ones. Request ids are counted per connection:
/// keep them with the connection that they belong to, also across [`Connection::restore`].
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
#[must_use = "the connection continues with the returned value"]
pub struct IdleConnection {
    peer: ConnectionInfo,
    /// Time at which the connection was accepted or became idle.
    since: Duration,
    served: u64,
    /// Number of bytes of its stream that were consumed.
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

    /// Sets the time at which the connection closes, like [`Connection::expire_at`].
    pub fn expire_at(&mut self, at: Duration) {
        self.uncommon.get_or_insert_default().expires = Some(at);
    }
}

/// Memory, for callers with many connections.
impl Connection {
    /// Moves the connection out if it is idle and the caller does not have to act on it; otherwise
    /// returns `None`. [`restore`](Self::restore) moves it back. This value keeps its buffers for
    /// the next connection that is restored into it, and must not be used until then.
    #[inline]
    #[must_use = "the connection continues with the returned value"]
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

    /// Continues an idle connection in this value, whose previous connection must have been taken
    /// out or have received nothing; any other is dropped. The configuration is the one that this
    /// value was created with.
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
        // The previous connection's last request must not affect this one.
        self.more_may_come = false;
    }

    /// Drops the connection, except what the next one with the same configuration can reuse.
    fn renew(&mut self, now: Now) {
        let default_headers = core::mem::take(&mut self.default_headers);
        *self = Self::with_default_headers(Arc::clone(&self.config), default_headers, self.peer, now);
    }

    /// Returns true if this connection differs from a new one only by what an [`IdleConnection`]
    /// stores. State of a request is cleared with it, and a connection that has begun to close is
    /// in another state.
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
