//! The `tracing` spans in which handlers run.
//!
//! Without a subscriber that enables them they are not created: that costs one static read, and
//! nothing is formatted or allocated.

use std::fmt;

use httpants_core::{Address, ConnectionInfo, RequestHead};
use tracing::Span;

use super::escaped::Escaped;

/// Creates the span of a connection with this id.
pub(crate) fn connection(id: u64, peer: &ConnectionInfo) -> Span {
    tracing::info_span!(target: "httpants::connection", "connection", id, peer = %Shown(peer.remote_addr))
}

/// Creates the span of a request inside that of its connection, which must be entered; `number` is
/// its index on the connection, from 1.
///
/// The connection's span is not named as its parent, because it may belong to another subscriber
/// that this one does not know.
#[inline]
pub(crate) fn request(request: &RequestHead) -> Span {
    tracing::info_span!(
        target: "httpants::request",
        "request",
        number = request.id().index(),
        method = request.method().as_str(),
        path = %Escaped(request.path().as_bytes()),
    )
}

/// An address as shown in logs.
pub(super) struct Shown(pub(super) Address);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Ip(address) => address.fmt(f),
            Address::Unix => f.write_str("unix"),
            _ => f.write_str("-"),
        }
    }
}
