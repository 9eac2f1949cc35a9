//! One file of a form.

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;

use bytes::Bytes;
use httpants_core::forms::Part;

use super::stored::save;
use super::{BodyReader, Content, Pieces};
use crate::runtime::BlockingPool;

/// A file of a `multipart/form-data` request: in memory where it is small, else in a temporary
/// file ([`Limits::memory`](httpants_core::forms::Limits::memory)).
///
/// What its part says of it is reached through [`Part`], to which it derefs:
/// [`filename`](Part::filename), [`content_type`](Part::content_type),
/// [`name`](Part::name), [`filename_as_sent`](Part::filename_as_sent).
///
/// A temporary file is gone when the last clone of this, and of what reads it, is dropped;
/// to keep it, [`persist`](Self::persist) it. Everything works in the same way wherever the
/// content is.
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn upload(request: Request) -> Response {
///     let Some(photo) = request.files().chosen("photo") else {
///         // Nor is there one where the input was left empty: the newest photo stays.
///         return Response::text("no photo\n").with_status(400);
///     };
///     // The peer's file name is a text to show. It is no path.
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

    /// The size in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.content.len()
    }

    /// Whether there is no byte in it. A file that was chosen may be empty, too; see
    /// [`is_chosen`](Self::is_chosen).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the user has chosen this file: `false` where it has neither a name nor a byte,
    /// as browsers send it for an input left empty.
    #[must_use]
    pub fn is_chosen(&self) -> bool {
        !self.is_empty() || self.part.filename_as_sent().is_some_and(|name| !name.is_empty())
    }

    /// The whole content, where it is in memory.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Memory(bytes) => Some(bytes),
            Content::File(_) => None,
        }
    }

    /// The temporary file, where there is one. Its position is shared by all who read it in
    /// this way; [`reader`](Self::reader) has its own.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        self.content.as_file()
    }

    /// The whole content in memory, wherever it is. Its size is bounded by `max_body_size`.
    ///
    /// # Errors
    /// Those of reading the file.
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

    /// The content piece by piece, read without blocking.
    #[must_use]
    pub fn pieces(&self) -> Pieces {
        Pieces::new(self.content.clone())
    }

    /// The content as [`std::io::Read`] and [`std::io::Seek`], for use where blocking is
    /// allowed.
    #[must_use]
    pub fn reader(&self) -> BodyReader {
        BodyReader::new(self.content.clone())
    }

    /// Keeps the file under this path. The path is the application's to choose: nothing that the
    /// peer sent may be a part of it unchecked.
    ///
    /// On Linux a temporary file gets the name, which costs the same for every size; it is
    /// copied where the path is on another file system, or where it was persisted before.
    /// What is in memory is written. Either way the name appears when the content is
    /// complete and on the disk. Only the server's user may read the file (mode 0600) until
    /// that is changed. The content can still be read through this, too.
    ///
    /// A file that has this path already is replaced in one step: who opens the path gets the old
    /// content or the new one, never a mixture. Its mode and owner are not kept. A symbolic link is
    /// replaced, and the file that it names stays as it is; a directory is an error.
    ///
    /// # When the client leaves
    ///
    /// The work begins when this future is first polled, on the runtime's pool for blocking work,
    /// and is not cancelled with it. Where the handler is dropped while it waits, because its
    /// connection has failed, tokio, smol and async-std finish the work: the file gets its name
    /// afterwards, and an error is lost. Work that a runtime drops before it has begun, as
    /// tokio does when it is shut down, leaves the path as it was. A client that only ends its
    /// stream may wait for the response, so its handler is dropped within
    /// [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed) at the earliest, unless
    /// [`Config::half_close`](httpants_core::Config::half_close) says otherwise.
    ///
    /// So what has to follow, such as a row in a database, belongs together with this call into a
    /// task that the handler spawns with a clone of the file.
    ///
    /// # Errors
    /// Those of the file system. The path is as it was before then, and the upload too.
    pub async fn persist(&self, path: impl Into<PathBuf>) -> io::Result<()> {
        let path = path.into();
        let persisted = match &self.content {
            Content::File(stored) => stored.persist(path),
            Content::Memory(_) => {
                let reader = self.reader();
                self.pool.run(move || save(reader, &path))
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

/// Shows of the content only its length.
impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile").field("part", &self.part).field("len", &self.len()).finish_non_exhaustive()
    }
}
