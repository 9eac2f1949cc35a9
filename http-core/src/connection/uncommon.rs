//! State that few connections have.

use core::time::Duration;

use super::config::Timeouts;
use super::unsent_refusal::UnsentRefusal;
use crate::message::proxy_tlvs::ProxyTlvs;

/// State that few connections have, in a box of its own so that the others use no memory for it.
#[derive(Debug, Default)]
pub(super) struct Uncommon {
    /// The time at which the caller wants the connection to close, until that was done.
    pub(super) expires: Option<Duration>,
    /// The connection is to close, and no response has said so yet: once no request waits to be
    /// parsed, or behind the next one.
    pub(super) ending: bool,
    /// The timeouts while the current request is handled, if it has its own.
    pub(super) timeouts: Option<Timeouts>,
    /// The last response, if the connection made it and has not sent it.
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
