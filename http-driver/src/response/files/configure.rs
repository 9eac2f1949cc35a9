//! Setting up a root.

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use httpants_core::files::{EtagRecipe, FileError, RelativePath};

use super::root::FileRoot;
use super::settings::Settings;

impl FileRoot {
    /// Sets whether `app.js.br`, `app.js.zst` or `app.js.gz` is sent instead of `app.js` if it
    /// exists and the client accepts it; of several with the same weight, the first of this list.
    /// Every response then has `Vary: Accept-Encoding`. Default: false.
    #[must_use]
    pub fn precompressed(self, precompressed: bool) -> Self {
        self.with(|settings| settings.precompressed = precompressed)
    }

    /// Sets whether requests find files and directories whose names begin with a dot, such as
    /// `.env` and `.git`. If not, such requests are handled as for a missing file. `.well-known` at
    /// the start of the path is always found (RFC 8615), and so are files named by the application
    /// with [`file`](Self::file), [`fallback`](Self::fallback) or [`not_found`](Self::not_found).
    /// Default: false.
    #[must_use]
    pub fn dotfiles(self, dotfiles: bool) -> Self {
        self.with(|settings| settings.dotfiles = dotfiles)
    }

    /// Sets the names of the files to send for a directory; the first that exists is sent.
    /// Without names, a directory gets 404. Default: `index.html`.
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for a string that is not a file name.
    pub fn index_names<S: AsRef<str>>(self, names: impl IntoIterator<Item = S>) -> io::Result<Self> {
        let directory = RelativePath::resolve("").map_err(io::Error::other)?;
        let names = names.into_iter().map(|name| {
            let name = name.as_ref();
            match directory.index(name) {
                Ok(_) => Ok(name.into()),
                Err(_) => Err(invalid("index name", name, "the name of a file, such as \"index.html\"")),
            }
        });
        let names = names.collect::<io::Result<_>>()?;
        Ok(self.with(|settings| settings.index_names = names))
    }

    /// Sets the `Content-Type` of files with this extension, such as `md` or `tar.gz`, or with this
    /// name, in place of the built-in one. It is sent as given, so include the charset of a text.
    /// May be called more than once.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let files = httpants_driver::FileRoot::open(".")?
    ///     .media_type("md", "text/markdown; charset=utf-8")?
    ///     .media_type("apple-app-site-association", "application/json")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for an invalid extension or media
    /// type.
    pub fn media_type(mut self, extension: &str, media_type: &str) -> io::Result<Self> {
        if matches!(extension, "" | ".") || extension.contains(['/', '\\']) {
            return Err(invalid("extension", extension, "the end of a file name, such as \"md\""));
        }
        let settings = Arc::make_mut(&mut self.settings);
        let types = std::mem::take(&mut settings.types).with(extension, media_type);
        settings.types =
            types.map_err(|_| invalid("media type", media_type, "type/subtype, such as \"text/plain\""))?;
        Ok(self)
    }

    /// Sets the charset of text files with a built-in media type; `None` sends no charset. Default:
    /// `utf-8`.
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for a charset that is not a token.
    pub fn charset<'a>(mut self, charset: impl Into<Option<&'a str>>) -> io::Result<Self> {
        let charset = charset.into();
        let settings = Arc::make_mut(&mut self.settings);
        let types = std::mem::take(&mut settings.types).charset(charset);
        settings.types =
            types.map_err(|_| invalid("charset", charset.unwrap_or_default(), "a name, such as \"utf-8\""))?;
        Ok(self)
    }

    /// Sets the file attributes from which entity tags are made. Default: inode, length and time of
    /// modification. Without the inode, servers with copies of the same file send the same tag.
    #[must_use]
    pub fn etag(self, recipe: EtagRecipe) -> Self {
        self.with(|settings| settings.etag = recipe)
    }

    /// Sets the `Cache-Control` of files. Default: a freshness of one week. The
    /// [`fallback`](Self::fallback) and the [`not_found`](Self::not_found) file keep `no-cache`,
    /// and [`Response::with_header`](crate::Response::with_header) sets it for one response.
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// // Files with a hash in their names never change.
    /// let assets = httpants_driver::FileRoot::open(".")?.cache_control("max-age=31536000, immutable")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for an invalid field value.
    pub fn cache_control(self, value: &str) -> io::Result<Self> {
        let field = HeaderValue::try_from(value).ok().filter(|_| !value.trim().is_empty());
        let field = field.ok_or_else(|| invalid("Cache-Control", value, "directives, such as \"max-age=60\""))?;
        Ok(self.with(|settings| settings.cache_control = Some(field)))
    }

    /// Sets the file that [`serve`](Self::serve) sends if the requested file does not exist, with
    /// status 200: the page of an application that routes in the browser, usually `index.html`.
    ///
    /// Only GET and HEAD requests below the mount prefix get it, and only if their Accept has
    /// `text/html` or `text/*`: navigations get it, while a missing script, an image, and `fetch`
    /// or curl with `*/*` get 404. Conditions and ranges are evaluated. Under each path, also its
    /// own, the file has `Cache-Control: no-cache` unless the application sets another value for
    /// the response, so browsers revalidate it each time. Such responses have `Vary: Accept`.
    ///
    /// The path is relative to the directory. Default: none.
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that is absolute or leads
    /// out of the directory, and the error of opening the file. If the file is missing later, the
    /// response is 404 and the error is logged.
    pub fn fallback(self, path: impl AsRef<Path>) -> io::Result<Self> {
        let page = self.page("fallback", path.as_ref())?;
        Ok(self.with(|settings| settings.fallback = Some(page)))
    }

    /// Sets the file that [`serve`](Self::serve) sends with status 404 if the requested file does
    /// not exist and the [`fallback`](Self::fallback) does not apply. It is sent whole, whatever
    /// the method and the conditions, with `Cache-Control: no-cache`. This server sends it even
    /// with [`Server::x_sendfile`](crate::Server::x_sendfile).
    ///
    /// The path is relative to the directory. Default: none; a short text is sent.
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for a path that is absolute or leads
    /// out of the directory, and the error of opening the file. If the file is missing later, the
    /// response is a short text and the error is logged.
    pub fn not_found(self, path: impl AsRef<Path>) -> io::Result<Self> {
        let page = self.page("not_found", path.as_ref())?;
        Ok(self.with(|settings| settings.not_found = Some(page)))
    }

    fn page(&self, setting: &str, path: &Path) -> io::Result<RelativePath> {
        let relative = path.to_str().filter(|_| path.is_relative());
        let relative = relative.and_then(|path| RelativePath::resolve_decoded(path).ok()).ok_or_else(|| {
            let expected = "a relative path that stays below the directory, such as \"index.html\"";
            invalid(&format!("{setting} file"), path, expected)
        })?;
        match self.directory.find(relative.clone(), &[]) {
            Ok(_) => Ok(relative),
            Err(fault) => {
                let message = format!("{setting} file {:?} in {}: {fault}", path, self.path().display());
                Err(io::Error::new(kind(fault), message))
            }
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

fn invalid(what: &str, value: impl Debug, expected: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("invalid {what} {value:?}: expected {expected}"))
}

fn kind(fault: FileError) -> io::ErrorKind {
    match fault {
        FileError::NotFound => io::ErrorKind::NotFound,
        FileError::Forbidden => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::Other,
    }
}
