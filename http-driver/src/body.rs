//! The content of a request, as its handler sees it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use httpants_core::{BadRequest, CloseReason, Headers};

use crate::exchange::Exchange;

/// Why the content of a request did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended first: the peer left, was too slow, or was refused.
    Closed(CloseReason),
    /// The request is over: it was answered before its content was read.
    Answered,
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
        }
    }
}

impl std::error::Error for BodyError {}

/// The content of a request (the seed's `body`): in memory as a whole when the request was
/// buffered, else arriving piece by piece.
///
/// It is a [`Stream`] of pieces. Nothing more is read from the peer than is taken here, and
/// a client that waits for `100 Continue` gets it with the first call.
pub struct Body(Source);

enum Source {
    Whole { content: Option<Bytes>, trailers: Headers },
    Arriving { exchange: Exchange, serial: u64, done: bool },
}

impl Body {
    pub(crate) fn whole(content: Bytes, trailers: Headers) -> Self {
        Self(Source::Whole { content: (!content.is_empty()).then_some(content), trailers })
    }

    pub(crate) fn arriving(exchange: Exchange, serial: u64) -> Self {
        Self(Source::Arriving { exchange, serial, done: false })
    }

    /// The next piece, never empty; `None` at the end.
    ///
    /// # Errors
    /// [`BodyError`] where the content is cut off; the same again when asked again.
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

    /// The trailer fields, once the content has come to its end.
    #[must_use]
    pub fn trailers(&self) -> Option<Headers> {
        match &self.0 {
            Source::Whole { trailers, .. } => Some(trailers.clone()),
            Source::Arriving { exchange, serial, .. } => exchange.lock().trailers(*serial),
        }
    }

    /// The whole content, where it is in memory and none of it was taken.
    pub(crate) fn as_whole(&self) -> Option<&Bytes> {
        match &self.0 {
            Source::Whole { content, .. } => content.as_ref(),
            Source::Arriving { .. } => None,
        }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        match &mut self.0 {
            Source::Whole { content, .. } => Poll::Ready(content.take().map(Ok)),
            Source::Arriving { done: true, .. } => Poll::Ready(None),
            Source::Arriving { exchange, serial, done } => {
                let piece = exchange.lock().poll_content(*serial, context);
                *done = matches!(piece, Poll::Ready(None));
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

    pub(crate) fn into_bytes(self) -> Bytes {
        if self.joined.is_empty() { self.first } else { self.joined.freeze() }
    }
}
