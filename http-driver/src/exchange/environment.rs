//! The settings of a server that its requests need.

use std::sync::Arc;

use httpants_core::Config;
use httpants_core::forms::FormLimits;
use httpants_core::proxy::ProxyPolicy;

use super::cookie_keys::CookieKeys;
use crate::lifecycle::Handle;
use crate::runtime::Clock;

/// The settings, the clock and the handle of a server, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) config: Arc<Config>,
    #[cfg_attr(not(feature = "forms"), expect(dead_code, reason = "no form is read part by part"))]
    pub(crate) form_limits: FormLimits,
    pub(crate) proxies: Arc<ProxyPolicy>,
    #[cfg_attr(not(feature = "cookies"), expect(dead_code, reason = "no cookie is signed"))]
    pub(crate) cookie_keys: CookieKeys,
    pub(crate) clock: Clock,
    pub(crate) handle: Handle,
}
