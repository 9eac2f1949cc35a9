//! Serving a directory.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::directory::Directory;

/// A directory whose files are served; clones are the same one.
///
/// Only regular files are sent, and only those below the directory: a path with `..` in any
/// spelling, a device, a symbolic link that leads out (also where it leads in again) are 404,
/// like what is not there; an absolute link may name a place below. The response to a directory is
/// its `index.html`, that to a file that may not be read 403. The fields of the responses are
/// those of [`httpants_core::files::Plan`]: entity tags, conditions, ranges.
///
/// ```
/// use httpants_driver::{FileRoot, Request, Response, Server};
/// use httpants_testkit::memory::Memory;
///
/// # fn main() -> std::io::Result<()> {
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("q3.csv"), "1,2,3")?;
///
/// let files = FileRoot::open(folder.path())?.mount("/static").precompressed(true);
/// let handler = move |request: Request| {
///     std::future::ready(match request.path() {
///         "/report" => Response::file(files.file("q3.csv").filename("Report Q3.csv")),
///         _ => files.serve(&request).with_header("Cache-Control", "no-cache"),
///     })
/// };
///
/// let memory = Memory::new();
/// memory.start(Server::with_runtime(memory.clone(), handler));
/// let client = memory.connect();
/// client.send(b"GET /static/q3.csv HTTP/1.1\r\nHost: a\r\nRange: bytes=2-\r\n\r\n");
/// memory.run();
/// let answer = String::from_utf8(client.take_received()).unwrap();
/// assert!(answer.starts_with("HTTP/1.1 206 Partial Content\r\n") && answer.ends_with("\r\n\r\n2,3"));
/// # Ok(()) }
/// ```
///
/// # What runs where
///
/// Files are opened in the connection's own task. That is two short system calls on names
/// that the kernel mostly has in memory, where handing them to another thread costs six to
/// eight context switches; nginx does the same. On a slow network file system, whose names
/// take a round trip each, serve from worker threads ([`Server::workers`](crate::Server::workers)).
/// The content is sent there, too, by sendfile(2) where the transport has it, which waits for the
/// disk where the kernel does not have the content in memory. Otherwise, as over TLS, what
/// Linux has in memory is read there, and the rest on threads that may block.
///
/// # Where the directory is
///
/// It is opened once, so renaming it changes nothing. On Linux 5.6 and later the kernel itself
/// keeps every lookup below it, however links and directories are changed meanwhile.
/// Elsewhere links are resolved one by one and checked, and what was opened is compared with
/// that.
#[derive(Clone, Debug)]
pub struct FileRoot {
    pub(super) directory: Arc<Directory>,
    pub(super) precompressed: bool,
    mount: Arc<str>,
}

impl FileRoot {
    /// Opens a directory.
    ///
    /// # Errors
    /// Those of the platform, with the path in front; also for what is not a directory.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let directory = Directory::open(path.as_ref())?.into();
        Ok(Self { directory, precompressed: false, mount: Arc::default() })
    }

    /// Takes this off the front of a request's path in [`serve`](Self::serve): the path at
    /// which the directory appears, such as `/static`. Default: none, it appears at `/`.
    #[must_use]
    pub fn mount(mut self, path: &str) -> Self {
        self.mount = match path.trim_matches('/') {
            "" => Arc::default(),
            path => format!("/{path}").into(),
        };
        self
    }

    /// Whether `app.js.br` or `app.js.gz` is sent in place of a file `app.js` beside it, where
    /// there is one and the client takes it. Default: false.
    #[must_use]
    pub fn precompressed(mut self, precompressed: bool) -> Self {
        self.precompressed = precompressed;
        self
    }

    /// Where the directory is, symbolic links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The path behind the mount and its slash; empty for the mount itself.
    pub(super) fn below_mount<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = path.strip_prefix(&*self.mount)?;
        if below.is_empty() { Some(below) } else { below.strip_prefix('/') }
    }
}
