//! What all connections of a server share: the application and the configuration.

use std::fmt;
use std::sync::Arc;

use httpants_core::{Config, Request};

use crate::handler::{Handler, Intake};
use crate::observe::Observed;
use crate::request::collect::Settings;
use crate::response::files::FilePolicy;

pub(crate) type ChooseIntake = Box<dyn Fn(&Request) -> Intake + Send + Sync>;

pub(crate) struct Service<H> {
    pub(crate) handler: H,
    pub(crate) config: Arc<Config>,
    pub(crate) choose_intake: Option<ChooseIntake>,
    pub(crate) files: Arc<FilePolicy>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) observed: Observed,
}

impl<H: Handler> Service<H> {
    pub(crate) fn new(
        handler: H,
        config: Config,
        choose_intake: Option<ChooseIntake>,
        files: FilePolicy,
        mut settings: Settings,
        observed: Observed,
    ) -> Arc<Self> {
        // There is one `max_request`, wherever it was set.
        settings.limits.max_request = config.limits.max_request;
        Arc::new(Self {
            handler,
            config: Arc::new(config),
            choose_intake,
            files: Arc::new(files),
            settings: Arc::new(settings),
            observed,
        })
    }

    /// What to do with the content behind this head.
    pub(crate) fn intake(&self, head: &Request) -> Intake {
        match &self.choose_intake {
            Some(choose) => choose(head),
            None => self.handler.intake(head),
        }
    }
}

impl<H> fmt::Debug for Service<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("config", &self.config).finish_non_exhaustive()
    }
}
