//! The access log: an event of `tracing` at INFO for each answer, under its own target.

use std::fmt;

use http::StatusCode;
use httpants_core::{Address, BadRequest, Connection, Request};

/// The target of the events; a subscriber that shows it writes the access log.
const TARGET: &str = "httpants::access";

/// The request that is about to be answered; nothing where nobody reads the log.
#[derive(Debug)]
pub(crate) struct Entry(Option<Request>);

impl Entry {
    /// To be taken before the answer: afterwards the request may be over.
    pub(crate) fn of(core: &Connection) -> Self {
        Self(is_read().then(|| core.current_request().cloned()).flatten())
    }

    pub(crate) fn answered(self, status: StatusCode) {
        if let Some(request) = self.0 {
            let remote = Remote(request.peer().remote);
            // A target that was accepted holds no control character.
            tracing::info!(
                target: TARGET, %remote, status = status.as_u16(),
                "{} {} {}", request.method(), request.target(), request.protocol()
            );
        }
    }
}

/// The core has answered a request that it refused.
pub(crate) fn refused(core: &Connection, fault: BadRequest) {
    if is_read() {
        let remote = Remote(core.peer().remote);
        tracing::info!(target: TARGET, %remote, status = fault.status().as_u16(), "refused: {fault}");
    }
}

fn is_read() -> bool {
    tracing::enabled!(target: TARGET, tracing::Level::INFO)
}

struct Remote(Address);

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Address::Ip(address) => address.fmt(f),
            Address::Unix => f.write_str("unix"),
            _ => f.write_str("-"),
        }
    }
}
