//! The `tracing` spans in which handlers run.
//!
//! They are created only if a subscriber enables them. Otherwise they cost one static read; nothing
//! is formatted or allocated.

use std::fmt;

use httpants_core::{Address, ConnectionInfo, RequestHead};
use tracing::Span;

use super::escaped::Escaped;

/// Creates the span of a connection with this id.
pub(crate) fn connection(id: u64, peer: &ConnectionInfo) -> Span {
    tracing::info_span!(target: "httpants::connection", "connection", id, peer = %Shown(peer.remote_addr))
}

/// Creates the span of a request inside that of its connection, which the caller must have entered;
/// `number` is its index on the connection, from 1.
///
/// The connection's span is not set as an explicit parent, because it may belong to another
/// subscriber.
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

/// Enters a span until the guard is dropped, like [`Span::enter`]. For a disabled span it costs one
/// comparison, because the rest is not inlined.
#[inline]
pub(crate) fn enter(span: &Span) -> Entered<'_> {
    if !span.is_none() {
        enter_enabled(span);
    }
    Entered(span)
}

/// The guard of an entered span.
#[must_use = "dropping it exits the span"]
pub(crate) struct Entered<'a>(&'a Span);

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.0.is_none() {
            exit_enabled(self.0);
        }
    }
}

#[cold]
#[inline(never)]
fn enter_enabled(span: &Span) {
    span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
}

#[cold]
#[inline(never)]
fn exit_enabled(span: &Span) {
    span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
}

/// An address as it is displayed in logs.
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
