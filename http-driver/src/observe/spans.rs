//! The spans of `tracing` under which handlers run.
//!
//! Where no subscriber wants them they are never made: a look at a static, and nothing is
//! formatted or allocated.

use std::fmt;

use httpants_core::{Address, ConnectionInfo, RequestHead};
use tracing::Span;

use super::escaped::Escaped;

/// The span of a connection, by the number it has in its server.
pub(crate) fn connection(id: u64, peer: &ConnectionInfo) -> Span {
    tracing::info_span!(target: "httpants::connection", "connection", id, peer = %Shown(peer.remote_addr))
}

/// The span of a request, in that of its connection, which is entered; `number` is its index on
/// the connection, from 1.
///
/// The connection's span is not named as its parent: it can be another subscriber's, which
/// this one would not know.
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

/// An address as logs show it.
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
