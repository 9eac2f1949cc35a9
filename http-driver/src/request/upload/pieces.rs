//! Reading of content piece by piece without blocking.

use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;

use super::content::Content;
use super::reader::BodyReader;
use crate::runtime::Blocking;

/// Maximum size of one read. Each read costs one call of the blocking pool.
const PIECE: usize = 256 << 10;

/// A stream of the content from its start, in pieces of up to 256 KiB that are read on the blocking
/// pool. Content in memory is one piece, not copied.
///
/// It keeps the content alive. `UploadedFile::pieces` returns it; it can be the body of a response:
///
/// ```
/// use httpants_driver::{Request, Response};
///
/// async fn echo(request: Request) -> Response {
///     match request.files().chosen("photo") {
///         Some(photo) => Response::stream(photo.pieces()),
///         None => Response::new(400),
///     }
/// }
/// # let _ = echo;
/// ```
pub struct Pieces {
    content: Content,
    position: u64,
    /// Never contended: the mutex only makes the request `Sync`, so that the future of its handler
    /// can be `Send`.
    reading: Mutex<Option<Blocking<Bytes>>>,
}

impl Pieces {
    pub(crate) fn new(content: Content) -> Self {
        Self { content, position: 0, reading: Mutex::default() }
    }

    /// Returns the next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// Returns the errors of reading the file; after an error, the stream has ended.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    /// Returns the number of bytes left to read.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.content.len().saturating_sub(self.position)
    }

    pub(crate) fn as_file(&self) -> Option<&File> {
        self.content.as_file()
    }

    pub(crate) fn reader(&self) -> BodyReader {
        BodyReader::new(self.content.clone())
    }

    /// Returns the same content from its start.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.content.clone())
    }

    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.remaining() == 0 {
            return Poll::Ready(None);
        }
        let piece = match &self.content {
            Content::Memory(bytes) => Ok(bytes.clone()),
            Content::File(stored) => {
                let reading = self.reading.get_mut().unwrap_or_else(PoisonError::into_inner);
                let read = reading.get_or_insert_with(|| stored.piece(self.position, PIECE));
                let piece = ready!(read.as_mut().poll(context));
                *reading = None;
                piece
            }
        };
        self.position = match &piece {
            Ok(piece) => self.position.saturating_add(piece.len() as u64),
            Err(_) => self.content.len(),
        };
        Poll::Ready(Some(piece))
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_piece(context)
    }
}

impl fmt::Debug for Pieces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pieces({} of {} bytes to come)", self.remaining(), self.content.len())
    }
}
