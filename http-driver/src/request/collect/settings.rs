//! The settings of a server for the bodies of its requests.

use std::path::PathBuf;
use std::sync::Arc;

use httpants_core::forms::FormLimits;

use crate::observe::Metrics;
use crate::request::forms::FormSettings;
use crate::runtime::BlockingPool;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: FormLimits,
    pub(crate) forms: FormSettings,
    pub(crate) disk: Disk,
}

/// The directory of temporary files, and the pool that writes them.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) directory: PathBuf,
    pub(crate) pool: BlockingPool,
    /// The counters of temporary files and refused forms.
    pub(crate) metrics: Arc<Metrics>,
}

impl Settings {
    pub(crate) fn new(pool: BlockingPool) -> Self {
        let disk = Disk { directory: std::env::temp_dir(), pool, metrics: Arc::default() };
        Self { limits: FormLimits::default(), forms: FormSettings::default(), disk }
    }
}
