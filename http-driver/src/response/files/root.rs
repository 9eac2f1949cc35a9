//! Directories to serve files from.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::directory::Directory;
use super::settings::Settings;

/// A directory whose files are served; clones share it.
///
/// Needs the feature `files`.
///
/// Only regular files below the directory are sent. A path with `..` in any spelling, a device, and
/// a symbolic link that leads out of it (even if it leads back in) get 404, as a missing file does;
/// an absolute link is followed if its target is below the directory. Names that begin with a dot
/// are hidden, except `.well-known`. For a directory its `index.html` is sent; an unreadable file
/// gets 403. Directories are never listed. The response fields are those of
/// [`httpants_core::files::Plan`]: entity tags, conditions, ranges.
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
/// let response = String::from_utf8(client.take_received()).unwrap();
/// assert!(response.starts_with("HTTP/1.1 206 Partial Content\r\n") && response.ends_with("\r\n\r\n2,3"));
/// # Ok(()) }
/// ```
///
/// # A site
///
/// [`find`](Self::find) looks a file up before the response is created, so that an application can
/// continue with its own routes if there is none. [`serve`](Self::serve) always returns a response,
/// with the [`fallback`](Self::fallback) or the [`not_found`](Self::not_found) file if the
/// requested file does not exist. The program `site` in the folder `examples` is a complete
/// example.
///
/// ```
/// use httpants_driver::{FileRoot, Request, Response, Server};
/// # use httpants_testkit::memory::Memory;
///
/// async fn handler(site: FileRoot, request: Request) -> Response {
///     if let Some(file) = site.find(&request).await {
///         return file;
///     }
///     match request.path() {
///         "/api/version" => Response::text("1.0\n"),
///         _ => site.serve(&request),
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # std::fs::write(folder.path().join("index.html"), "")?;
/// # std::fs::write(folder.path().join("404.html"), "")?;
/// # let dist = folder.path();
/// let site = FileRoot::open(dist)?
///     .precompressed(true)
///     .cache_control("max-age=3600")?
///     .fallback("index.html")?
///     .not_found("404.html")?;
/// let server = Server::with_state(site, handler);
/// # let _: Server<Memory, _> = server;
/// # Ok(()) }
/// ```
///
/// # Threads
///
/// Files are opened in the connection's own task. That takes two short system calls on names that
/// the kernel usually has in memory; another thread would cost six to eight context switches, and
/// nginx does the same. For a slow network file system, where a lookup takes a round trip, use
/// several worker threads ([`Server::workers`](crate::Server::workers)). Content is sent in the
/// task, too, by sendfile(2) if the transport supports it, which waits for the disk if the kernel
/// does not have the content in memory. Otherwise, as over TLS, content that Linux has in memory is
/// read in the task, and the rest on the blocking pool.
///
/// # Renames and symbolic links
///
/// The directory is opened once, so renaming it has no effect. On Linux 5.6 and later the kernel
/// keeps every lookup below it, even if links and directories change concurrently. Elsewhere links
/// are resolved one by one and checked, and the opened file is compared with the result.
#[derive(Clone, Debug)]
pub struct FileRoot {
    pub(super) directory: Arc<Directory>,
    pub(super) settings: Arc<Settings>,
    mount: Arc<str>,
}

impl FileRoot {
    /// Opens a directory.
    ///
    /// # Errors
    /// Returns the errors of the platform, prefixed with the path; also if it is not a directory.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let directory = Directory::open(path.as_ref())?.into();
        Ok(Self { directory, settings: Arc::default(), mount: Arc::default() })
    }

    /// Sets the path prefix at which the directory is served, such as `/static`;
    /// [`serve`](Self::serve) and [`find`](Self::find) remove it from the request's path. Default:
    /// none; the directory is served at `/`.
    #[must_use]
    pub fn mount(mut self, path: &str) -> Self {
        self.mount = match path.trim_matches('/') {
            "" => Arc::default(),
            path => format!("/{path}").into(),
        };
        self
    }

    /// Returns the path of the directory with symbolic links resolved.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path after the mount prefix and its slash; empty for the prefix itself.
    pub(super) fn below_mount<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = path.strip_prefix(&*self.mount)?;
        if below.is_empty() { Some(below) } else { below.strip_prefix('/') }
    }
}
