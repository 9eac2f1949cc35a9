//! A file of a form.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;

use bytes::Bytes;
use httpants_core::forms::Part;

use crate::request::upload::{BodyReader, Content, Mode, Pieces, save};
use crate::runtime::BlockingPool;

/// A file of a `multipart/form-data` request: in memory if it is small, otherwise in a temporary
/// file ([`Limits::memory`](httpants_core::forms::FormLimits::memory)).
///
/// Needs the feature `forms`.
///
/// It derefs to [`Part`], which has the methods for its header fields:
/// [`filename`](Part::filename), [`content_type`](Part::content_type), [`name`](Part::name),
/// [`filename_as_sent`](Part::filename_as_sent).
///
/// A temporary file is removed when the last clone of this value and of its readers is dropped;
/// [`persist`](Self::persist) keeps it. All methods work the same for files in memory.
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn upload(request: Request) -> Response {
///     let Some(photo) = request.files().chosen("photo") else {
///         // An empty input is not chosen: the previous photo stays.
///         return Response::text("no photo\n").with_status(400);
///     };
///     // The peer's file name is for display only; never use it as a path.
///     match photo.persist("/srv/photos/newest").await {
///         Ok(()) => Response::text(format!("{} bytes of {:?}\n", photo.len(), photo.filename())),
///         Err(_) => Response::new(500),
///     }
/// }
/// # let _ = upload;
/// ```
#[derive(Clone)]
pub struct UploadedFile {
    part: Part,
    content: Content,
    pool: BlockingPool,
}

impl UploadedFile {
    pub(crate) fn new(part: Part, content: Content, pool: BlockingPool) -> Self {
        Self { part, content, pool }
    }

    /// Returns the size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.content.len()
    }

    /// Returns whether the file has no bytes. A chosen file may be empty, too; see
    /// [`is_chosen`](Self::is_chosen).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether the user has chosen this file: `false` if it has neither a name nor content,
    /// which is what browsers send for an input without a choice.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        !self.is_empty() || self.part.filename_as_sent().is_some_and(|name| !name.is_empty())
    }

    /// Returns the whole content, if it is in memory.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::File(_) => None,
        }
    }

    /// Returns the temporary file, if there is one. All users of the file share its position;
    /// [`reader`](Self::reader) has its own.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        self.content.as_file()
    }

    /// Reads the whole content into memory. Its size is limited by `max_body_size`.
    ///
    /// # Errors
    /// Returns the errors of reading the file.
    pub async fn bytes(&self) -> io::Result<Bytes> {
        match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(stored) => {
                let length = usize::try_from(stored.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
                let mut reader = self.reader();
                let read = self.pool.run(move || {
                    let mut content = Vec::with_capacity(length);
                    io::copy(&mut reader, &mut content).map(|_| content.into())
                });
                read.await
            }
        }
    }

    /// Returns a stream of the content, read without blocking.
    #[must_use]
    pub fn pieces(&self) -> Pieces {
        Pieces::new(self.content.clone())
    }

    /// Returns the content as [`std::io::Read`] and [`std::io::Seek`]. Reading may block.
    #[must_use]
    pub fn reader(&self) -> BodyReader {
        BodyReader::new(self.content.clone())
    }

    /// Keeps the file under this path. Never use unchecked input from the peer in the path.
    ///
    /// On Linux the temporary file is linked to the path, which takes the same time for every size.
    /// It is copied if the path is on another file system or the file was persisted before. A file
    /// in memory is written. In each case the path appears when the content is complete and synced
    /// to disk. Only the server's user may read the file (mode 0600) until you change that;
    /// [`persist_with_mode`](Self::persist_with_mode) sets another mode before the path appears.
    /// The content can still be read through this value.
    ///
    /// An existing file at the path is replaced atomically: opening the path gives the old
    /// content or the new one. Its mode and owner are not kept. A symbolic link is replaced, and
    /// its target is not changed; a directory is an error.
    ///
    /// # When the client disconnects
    ///
    /// The work starts when this future is first polled, on the runtime's blocking pool, and is not
    /// cancelled when the future is dropped. If the handler is dropped while it waits, because its
    /// connection has failed, tokio, smol and async-std finish the work: the file still appears,
    /// and an error is lost. If the runtime drops the work before it starts, as tokio does on
    /// shutdown, the path is unchanged. A client that closes its sending side may still wait for
    /// the response, so its handler is not dropped before
    /// [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed), unless
    /// [`Config::half_close`](httpants_core::Config::half_close) is set otherwise.
    ///
    /// If something has to be done afterwards, such as a database entry, spawn a task that does
    /// both with a clone of the file.
    ///
    /// # Errors
    /// Returns the errors of the file system. The path and the upload are then unchanged.
    pub async fn persist(&self, path: impl Into<PathBuf>) -> io::Result<()> {
        self.keep(path.into(), None).await
    }

    /// Keeps the file under this path as [`persist`](Self::persist), with these permissions,
    /// whatever the umask of the process is. The path never appears with other permissions.
    ///
    /// ```
    /// use httpants_driver::UploadedFile;
    ///
    /// async fn publish(photo: &UploadedFile) -> std::io::Result<()> {
    ///     // The web server belongs to the group of the directory.
    ///     photo.persist_with_mode("/srv/photos/newest", 0o640).await
    /// }
    /// # let _ = publish;
    /// ```
    ///
    /// # Errors
    /// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) for a mode above 0o777, and the errors
    /// of the file system. The path and the upload are then unchanged.
    #[cfg(unix)]
    pub async fn persist_with_mode(&self, path: impl Into<PathBuf>, mode: u32) -> io::Result<()> {
        let Some(valid) = Mode::new(mode) else {
            let message = format!("invalid mode {mode:#o} of a persisted file: expected permissions up to 0o777");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        };
        self.keep(path.into(), Some(valid)).await
    }

    async fn keep(&self, path: PathBuf, mode: Option<Mode>) -> io::Result<()> {
        let persisted = match &self.content {
            Content::File(stored) => stored.persist(path, mode),
            Content::Memory(_) => {
                let reader = self.reader();
                self.pool.run(move || save(reader, &path, mode))
            }
        };
        persisted.await
    }
}

impl Deref for UploadedFile {
    type Target = Part;

    fn deref(&self) -> &Part {
        &self.part
    }
}

/// Shows only the length of the content.
impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile").field("part", &self.part).field("len", &self.len()).finish_non_exhaustive()
    }
}
