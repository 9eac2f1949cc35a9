//! The progress of receiving the PROXY protocol header.

use crate::connection::config::Config;

/// The progress of receiving the PROXY protocol header that precedes everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum PrefaceHeader {
    Expected,
    /// Bytes were received, but not a complete header.
    Begun,
    /// The header was received, or none is expected.
    Done,
}

impl PrefaceHeader {
    /// Returns the state of a new connection.
    pub(in crate::connection) fn first(config: &Config) -> Self {
        if config.proxy_protocol { Self::Expected } else { Self::Done }
    }

    /// Returns the state after these bytes of an incomplete header were received.
    pub(in crate::connection) fn after(self, received: &[u8]) -> Self {
        if received.is_empty() { self } else { Self::Begun }
    }
}
