//! The body of a request.

use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_core::{Framing, Headers, RequestId};

use super::decompression::Decoder;
use super::joined::Joined;
use super::upload::{BodyReader, Content, Pieces};
use crate::exchange::{BodyError, Exchange};

/// The body of a request (`body` in Pants): complete if the request was buffered, in memory or in a
/// temporary file; otherwise received piece by piece.
///
/// It is a [`Stream`] of pieces in either case. If it is streamed, at most 64 KiB and one read are
/// received ahead of the reader, and a client that waits for `100 Continue` gets it on the first
/// call.
pub struct Body {
    source: Source,
    /// The pieces that [`bytes`](Self::bytes) has read so far, so that they are not lost if its
    /// future is dropped.
    collected: Option<Box<Joined>>,
    /// True if a piece was taken that cannot be read again.
    taken: bool,
}

enum Source {
    Whole {
        /// `None` after it was taken.
        content: Option<Bytes>,
        trailers: Headers,
    },
    Stored(Box<(Pieces, Headers)>),
    /// The body was not kept, or cannot be read any more.
    Lost {
        error: BodyError,
        trailers: Headers,
        failed: Failed,
    },
    /// A body that is still received. `remaining` is the unread part of its Content-Length.
    Arriving {
        exchange: Exchange,
        request: RequestId,
        remaining: Option<u64>,
        done: bool,
        /// The progress of returning the error that ended the body.
        failed: Failed,
    },
    /// A body with a Content-Encoding that is decoded while it is received.
    Decoding(Box<Decoding>),
}

/// A body that is decoded while it is received.
struct Decoding {
    coded: Body,
    decoder: Decoder,
    /// Number of pieces returned since other tasks last got a turn.
    pieces: usize,
}

/// Number of decoded pieces before other tasks get a turn: a body with a high compression ratio
/// must not occupy a thread.
const PIECES: usize = 32;

/// The progress of returning the error of a body. Further calls return it again after a turn of
/// other tasks: a loop that ignores errors and waits for the end must not occupy a thread.
#[derive(Clone, Copy, PartialEq)]
enum Failed {
    No,
    Once,
    Yielded,
}

impl Body {
    fn new(source: Source) -> Self {
        Self { source, collected: None, taken: false }
    }

    pub(crate) fn collected(content: Option<Content>, trailers: Headers) -> Self {
        Self::new(match content {
            None => Source::Lost { error: BodyError::NotKept, trailers, failed: Failed::No },
            Some(Content::Memory(content)) => Source::Whole { content: Some(content), trailers },
            Some(stored) => Source::Stored(Box::new((Pieces::new(stored), trailers))),
        })
    }

    pub(crate) fn empty() -> Self {
        Self::new(Source::Whole { content: Some(Bytes::new()), trailers: Headers::default() })
    }

    /// Moves the body out, and leaves a body whose content was taken.
    #[cfg(any(feature = "forms", feature = "tower"))]
    pub(crate) fn take(&mut self) -> Self {
        let taken = Self::new(Source::Whole { content: None, trailers: Headers::default() });
        std::mem::replace(self, taken)
    }

    pub(crate) fn arriving(exchange: Exchange, request: RequestId, framing: Framing) -> Self {
        let remaining = if let Framing::Length(length) = framing { Some(length) } else { None };
        Self::new(Source::Arriving { exchange, request, remaining, done: false, failed: Failed::No })
    }

    /// Returns this body, to be decoded while it is received.
    pub(crate) fn decoded(self, decoder: Decoder) -> Self {
        Self::new(Source::Decoding(Box::new(Decoding { coded: self, decoder, pieces: 0 })))
    }

    /// Returns the next piece, never empty; `None` at the end. Pieces may be kept: together they
    /// hold at most twice their bytes and a constant per piece, however small the peer's segments
    /// and chunks are.
    ///
    /// # Errors
    /// Returns [`BodyError`] if the body is incomplete or was not kept. Further calls return the
    /// same error.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    /// Returns the rest of the body in one piece. Its size is limited by `max_body_size`. If the
    /// future is dropped before its end, nothing is lost: the next call of this or of
    /// [`next`](Self::next) returns what was read.
    ///
    /// # Errors
    /// Returns [`BodyError`] if the body is incomplete.
    pub async fn bytes(&mut self) -> Result<Bytes, BodyError> {
        let announced = self.remaining();
        while let Some(piece) = poll_fn(|context| self.poll_source(context)).await {
            // The body is incomplete, so the pieces read before are dropped.
            let piece = piece.inspect_err(|_| self.collected = None)?;
            self.collected.get_or_insert_default().push(piece, announced);
        }
        self.taken |= self.collected.is_some();
        Ok(self.collected.take().map(|collected| collected.into_bytes()).unwrap_or_default())
    }

    /// Returns the whole body from memory, a temporary file or the connection; keeps a body
    /// received here for the next call.
    pub(crate) async fn whole(&mut self) -> Result<Bytes, BodyError> {
        match &self.source {
            Source::Whole { content: Some(content), .. } => return Ok(content.clone()),
            Source::Stored(stored) => {
                return Self::new(Source::Stored(Box::new((stored.0.again(), Headers::default())))).bytes().await;
            }
            Source::Arriving { .. } | Source::Decoding(_) if self.taken => return Err(BodyError::Taken),
            Source::Whole { content: None, .. } => return Err(BodyError::Taken),
            Source::Lost { .. } | Source::Arriving { .. } | Source::Decoding(_) => {}
        }
        let content = self.bytes().await?;
        *self =
            Self::new(Source::Whole { content: Some(content.clone()), trailers: self.trailers().unwrap_or_default() });
        Ok(content)
    }

