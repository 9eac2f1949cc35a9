//! Finding the file for a request or a name.

use std::path::Path;

use httpants_core::files::FileError;

use super::named_file::{NamedFile, Source};
use super::root::FileRoot;
use crate::request::Request;
use crate::response::Response;

impl FileRoot {
    /// Returns the response to a request for the file at its path. A directory with an index is
    /// redirected with 301 if the trailing slash is missing, because relative links in that file
    /// depend on it. If there is no file, the response is the [`fallback`](Self::fallback), the
    /// [`not_found`](Self::not_found) file, or a short text with status 404. Methods other than GET
    /// and HEAD on a file get 405 with `Allow`.
    ///
    /// The file is opened when the response is sent.
    #[must_use]
    pub fn serve(&self, request: &Request) -> Response {
        let requested = request.path();
        let is_below = self.below_mount(requested).is_some();
        let path = self.requested(requested);
        NamedFile::from_source(Source::Requested { root: self.clone(), path, is_below }).into()
    }

    /// Returns the response to a request for the file at its path, or `None` if there is no such
    /// file, so that the application can continue: the file does not exist or is hidden, or the
    /// path is invalid or outside the mount prefix. [`fallback`](Self::fallback) and
    /// [`not_found`](Self::not_found) are not used.
    ///
    /// Every other result is a response: the file, to which conditions and ranges apply, the
    /// redirect of a directory with an index, 403 for a file that may not be read, and 405 for
    /// methods other than GET and HEAD.
    ///
    /// The file is opened once. The response contains the open file, so the file that was found is
    /// sent even if it is replaced meanwhile.
    ///
    /// ```
    /// use httpants_driver::{FileRoot, Request, Response};
    ///
    /// async fn handler(site: FileRoot, request: Request) -> Response {
    ///     match site.find(&request).await {
    ///         Some(file) => file.with_header("X-Frame-Options", "DENY"),
    ///         None => Response::text("no page of this name\n").with_status(404),
    ///     }
    /// }
    /// # let _ = handler;
    /// ```
    pub async fn find(&self, request: &Request) -> Option<Response> {
        let found = self.requested(request.path()).and_then(|path| {
            let choice = self.settings.precompressed.then_some(request.headers());
            self.locate_requested(path, choice)
        });
        let source = match found {
            Ok(located) => Source::Located(located.into()),
            Err(FileError::NotFound) => return None,
            Err(fault) => Source::Failed(fault),
        };
        Some(NamedFile::from_source(source).into())
    }

    /// Returns a file that the application names: relative to the directory, or absolute and below
    /// it. It is opened when it is sent. The path is not percent-decoded. A path that leads out of
    /// the directory gets 404.
    #[must_use]
    pub fn file(&self, path: impl AsRef<Path>) -> NamedFile {
        NamedFile::from_source(Source::Named { root: Some(self.clone()), path: path.as_ref().to_owned() })
    }
}
