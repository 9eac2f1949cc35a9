//! Where and when a message was received: the time and the ends of its connection.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::wire::date::UnixTime;

/// The time as the caller tells it with every input.
///
/// The core reads no clock. `mono` drives the deadlines: it counts from any origin that the
/// caller picks and must not go backwards (a step back is taken for no time passing). `wall`
/// is for the Date field, cookies and file dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since the caller's origin.
    pub mono: Duration,
    /// Wall time.
    pub wall: UnixTime,
}

impl Now {
    /// Makes a moment of both clocks.
    #[must_use]
    pub const fn new(mono: Duration, wall: UnixTime) -> Self {
        Self { mono, wall }
    }

    /// Returns the same moment, that much later on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self { mono: self.mono.saturating_add(span), wall: UnixTime(self.wall.0.saturating_add(span)) }
    }
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An internet address and port.
    Ip(SocketAddr),
    /// A socket of the local machine that has no internet address.
    Unix,
    /// Not known, or not applicable (a simulator, a test).
    #[default]
    Unknown,
}

impl Address {
    /// Returns the internet address, if it has one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()),
            _ => None,
        }
    }
}

/// A client that comes by IPv4 to a socket of IPv6 (`::ffff:192.0.2.1`) counts as what it is.
impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => Self::Ip(SocketAddr::new(ip, address.port())),
            IpAddr::V6(_) => Self::Ip(address),
        }
    }
}

/// Who is at the other end of a connection, and over what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnectionInfo {
    /// The other end.
    pub remote_addr: Address,
    /// This end.
    pub local_addr: Address,
    /// Whether the transport is secured (TLS); makes the scheme `https`.
    pub secure: bool,
}

impl ConnectionInfo {
    /// Creates the description of a connection between these addresses, over a plain transport.
    #[must_use]
    pub fn new(remote: impl Into<Address>, local: impl Into<Address>) -> Self {
        Self { remote_addr: remote.into(), local_addr: local.into(), secure: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv4_through_ipv6_is_ipv4() {
        for (given, taken) in [
            ("[::ffff:192.0.2.1]:80", "192.0.2.1:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
            ("[2001:db8::1]:80", "[2001:db8::1]:80"),
        ] {
            let address = Address::from(given.parse::<SocketAddr>().unwrap());
            assert_eq!(address, Address::Ip(taken.parse().unwrap()));
        }
    }
}
