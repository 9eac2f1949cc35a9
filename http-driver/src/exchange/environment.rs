//! Settings of a server that its requests need.

use std::io;
use std::sync::Arc;

use httpants_core::Config;
use httpants_core::cookies::KeyRing;
use httpants_core::forms::FormLimits;
use httpants_core::proxy::ProxyPolicy;

use crate::runtime::Clock;

/// The settings and the clock of a server, shared by all its connections.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) config: Arc<Config>,
    pub(crate) form_limits: FormLimits,
    pub(crate) proxies: Arc<ProxyPolicy>,
    pub(crate) cookie_keys: KeyRing,
    pub(crate) clock: Clock,
}

/// Generates a secret that no other process knows, including later runs of the same program.
pub(crate) fn random_key() -> io::Result<KeyRing> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| io::Error::other(format!("cannot generate a random cookie secret: {error}")))?;
    KeyRing::new([secret]).map_err(io::Error::other)
}
