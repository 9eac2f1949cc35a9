//! A file to send.

use std::fs::File;
use std::path::{Path, PathBuf};

use httpants_core::Headers;
use httpants_core::files::{Coding, FileError, FileKind, Metadata, RelativePath};

use super::directory::{self, Found};
use super::policy::FilePolicy;
use super::root::FileRoot;

/// A file as a response, with the arguments of `send_file` in Pants;
/// [`Response::file`](crate::Response::file) converts it.
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
    filename: Option<String>,
    guess_mime: bool,
    precompressed: Option<bool>,
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
    /// The chosen content coding, if there was a choice.
    pub(crate) coding: Option<Coding>,
    pub(crate) filename: Option<String>,
    pub(crate) guess_mime: bool,
    /// The file is the index of a directory that was requested without a trailing slash.
    pub(crate) lacks_slash: bool,
}

/// The location of a file.
#[derive(Debug)]
pub(crate) enum Source {
    /// The path of a request, which may end in a slash.
    Requested { root: FileRoot, path: Result<RelativePath, FileError>, slash: bool },
    /// A path given by the application, below this root or the server's.
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
    /// Anything but a regular file gets 404. The file is always sent by this server, also with
    /// [`Server::x_sendfile`](crate::Server::x_sendfile).
    #[must_use]
    pub fn opened(file: File, name: &str) -> Self {
        Self::from_source(Source::Open { file, name: name.to_owned() })
    }

    pub(crate) fn from_source(source: Source) -> Self {
        Self { source, filename: None, guess_mime: true, precompressed: None }
    }

    /// Sets the name under which the client should save the file (`Content-Disposition`), in any
    /// script. Default: none; the client may display it.
    #[must_use]
    pub fn filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Sets whether the name determines the media type; otherwise it is `application/octet-stream`.
    /// Default: true.
    #[must_use]
    pub fn guess_mime(mut self, guess_mime: bool) -> Self {
        self.guess_mime = guess_mime;
        self
    }

    /// Sets whether a sibling with the suffix `.br` or `.gz` is sent instead if the client accepts
    /// it. Default: the setting of the [`FileRoot`](crate::FileRoot).
    #[must_use]
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.precompressed = Some(precompressed);
        self
    }

    /// Opens the file, or the precompressed sibling that suits this request better.
    pub(crate) fn open(self, policy: &FilePolicy, headers: &Headers) -> Result<Opened, FileError> {
        let Self { source, filename, guess_mime, precompressed } = self;
        let (root, path, slash) = match source {
            Source::Open { file, name } => {
                let metadata = file.metadata().map_err(|error| FileError::from(error.kind()))?;
                if directory::kind(&metadata) != FileKind::File {
                    return Err(FileError::NotFound);
                }
                let metadata = directory::describe(&metadata);
                let lacks_slash = false;
                return Ok(Opened {
                    name,
                    path: None,
                    file,
                    metadata,
                    coding: None,
                    filename,
                    guess_mime,
                    lacks_slash,
                });
            }
            Source::Requested { root, path, slash } => (root, path?, slash),
            Source::Named { root, path } => {
                let root = root.map_or_else(|| policy.root(), Ok)?;
                let path = root.directory.relative(&path)?;
                (root, path, true)
            }
        };
        let directory = &root.directory;
        let Found { path, mut file, mut metadata } = directory.find(path)?;
        let has_choice = precompressed.unwrap_or(root.precompressed) && policy.sendfile.is_none();
        let coding = has_choice.then(|| {
            Coding::choose(headers, |coding| match directory.find_sibling(&path, coding.suffix()) {
                Some(sibling) => {
                    (file, metadata) = sibling;
                    true
                }
                None => false,
            })
        });
        let (name, lacks_slash) = (path.name().to_owned(), path.is_index() && !slash);
        let path = policy.sendfile.is_some().then(|| path.under(directory.path()));
        Ok(Opened { name, path, file, metadata, coding, filename, guess_mime, lacks_slash })
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
