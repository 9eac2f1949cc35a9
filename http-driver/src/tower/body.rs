//! The body of a request as an `http_body::Body`.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::exchange::BodyError;
use crate::request::Body;

/// Yields the pieces while they are received, then the trailer fields, if any.
impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let body = self.get_mut();
        Poll::Ready(match ready!(body.poll_piece(context)) {
            Some(piece) => Some(piece.map(Frame::data)),
            None => body.take_trailers().map(|trailers| Ok(Frame::trailers((&trailers).into()))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.remaining() == Some(0) && self.trailers().is_none_or(|trailers| trailers.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        self.remaining().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
