//! A file to send.

use std::fs::File;
use std::path::{Path, PathBuf};

use httpants_core::Headers;
use httpants_core::files::{Coding, Disposition, FileError, FileKind, Metadata};

use super::directory;
use super::located::{Located, RequestedPath, Substitutes};
use super::policy::FilePolicy;
use super::root::FileRoot;

/// A file as a response, with the arguments of `send_file` in Pants;
/// [`Response::file`](crate::Response::file) converts it.
///
/// Needs the feature `files`.
///
/// The media type is derived from the name. `Last-Modified`, a strong `ETag`, `Accept-Ranges` and a
/// freshness of a week are sent unless [`Response::with_header`](crate::Response::with_header) sets
/// fields of these names; conditional requests, ranges and HEAD are evaluated against them. With a
/// status other than 200 the file is plain content, such as that of an error page: it is sent
/// whole, without conditions and ranges, and by default with `Cache-Control: no-cache`.
///
/// ```
/// use httpants_driver::{NamedFile, Response};
///
/// // A path below Server::file_root.
/// let _ = Response::file("logo.svg");
/// let _ = Response::file(NamedFile::new("data.bin").filename("Größen.bin").guess_mime(false));
/// let _ = Response::file("404.html").with_status(404);
/// ```
#[derive(Debug)]
pub struct NamedFile {
    source: Source,
    presentation: Presentation,
    precompressed: Option<bool>,
}

/// The settings of the application for a file.
#[derive(Debug)]
pub(crate) struct Presentation {
    pub(crate) filename: Option<String>,
    pub(crate) disposition: Disposition,
    pub(crate) guess_mime: bool,
}

/// An opened file.
#[derive(Debug)]
pub(crate) struct Opened {
    /// The name that determines the media type; with a precompressed sibling still that of the
    /// original file.
    pub(crate) name: String,
    /// The path, for a proxy that sends the file (`X-Accel-Redirect`).
    pub(crate) path: Option<PathBuf>,
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    /// The content coding of the chosen file, if a precompressed sibling was an option.
    pub(crate) coding: Option<Coding>,
    pub(crate) presentation: Presentation,
    /// The root that contains the file, if any.
    pub(crate) root: Option<FileRoot>,
    /// True if the file is the fallback of its root, which caches must revalidate under every path.
    pub(crate) is_fallback: bool,
    /// True if the file is the index of a directory that was requested without a trailing slash.
    pub(crate) lacks_slash: bool,
}

/// The location of a file.
#[derive(Debug)]
pub(crate) enum Source {
    /// The path of a request. `is_below`: true if it is below the mount prefix.
    Requested { root: FileRoot, path: Result<RequestedPath, FileError>, is_below: bool },
    /// A file that was found before.
    Located(Box<Located>),
    /// A file that was found before and cannot be opened.
    Failed(FileError),
    /// A path given by the application, below this root; without one, below the server's root.
    Named { root: Option<FileRoot>, path: PathBuf },
    /// An open file.
    Open { file: File, name: String },
}

