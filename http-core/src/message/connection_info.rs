//! The addresses of the connection of a message.

use crate::message::address::Address;

/// The addresses of both ends of a connection, and whether its transport is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Address of the peer.
    pub remote_addr: Address,
    /// Address of this end.
    pub local_addr: Address,
    /// True if the transport is secured (TLS), which makes the scheme `https`.
    pub secure: bool,
}

impl ConnectionInfo {
    /// Creates the description of a connection between these addresses, over a plain transport.
    #[must_use]
    pub fn new(remote: impl Into<Address>, local: impl Into<Address>) -> Self {
        Self { remote_addr: remote.into(), local_addr: local.into(), secure: false }
    }
}
