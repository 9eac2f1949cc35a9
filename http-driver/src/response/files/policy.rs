//! What a server says about files, once for all its handlers.

use std::sync::OnceLock;

use httpants_core::files::{FileError, Sendfile};

use super::root::FileRoot;
use crate::observe::report::report;

/// `file_root` and `sendfile` in Pants.
#[derive(Debug, Default)]
pub(crate) struct FilePolicy {
    root: OnceLock<FileRoot>,
    pub(crate) sendfile: Option<Sendfile>,
}

impl FilePolicy {
    pub(crate) fn set_root(&mut self, root: FileRoot) {
        self.root = root.into();
    }

    /// Where the application's relative paths start: in the current directory where nothing
    /// was set, as in Pants.
    pub(crate) fn root(&self) -> Result<FileRoot, FileError> {
        if let Some(root) = self.root.get() {
            return Ok(root.clone());
        }
        let current = FileRoot::open(".").map_err(|error| {
            report!("no file root was set, and the current directory cannot be opened", error);
            FileError::Failed
        })?;
        Ok(self.root.get_or_init(|| current).clone())
    }
}
