//! The address of one end of a connection.

use core::net::{IpAddr, SocketAddr};

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
