//! A file below a root, opened.

use std::fs::File;

use httpants_core::Headers;
use httpants_core::files::{Coding, FileError, Metadata, RelativePath};

use super::directory::Found;
use super::root::FileRoot;

/// An open file of a root, or its precompressed sibling.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) root: FileRoot,
    /// The path of the file, without the suffix of a precompressed sibling; for a directory, that
    /// of its index.
    pub(crate) path: RelativePath,
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    /// The content coding of the chosen file, if a precompressed sibling was an option.
    pub(crate) coding: Option<Coding>,
    /// True if the file is the index of a directory that was requested without a trailing slash.
    pub(crate) lacks_slash: bool,
}

/// The path of a request, below the mount prefix of a root.
#[derive(Debug)]
pub(crate) struct RequestedPath {
    path: RelativePath,
    /// True if the path ends with a slash.
    slash: bool,
}

/// The root whose `fallback` and `not_found` files replace a missing file.
#[derive(Debug)]
pub(crate) struct Substitutes {
    pub(crate) root: FileRoot,
    /// True if the path of the request is below the mount prefix.
    pub(crate) is_below: bool,
}

impl FileRoot {
    pub(super) fn has_substitutes(&self) -> bool {
        self.settings.fallback.is_some() || self.settings.not_found.is_some()
    }

    /// Parses the percent-encoded path of a request. Hidden files are not found, unless the root
    /// serves dotfiles.
    pub(super) fn requested(&self, path: &str) -> Result<RequestedPath, FileError> {
        let below = self.below_mount(path).ok_or(FileError::NotFound)?;
        let below = RelativePath::resolve(below)?;
        if below.is_hidden() && !self.settings.dotfiles {
            return Err(FileError::NotFound);
        }
        Ok(RequestedPath { path: below, slash: path.ends_with('/') })
    }

    /// Opens the file of a request; see [`locate`](Self::locate).
    pub(super) fn locate_requested(
        &self,
        requested: RequestedPath,
        choice: Option<&Headers>,
    ) -> Result<Located, FileError> {
        let located = self.locate(requested.path, choice)?;
        let lacks_slash = located.path.is_index() && !requested.slash;
        Ok(Located { lacks_slash, ..located })
    }

    /// Opens a file, or its precompressed sibling if that matches the request fields `choice`
    /// better.
    pub(super) fn locate(&self, path: RelativePath, choice: Option<&Headers>) -> Result<Located, FileError> {
        let directory = &self.directory;
        let Found { path, mut file, mut metadata } = directory.find(path, &self.settings.index_names)?;
        let coding = choice.map(|headers| {
            Coding::choose(headers, |coding| match directory.find_sibling(&path, coding.suffix()) {
                Some(sibling) => {
                    (file, metadata) = sibling;
                    true
                }
                None => false,
            })
        });
        Ok(Located { root: self.clone(), path, file, metadata, coding, lacks_slash: false })
    }
}