impl NamedFile {
    /// Creates a response from a file below [`Server::file_root`](crate::Server::file_root);
    /// [`FileRoot::file`](crate::FileRoot::file) is for other directories.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::from_source(Source::Named { root: None, path: path.as_ref().to_owned() })
    }

    /// Creates a response from an open file of any location; the name determines the media type.
    /// Anything except a regular file gets 404. The file is always sent by this server, also with
    /// [`Server::x_sendfile`](crate::Server::x_sendfile).
    #[must_use]
    pub fn opened(file: File, name: &str) -> Self {
        Self::from_source(Source::Open { file, name: name.to_owned() })
    }

    pub(crate) fn from_source(source: Source) -> Self {
        Self { source, presentation: Presentation::default(), precompressed: None }
    }

    /// Sets the name under which the client should save the file (`Content-Disposition:
    /// attachment`), in any script. Default: none; the client may display it.
    #[must_use]
    pub fn filename(self, filename: impl Into<String>) -> Self {
        self.named(Disposition::Attachment, filename.into())
    }

    /// Sets the name of a file that the client should display (`Content-Disposition: inline`), in
    /// any script. Browsers use it as the title of the tab and when the user saves the file.
    ///
    /// ```
    /// use httpants_driver::{NamedFile, Response};
    ///
    /// let _ = Response::file(NamedFile::new("7f3a.pdf").inline("Invoice 7.pdf"));
    /// ```
    #[must_use]
    pub fn inline(self, filename: impl Into<String>) -> Self {
        self.named(Disposition::Inline, filename.into())
    }

    fn named(mut self, disposition: Disposition, filename: String) -> Self {
        self.presentation.disposition = disposition;
        self.presentation.filename = Some(filename);
        self
    }

    /// Sets whether the name determines the media type; otherwise it is `application/octet-stream`.
    /// Default: true.
    #[must_use]
    pub fn guess_mime(mut self, guess_mime: bool) -> Self {
        self.presentation.guess_mime = guess_mime;
        self
    }

    /// Sets whether a sibling with the suffix `.br`, `.zst` or `.gz` is sent instead if the client
    /// accepts it. Default: the setting of the [`FileRoot`](crate::FileRoot).
    #[must_use]
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.precompressed = Some(precompressed);
        self
    }

    /// Returns the root, if it has a `fallback` or `not_found` file for requests without a file.
    pub(crate) fn substitutes(&self) -> Option<Substitutes> {
        match &self.source {
            Source::Requested { root, is_below, .. } if root.has_substitutes() => {
                Some(Substitutes { root: root.clone(), is_below: *is_below })
            }
            _ => None,
        }
    }

    /// Opens the file, or the precompressed sibling if that matches this request better.
    pub(crate) fn open(self, policy: &FilePolicy, headers: &Headers) -> Result<Opened, FileError> {
        let Self { source, presentation, precompressed } = self;
        let choice = |root: &FileRoot| policy.choice(precompressed.unwrap_or(root.settings.precompressed), headers);
        let located = match source {
            Source::Open { file, name } => return Opened::unrooted(file, name, presentation),
            Source::Failed(fault) => return Err(fault),
            Source::Located(located) => *located,
            Source::Requested { root, path, .. } => root.locate_requested(path?, choice(&root))?,
            Source::Named { root, path } => {
                let root = root.map_or_else(|| policy.root(), Ok)?;
                root.locate(root.directory.relative(&path)?, choice(&root))?
            }
        };
        Ok(Opened::located(located, presentation, policy))
    }
}

impl Opened {
    fn unrooted(file: File, name: String, presentation: Presentation) -> Result<Self, FileError> {
        let metadata = file.metadata().map_err(|error| FileError::from(error.kind()))?;
        if directory::kind(&metadata) != FileKind::File {
            return Err(FileError::NotFound);
        }
        Ok(Self {
            name,
            path: None,
            file,
            metadata: directory::describe(&metadata),
            coding: None,
            presentation,
            root: None,
            is_fallback: false,
            lacks_slash: false,
        })
    }

    pub(super) fn located(located: Located, presentation: Presentation, policy: &FilePolicy) -> Self {
        let Located { root, path, file, metadata, coding, lacks_slash } = located;
        let is_fallback = root.settings.fallback.as_ref().is_some_and(|fallback| fallback.as_str() == path.as_str());
        let for_proxy = policy.sendfile.is_some().then(|| path.under(root.directory.path()));
        Self {
            name: path.name().to_owned(),
            file,
            metadata,
            // A proxy chooses the coding itself.
            coding: coding.filter(|_| for_proxy.is_none()),
            path: for_proxy,
            presentation,
            is_fallback,
            lacks_slash,
            root: Some(root),
        }
    }
}

impl Default for Presentation {
    fn default() -> Self {
        Self { filename: None, disposition: Disposition::Attachment, guess_mime: true }
    }
}

/// Converts a path below [`Server::file_root`](crate::Server::file_root).
impl From<&str> for NamedFile {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

/// Converts a path below [`Server::file_root`](crate::Server::file_root).
impl From<&Path> for NamedFile {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}
