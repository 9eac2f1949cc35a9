//! A file that is to be sent.

use std::fs::File;
use std::path::{Path, PathBuf};

use httpants_core::Headers;
use httpants_core::files::{Coding, FileError, FileKind, Metadata, RelativePath};

use super::directory::{self, Found};
use super::policy::FilePolicy;
use super::root::FileRoot;

/// A file as a response, with the arguments of `send_file` in Pants; becomes a response by
/// [`Response::file`](crate::Response::file).
///
/// The type follows from the name. `Last-Modified`, a strong `ETag`, `Accept-Ranges`, and a
/// freshness of a week are sent unless [`Response::with_header`](crate::Response::with_header) gives fields of these names;
/// conditional requests, ranges and HEAD are answered from them. Behind another status than
/// 200 the file is mere content, such as that of an error page: whole, whatever the request's
/// conditions and ranges, and by default with `Cache-Control: no-cache`.
///
/// ```
/// use httpants_driver::{NamedFile, Response};
///
/// // Below Server::file_root.
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

/// The same, once it is open.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What its type follows from; with a sibling still the file's own.
    pub(crate) name: String,
    /// Where it is, for a server in front that sends it (`X-Accel-Redirect`).
    pub(crate) path: Option<PathBuf>,
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    /// What was chosen, where there was a choice.
    pub(crate) coding: Option<Coding>,
    pub(crate) filename: Option<String>,
    pub(crate) guess_mime: bool,
    /// It stands for a directory that the request named without a slash behind it.
    pub(crate) lacks_slash: bool,
}

/// Where the file is.
#[derive(Debug)]
pub(crate) enum Source {
    /// At the path of a request, which may end in a slash.
    Requested { root: FileRoot, path: Result<RelativePath, FileError>, slash: bool },
    /// At a path that the application gave, below this root or the server's.
    Named { root: Option<FileRoot>, path: PathBuf },
    /// Open already.
    Open { file: File, name: String },
}

impl NamedFile {
    /// A file below [`Server::file_root`](crate::Server::file_root); see
    /// [`FileRoot::file`](crate::FileRoot::file) for one below another directory.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::from_source(Source::Named { root: None, path: path.as_ref().to_owned() })
    }

    /// A file that the application opened, from anywhere; the name tells its type. What is not
    /// a regular file is answered with 404. It is always sent from here, also where
    /// [`Server::x_sendfile`](crate::Server::x_sendfile) leaves other files to a server in front.
    #[must_use]
    pub fn opened(file: File, name: &str) -> Self {
        Self::from_source(Source::Open { file, name: name.to_owned() })
    }

    pub(crate) fn from_source(source: Source) -> Self {
        Self { source, filename: None, guess_mime: true, precompressed: None }
    }

    /// The name under which the client is to save it (`Content-Disposition`), in any script.
    /// Default: none, the client may show it.
    #[must_use]
    pub fn filename(mut self, filename: impl Into<String>) -> Self {
        self.filename = Some(filename.into());
        self
    }

    /// Whether the name tells the type; else it is `application/octet-stream`. Default: true.
    #[must_use]
    pub fn guess_mime(mut self, guess_mime: bool) -> Self {
        self.guess_mime = guess_mime;
        self
    }

    /// Whether a sibling with `.br` or `.gz` behind its name is sent in its place where the
    /// client takes it. Default: what its [`FileRoot`](crate::FileRoot) says.
    #[must_use]
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.precompressed = Some(precompressed);
        self
    }

    /// Opens it, or the sibling that this request is better answered with.
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

/// Below [`Server::file_root`](crate::Server::file_root).
impl From<&str> for NamedFile {
    fn from(path: &str) -> Self {
        Self::new(path)
    }
}

/// Below [`Server::file_root`](crate::Server::file_root).
impl From<&Path> for NamedFile {
    fn from(path: &Path) -> Self {
        Self::new(path)
    }
}
