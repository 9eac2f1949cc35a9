//! Finding the file for a request or a name.

use std::path::Path;

use httpants_core::files::{FileError, RelativePath};

use super::named_file::{NamedFile, Source};
use super::root::FileRoot;
use crate::request::Request;
use crate::response::Response;

impl FileRoot {
    /// Returns the response to a request for the file at its path. A directory with an `index.html`
    /// is redirected with 301 if the trailing slash is missing, because relative links in that file
    /// depend on it.
    #[must_use]
    pub fn serve(&self, request: &Request) -> Response {
        let slash = request.path().ends_with('/');
        let path = self.below_mount(request.path()).ok_or(FileError::NotFound).and_then(RelativePath::resolve);
        NamedFile::from_source(Source::Requested { root: self.clone(), path, slash }).into()
    }

    /// Returns a file that the application names: relative to the directory, or absolute and below
    /// it. It is opened when it is sent. The path is not percent-decoded. A path that leads out
    /// gets 404.
    #[must_use]
    pub fn file(&self, path: impl AsRef<Path>) -> NamedFile {
        NamedFile::from_source(Source::Named { root: Some(self.clone()), path: path.as_ref().to_owned() })
    }
}
