//! File settings of a server, shared by all its handlers.

use std::sync::OnceLock;

use httpants_core::Headers;
use httpants_core::files::{FileError, XSendfile};

use super::root::FileRoot;
use crate::descriptors::LoggedLack;
use crate::observe::report::report;

/// The settings `file_root` and `sendfile` of Pants.
#[derive(Debug, Default)]
pub(crate) struct FilePolicy {
    root: OnceLock<FileRoot>,
    pub(crate) sendfile: Option<XSendfile>,
}

impl FilePolicy {
    pub(crate) fn set_root(&mut self, root: FileRoot) {
        self.root = root.into();
    }

    /// Returns the root of the application's relative paths: the current directory if none was set,
    /// as in Pants.
    pub(crate) fn root(&self) -> Result<FileRoot, FileError> {
        if let Some(root) = self.root.get() {
            return Ok(root.clone());
        }
        /// The lack of descriptors was logged.
        static LACK: LoggedLack = LoggedLack::new();
        let current = FileRoot::open(".").map_err(|error| {
            if LACK.is_repeated(&error) {
                return FileError::Failed;
            }
            report!("no file root is set and the current directory cannot be opened", error);
            FileError::Failed
        })?;
        Ok(self.root.get_or_init(|| current).clone())
    }

    /// Returns the request fields by which a precompressed sibling is chosen; `None` if this server
    /// makes no choice.
    pub(crate) fn choice<'a>(&self, precompressed: bool, headers: &'a Headers) -> Option<&'a Headers> {
        (precompressed && self.sendfile.is_none()).then_some(headers)
    }
}
