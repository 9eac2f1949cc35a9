//! Settings of a server for the bodies of its requests.

use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use httpants_core::forms::{FormLimits, urlencoded};

use crate::observe::Metrics;
use crate::runtime::BlockingPool;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: FormLimits,
    pub(crate) variables: urlencoded::Options,
    /// Parse forms on PATCH, too.
    pub(crate) patch: bool,
    pub(crate) disk: Disk,
}

/// The directory of temporary files, and the pool that writes them.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) directory: PathBuf,
    pub(crate) pool: BlockingPool,
    /// Counts the files and the refused forms.
    pub(crate) metrics: Arc<Metrics>,
}

impl Settings {
    pub(crate) fn new(pool: BlockingPool) -> Self {
        let disk = Disk { directory: std::env::temp_dir(), pool, metrics: Arc::default() };
        Self { limits: FormLimits::default(), variables: urlencoded::Options::default(), patch: false, disk }
    }

    /// Returns whether a body with this method is parsed as a form, if its type is one.
    pub(crate) fn takes_form(&self, method: &Method) -> bool {
        match *method {
            Method::POST | Method::PUT => true,
            Method::PATCH => self.patch,
            _ => false,
        }
    }
}
