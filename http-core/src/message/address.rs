//! The address of one end of a connection.

use core::net::{IpAddr, SocketAddr};

/// The address of one end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// An IP address and port.
    Ip(SocketAddr),
    /// A unix socket, which has no IP address.
    Unix,
    /// An unknown address, or none (in a simulator or a test).
    #[default]
    Unknown,
}

impl Address {
    /// Returns the IP address, if there is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) => Some(address.ip()),
            _ => None,
        }
    }
}

/// Converts a socket address. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`) becomes the IPv4
/// address, because a client may connect by IPv4 to an IPv6 socket.
impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        match address.ip().to_canonical() {
            ip @ IpAddr::V4(_) => Self::Ip(SocketAddr::new(ip, address.port())),
            IpAddr::V6(_) => Self::Ip(address),
        }
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
