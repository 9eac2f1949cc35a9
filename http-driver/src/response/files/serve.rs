//! From a directory and a request, or a name, to a file that is to be sent.

use std::path::Path;

use httpants_core::files::{FileError, RelativePath};

use super::named_file::{NamedFile, Source};
use super::root::FileRoot;
use crate::request::Request;
use crate::response::Response;

impl FileRoot {
    /// The response to a request for a file: the one that its path names. A directory with an
    /// `index.html` is 301 where the slash behind its name is missing, because links in that
    /// file count from there.
    #[must_use]
    pub fn serve(&self, request: &Request) -> Response {
        let slash = request.path().ends_with('/');
        let path = self.below_mount(request.path()).ok_or(FileError::NotFound).and_then(RelativePath::resolve);
        NamedFile::from_source(Source::Requested { root: self.clone(), path, slash }).into()
    }

    /// A file that the application names: relative to the directory, or absolute and below
    /// it. It is opened when it is sent, and not percent-decoded. A path that leads out is
    /// answered with 404, whoever wrote it.
    #[must_use]
    pub fn file(&self, path: impl AsRef<Path>) -> NamedFile {
        NamedFile::from_source(Source::Named { root: Some(self.clone()), path: path.as_ref().to_owned() })
    }
}
