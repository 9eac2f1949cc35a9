//! The content of a request, as its handler sees it.

use std::fmt;
use std::fs::File;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use httpants_core::forms::{BadForm, Limits, Multipart};
use httpants_core::{BadRequest, CloseReason, Framing, Headers};

use crate::exchange::Exchange;
use crate::parts::Parts;
use crate::upload::{Content, ContentReader, Pieces};

/// Why the content of a request did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended first: the peer left, was too slow, or was refused.
    Closed(CloseReason),
    /// The request is over: it was answered before its content was read.
    Answered,
    /// The temporary file that it is in could not be read.
    Storage(io::ErrorKind),
    /// It was that of a multipart form larger than [`Limits::memory`], of which the parts
    /// alone were kept, because [`Limits::keep_body`] did not ask for it.
    NotKept,
}

impl BodyError {
    /// What the peer did wrong, where that is the reason.
    #[must_use]
    pub fn fault(&self) -> Option<BadRequest> {
        match self {
            Self::Closed(CloseReason::Refused(fault)) => Some(*fault),
            _ => None,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "the content is incomplete: {reason}"),
            Self::Answered => f.write_str("the request was answered before its content was read"),
            Self::NotKept => f.write_str("of the form only the parts were kept, and not its raw content"),
            Self::Storage(kind) => write!(f, "the temporary file of the content could not be read: {kind}"),
        }
    }
}

impl std::error::Error for BodyError {}

/// The content of a request (the seed's `body`): whole when the request was buffered, in
/// memory or in a temporary file; else arriving piece by piece.
///
/// It is a [`Stream`] of pieces, wherever it is. Where it arrives, nothing more is read from
/// the peer than is taken here, and a client that waits for `100 Continue` gets it with the
/// first call.
pub struct Body(Source);

enum Source {
    Whole {
        content: Option<Bytes>,
        trailers: Headers,
    },
    Stored(Box<(Pieces, Headers)>),
    NotKept {
        trailers: Headers,
    },
    /// `remaining` is what its Content-Length leaves.
    Arriving {
        exchange: Exchange,
        serial: u64,
        remaining: Option<u64>,
        done: bool,
    },
}

impl Body {
    pub(crate) fn collected(content: Option<Content>, trailers: Headers) -> Self {
        Self(match content {
            None => Source::NotKept { trailers },
            Some(Content::Memory(content)) => {
                Source::Whole { content: (!content.is_empty()).then_some(content), trailers }
            }
            Some(stored) => Source::Stored(Box::new((stored.pieces(), trailers))),
        })
    }

    pub(crate) fn empty() -> Self {
        Self(Source::Whole { content: None, trailers: Headers::default() })
    }

    pub(crate) fn arriving(exchange: Exchange, serial: u64, framing: Framing) -> Self {
        let remaining = match framing {
            Framing::None => Some(0),
            Framing::Length(length) => Some(length),
            _ => None,
        };
        Self(Source::Arriving { exchange, serial, remaining, done: false })
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// [`BodyError`] where the content is cut off, or was not kept; the same again when asked
    /// again. Nothing follows behind [`BodyError::Storage`].
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        poll_fn(|context| self.poll_piece(context)).await
    }

    /// All that is still to come, in one piece. Its size is bounded by `max_request`.
    ///
    /// # Errors
    /// [`BodyError`] where the content is cut off.
    pub async fn bytes(&mut self) -> Result<Bytes, BodyError> {
        let mut collected = Collected::default();
        while let Some(piece) = self.next().await {
            collected.push(piece?, None);
        }
        Ok(collected.into_bytes())
    }

    /// The parts of the content, where this Content-Type says that it is
    /// `multipart/form-data`; see [`Request::parts`](crate::Request::parts) for the usual way.
    ///
    /// # Errors
    /// [`BadForm`] for any other type, or one without a good boundary.
    pub fn into_parts(self, content_type: &[u8], limits: &Limits) -> Result<Parts, BadForm> {
        Ok(Parts::new(self, Multipart::for_content_type(content_type, limits)?))
    }

