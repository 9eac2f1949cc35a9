//! Responses whose content is a file.

use std::path::Path;

use httpants_core::{FieldLines, Misuse, ResponseHead};

use super::named_file::NamedFile;
use crate::response::{Content, Responder, Response};

/// Files as responses, with the feature `files`.
impl Response {
    /// Creates the response to the request from a file, with a status from 200 to 416 (`send_file`
    /// in Pants). A path is below [`Server::file_root`](crate::Server::file_root); see
    /// [`NamedFile`] and [`FileRoot`](crate::FileRoot) for other sources. Fields set by the
    /// application replace those of the file. They are in every response, except that fields that
    /// describe the file or its caching (type, coding, disposition, validators, Cache-Control,
    /// Expires) are left out of 301, 403, 404, 405, 412, 416 and 500.
    ///
    /// ```
    /// use httpants_driver::{NamedFile, Response};
    ///
    /// let _ = Response::file("logo.svg").with_header("Cache-Control", "no-cache");
    /// let _ = Response::file(NamedFile::new("q3.csv").filename("Report.csv"));
    /// ```
    #[must_use]
    pub fn file(file: impl Into<NamedFile>) -> Self {
        let content = Content::File(Box::new(file.into()));
        Self { head: ResponseHead::default(), content, misuse: None }
    }
}

/// Converts like [`Response::file`].
impl From<NamedFile> for Response {
    fn from(file: NamedFile) -> Self {
        Self::file(file)
    }
}

/// Files as responses, with the feature `files`.
impl Responder {
    /// Sends a whole response with a file in one call. The defaults of Pants are `None`, `true` and
    /// no headers. The path is relative to [`Server::file_root`](crate::Server::file_root), or
    /// absolute and below it. With a `filename` the client should save the file under that name;
    /// without `guess_mime` its type is `application/octet-stream`.
    ///
    /// ```
    /// use httpants_driver::{Misuse, Request, Response};
    ///
    /// async fn handler(request: Request) -> Result<Response, Misuse> {
    ///     request.responder().send_file("q3.csv", Some("Report.csv"), true, [("Cache-Control", "no-cache")])
    /// }
    /// # let _ = handler;
    /// ```
    ///
    /// # Errors
    /// Returns the errors of [`send_status`](Self::send_status), and errors for invalid headers. A
    /// missing file is not an error but a response with 404.
    pub fn send_file<N, V>(
        self,
        path: impl AsRef<Path>,
        filename: Option<&str>,
        guess_mime: bool,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Response, Misuse>
    where
        N: AsRef<str>,
        V: AsRef<[u8]>,
    {
        let mut file = NamedFile::new(path).guess_mime(guess_mime);
        if let Some(filename) = filename {
            file = file.filename(filename);
        }
        let mut response = Response::file(file);
        response.head.fields = FieldLines::try_from_iter(headers)?;
        // Marks the head as begun until the head for the file is sent.
        self.write(|writer| writer.send_status(200))?;
        Ok(response)
    }
}
