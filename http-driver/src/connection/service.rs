//! The application and configuration that all connections of a server share.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use httpants_core::proxy::ProxyPolicy;
use httpants_core::{Config, RequestHead, RequestLimits};

use crate::exchange::{CookieKeys, Environment, random_key};
use crate::handler::{BodyPolicy, Handler};
use crate::lifecycle::Handle;
use crate::observe::Observed;
use crate::observe::access_log::AccessLog;
use crate::request::Decompression;
use crate::request::collect::Settings;
use crate::response::ResponsePolicy;
use crate::runtime::Clock;

type ChooseBodyPolicy = Box<dyn Fn(&RequestHead) -> BodyPolicy + Send + Sync>;
type ChooseLimits = Box<dyn Fn(&RequestHead) -> Option<RequestLimits> + Send + Sync>;

pub(crate) struct Service<H> {
    pub(crate) handler: H,
    pub(crate) environment: Arc<Environment>,
    pub(crate) choose_body_policy: Option<ChooseBodyPolicy>,
    pub(crate) choose_limits: Option<ChooseLimits>,
    pub(crate) responses: ResponsePolicy,
    pub(crate) decompression: Option<Decompression>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) observed: Observed,
    pub(crate) upgrade_grace: Duration,
}

/// The settings from which a service is built.
pub(crate) struct ServiceParts<H> {
    pub(crate) handler: H,
    pub(crate) config: Config,
    /// The trusted proxies.
    pub(crate) proxies: ProxyPolicy,
    /// The keys for signed cookies; `None` for a random one.
    pub(crate) cookie_keys: Option<CookieKeys>,
    pub(crate) choose_body_policy: Option<ChooseBodyPolicy>,
    pub(crate) choose_limits: Option<ChooseLimits>,
    pub(crate) responses: ResponsePolicy,
    pub(crate) decompression: Option<Decompression>,
    pub(crate) settings: Settings,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) upgrade_grace: Duration,
}

impl<H> Service<H> {
    /// Creates the service, with defaults that depend on the process.
    ///
    /// # Errors
    /// Returns an error if the system provides no random key for signed cookies.
    pub(crate) fn new(parts: ServiceParts<H>, clock: Clock, handle: Handle) -> io::Result<Arc<Self>> {
        let ServiceParts {
            handler,
            config,
            proxies,
            cookie_keys,
            choose_body_policy,
            choose_limits,
            responses,
            decompression,
            mut settings,
            access_log,
            upgrade_grace,
        } = parts;
        // `max_body_size` is one setting that can be set in two places.
        settings.limits.max_body_size = config.limits.max_body_size;
        let cookie_keys = cookie_keys.map_or_else(random_key, Ok)?;
        let proxies = Arc::new(proxies);
        let observed = Observed::new(Arc::clone(&settings.disk.metrics), access_log, Arc::clone(&proxies));
        let form_limits = settings.limits.clone();
        let environment = Environment { config: config.into(), form_limits, proxies, cookie_keys, clock, handle };
        Ok(Arc::new(Self {
            handler,
            environment: environment.into(),
            choose_body_policy,
            choose_limits,
            responses,
            decompression,
            settings: settings.into(),
            observed,
            upgrade_grace,
        }))
    }

    /// Returns the body policy for this request.
    pub(crate) fn body_policy(&self, head: &RequestHead) -> BodyPolicy
    where
        H: Handler,
    {
        match &self.choose_body_policy {
            Some(choose) => choose(head),
            None => self.handler.body_policy(head),
        }
    }
}

impl<H> fmt::Debug for Service<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("config", &self.environment.config).finish_non_exhaustive()
    }
}