    /// How many bytes are still to come; `None` where that is not known, because they arrive
    /// in chunks, and where they were not kept. What was announced and does not come is an
    /// error of [`next`](Self::next).
    #[must_use]
    pub fn remaining(&self) -> Option<u64> {
        match &self.0 {
            Source::Whole { content, .. } => Some(content.as_ref().map_or(0, Bytes::len) as u64),
            Source::Stored(stored) => Some(stored.0.remaining()),
            Source::Arriving { remaining, .. } => *remaining,
            Source::NotKept { .. } => None,
        }
    }

    /// The temporary file, where the content is in one. Its position is shared by all who
    /// read it in this way; [`reader`](Self::reader) has its own.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        match &self.0 {
            Source::Stored(stored) => stored.0.as_file(),
            _ => None,
        }
    }

    /// The content of a buffered request as [`std::io::Read`] and [`std::io::Seek`], for use
    /// where blocking is allowed. It begins at the start; where the content was in memory and
    /// was taken, nothing is left. `None` where the content arrives, and where it was not kept.
    #[must_use]
    pub fn reader(&self) -> Option<ContentReader> {
        match &self.0 {
            Source::Whole { content, .. } => Some(Content::Memory(content.clone().unwrap_or_default()).reader()),
            Source::Stored(stored) => Some(stored.0.reader()),
            Source::NotKept { .. } | Source::Arriving { .. } => None,
        }
    }

    /// The trailer fields, once the content has come to its end.
    #[must_use]
    pub fn trailers(&self) -> Option<Headers> {
        match &self.0 {
            Source::Whole { trailers, .. } | Source::NotKept { trailers } => Some(trailers.clone()),
            Source::Stored(stored) => Some(stored.1.clone()),
            Source::Arriving { exchange, serial, .. } => exchange.lock().trailers(*serial),
        }
    }

    /// The trailer fields at the end of the content, once.
    #[cfg(feature = "tower")]
    pub(crate) fn take_trailers(&mut self) -> Option<Headers> {
        let trailers = self.trailers();
        self.0 = Self::empty().0;
        trailers.filter(|trailers| !trailers.is_empty())
    }

    /// The whole content, where it is in memory and none of it was taken.
    pub(crate) fn as_whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Source::Whole { content, .. } => content.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.0 {
            Source::Whole { content, .. } => Poll::Ready(content.take().map(Ok)),
            Source::Stored(stored) => stored.0.poll_piece(context).map_err(|error| BodyError::Storage(error.kind())),
            Source::NotKept { .. } => Poll::Ready(Some(Err(BodyError::NotKept))),
            Source::Arriving { done: true, .. } => Poll::Ready(None),
            Source::Arriving { exchange, serial, remaining, done } => {
                let piece = exchange.lock().poll_content(*serial, context);
                match &piece {
                    Poll::Ready(Some(Ok(piece))) => {
                        *remaining = remaining.map(|bytes| bytes.saturating_sub(piece.len() as u64));
                    }
                    Poll::Ready(None) => *done = true,
                    _ => {}
                }
                piece
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
        match &self.0 {
            Source::Whole { content, .. } => {
                f.debug_tuple("Body").field(&content.as_ref().map_or(0, Bytes::len)).finish()
            }
            Source::Stored(stored) => f.debug_tuple("Body").field(&stored.0).finish(),
            Source::NotKept { .. } => f.write_str("Body(not kept)"),
            Source::Arriving { .. } => f.write_str("Body(arriving)"),
        }
    }
}

/// Pieces put together: one piece stays as it is, more are copied behind each other.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    first: Bytes,
    joined: BytesMut,
}

/// Room that is made at once for announced content; a peer that only announces gets no more.
const ROOM_UP_FRONT: u64 = 256 << 10;

impl Collected {
    /// Adds a piece; `announced` is the whole length, where it is known.
    pub(crate) fn push(&mut self, piece: Bytes, announced: Option<u64>) {
        if self.first.is_empty() && self.joined.is_empty() {
            self.first = piece;
            return;
        }
        if self.joined.is_empty() {
            let room = announced.unwrap_or_default().min(ROOM_UP_FRONT) as usize;
            self.joined.reserve(room.max(self.first.len() + piece.len()));
            self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        }
        self.joined.extend_from_slice(&piece);
    }

    pub(crate) fn len(&self) -> usize {
        self.first.len() + self.joined.len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }
}
