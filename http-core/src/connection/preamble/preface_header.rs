//! How much of the PROXY protocol header was received.

use crate::connection::config::Config;

/// The PROXY protocol header before everything else, where one is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::connection) enum PrefaceHeader {
    Expected,
    /// Something was received, but not all of it, or something else.
    Begun,
    /// It was received, or none is expected.
    Done,
}

impl PrefaceHeader {
    /// Before something was received.
    pub(in crate::connection) fn first(config: &Config) -> Self {
        if config.proxy_protocol { Self::Expected } else { Self::Done }
    }

    /// Once this was received of it.
    pub(in crate::connection) fn after(self, received: &[u8]) -> Self {
        if received.is_empty() { self } else { Self::Begun }
    }
}
