//! State that only few connections have.

use core::time::Duration;

use super::config::Timeouts;
use super::unsent_refusal::UnsentRefusal;
use crate::message::proxy_tlvs::ProxyTlvs;

/// State that only few connections have, boxed so that the others use no memory for it.
#[derive(Debug, Default)]
pub(super) struct Uncommon {
    /// Time at which the connection is to close ([`expire_at`](crate::Connection::expire_at)),
    /// until that has happened.
    pub(super) expires: Option<Duration>,
    /// True if the connection is to close, and no response has announced it yet: it closes once no
    /// request waits to be parsed, or after the next request.
    pub(super) ending: bool,
    /// Timeouts of the current request, if it has its own.
    pub(super) timeouts: Option<Timeouts>,
    /// The last response, if the connection made it itself and has not sent it.
    pub(super) unsent_refusal: Option<UnsentRefusal>,
    pub(super) proxy_tlvs: ProxyTlvs,
}

impl Uncommon {
    pub(super) fn forget_refusal(uncommon: &mut Option<Box<Self>>) {
        if let Some(uncommon) = uncommon {
            uncommon.unsent_refusal = None;
        }
    }
}
