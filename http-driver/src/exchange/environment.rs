//! Settings of a server that its requests need.

use std::sync::Arc;

use httpants_core::Config;
use httpants_core::cookies::KeyRing;
use httpants_core::forms::Limits;
use httpants_core::proxy::ProxyPolicy;

use crate::runtime::Clock;

/// The settings and the clock of a server, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) config: Arc<Config>,
    pub(crate) form_limits: Limits,
    pub(crate) proxies: Arc<ProxyPolicy>,
    pub(crate) cookie_keys: KeyRing,
    pub(crate) clock: Clock,
}
