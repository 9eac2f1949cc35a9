//! What a server decides for the content of all its requests.

use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use httpants_core::forms::{Limits, urlencoded};

use crate::observe::Metrics;
use crate::runtime::BlockingPool;

#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) variables: urlencoded::Options,
    /// Whether forms are read on PATCH, too.
    pub(crate) patch: bool,
    pub(crate) disk: Disk,
}

/// Where temporary files are made, and what makes them.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    pub(crate) directory: PathBuf,
    pub(crate) pool: BlockingPool,
    /// Counts the files, and the forms that are refused.
    pub(crate) metrics: Arc<Metrics>,
}

impl Settings {
    pub(crate) fn new(pool: BlockingPool) -> Self {
        let disk = Disk { directory: std::env::temp_dir(), pool, metrics: Arc::default() };
        Self { limits: Limits::default(), variables: urlencoded::Options::default(), patch: false, disk }
    }

    /// Whether content with this method is read as a form, where its type says so.
    pub(crate) fn takes_form(&self, method: &Method) -> bool {
        match *method {
            Method::POST | Method::PUT => true,
            Method::PATCH => self.patch,
            _ => false,
        }
    }
}
