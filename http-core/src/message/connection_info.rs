//! The ends of the connection of a message.

use crate::message::address::Address;

/// The ends of a connection, and whether its transport is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
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