    /// Returns the number of bytes left to read; `None` if it is not known because the body is
    /// chunked or coded, and if the body was not kept. If fewer arrive, [`next`](Self::next) returns an
    /// error.
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        let source = match &self.source {
            Source::Whole { content, .. } => content.as_ref().map_or(0, Bytes::len) as u64,
            Source::Stored(stored) => stored.0.remaining(),
            Source::Arriving { remaining, .. } => (*remaining)?,
            Source::Lost { .. } | Source::Decoding(_) => return None,
        };
        Some(source + self.collected.as_ref().map_or(0, |collected| collected.len() as u64))
    }

    /// Returns the temporary file, if the body is stored in one. All users of the file share its
    /// position; [`reader`](Self::reader) has its own.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        match &self.source {
            Source::Stored(stored) => stored.0.as_file(),
            _ => None,
        }
    }

    /// Returns a buffered body as [`std::io::Read`] and [`std::io::Seek`], from its start. Reading
    /// may block. Returns `None` if the body is streamed, was not kept, or was in memory and taken.
    #[must_use]
    pub fn reader(&self) -> Option<BodyReader> {
        match &self.source {
            Source::Whole { content, .. } => Some(BodyReader::new(Content::Memory(content.clone()?))),
            Source::Stored(stored) => Some(stored.0.reader()),
            Source::Lost { .. } | Source::Arriving { .. } | Source::Decoding(_) => None,
        }
    }

    /// Returns the trailer fields; `None` before a streamed body was read to its end.
    #[must_use]
    pub fn trailers(&self) -> Option<Headers> {
        match &self.source {
            Source::Whole { trailers, .. } | Source::Lost { trailers, .. } => Some(trailers.clone()),
            Source::Stored(stored) => Some(stored.1.clone()),
            Source::Decoding(decoding) => decoding.coded.trailers(),
            Source::Arriving { exchange, request, .. } => exchange.with(|shared| shared.trailers(*request)),
        }
    }

    /// Takes the trailer fields at the end of the body; returns them once.
    #[cfg(feature = "tower")]
    pub(crate) fn take_trailers(&mut self) -> Option<Headers> {
        let trailers = self.trailers();
        self.source = Self::empty().source;
        trailers.filter(|trailers| !trailers.is_empty())
    }

    /// Returns the whole body; `None` if it is not in memory or was taken.
    pub(crate) fn as_whole(&self) -> Option<&Bytes> {
        match &self.source {
            Source::Whole { content, .. } => content.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let polled = match self.collected.take() {
            Some(collected) => Poll::Ready(Some(Ok(collected.into_bytes()))),
            None => self.poll_source(context),
        };
        self.taken |= matches!(polled, Poll::Ready(Some(Ok(_))));
        polled
    }

    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.source {
            Source::Whole { content, .. } => {
                // An empty body is not marked as taken, because no piece was returned.
                let piece = if content.as_ref().is_some_and(Bytes::is_empty) { None } else { content.take() };
                Poll::Ready(piece.map(Ok))
            }
            Source::Stored(stored) => {
                let polled = stored.0.poll_piece(context).map_err(|error| BodyError::Storage(error.kind()));
                if let Poll::Ready(Some(Err(error))) = &polled {
                    let (error, trailers) = (error.clone(), std::mem::take(&mut stored.1));
                    self.source = Source::Lost { error, trailers, failed: Failed::Once };
                }
                polled
            }
            Source::Arriving { done: true, .. } => Poll::Ready(None),
            Source::Arriving { failed: failed @ Failed::Once, .. }
            | Source::Lost { failed: failed @ Failed::Once, .. } => {
                *failed = Failed::Yielded;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Source::Lost { error, failed, .. } => {
                *failed = Failed::Once;
                Poll::Ready(Some(Err(error.clone())))
            }
            Source::Decoding(decoding) => {
                let polled = decoding.poll(context);
                match &polled {
                    Poll::Ready(Some(Err(error))) => {
                        let (error, trailers) = (error.clone(), Headers::default());
                        self.source = Source::Lost { error, trailers, failed: Failed::Once };
                    }
                    // Drops the decoder with its window. The coded body has ended, too.
                    Poll::Ready(None) => self.source = std::mem::replace(&mut decoding.coded, Self::empty()).source,
                    Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
                }
                polled
            }
            Source::Arriving { exchange, request, remaining, done, failed } => {
                let piece = exchange.poll_body(*request, context);
                match &piece {
                    Poll::Ready(Some(Ok(piece))) => {
                        *remaining = remaining.map(|bytes| bytes.saturating_sub(piece.len() as u64));
                    }
                    Poll::Ready(None) => *done = true,
                    Poll::Ready(Some(Err(_))) => *failed = Failed::Once,
                    Poll::Pending => {}
                }
                piece
            }
        }
    }
}

impl Decoding {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        loop {
            if self.pieces == PIECES {
                self.pieces = 0;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Some(piece) = self.decoder.next().transpose() {
                self.pieces += 1;
                return Poll::Ready(Some(piece));
            }
            match self.coded.poll_piece(context) {
                Poll::Ready(Some(Ok(piece))) => self.decoder.push(piece),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => return Poll::Ready(self.decoder.finish().err().map(Err)),
                Poll::Pending => {
                    self.pieces = 0;
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Stream for Body {
    type Item = Result<Bytes, BodyError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_piece(context)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Whole { content, .. } => {
                f.debug_tuple("Body").field(&content.as_ref().map_or(0, Bytes::len)).finish()
            }
            Source::Stored(stored) => f.debug_tuple("Body").field(&stored.0).finish(),
            Source::Lost { error, .. } => write!(f, "Body({error})"),
            Source::Arriving { .. } | Source::Decoding(_) => f.write_str("Body(arriving)"),
        }
    }
}
