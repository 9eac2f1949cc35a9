//! Conversion of a service's response.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use http::header::{self, HeaderMap};
use http::{Extensions, Method, StatusCode};
use http_body::Body;
use httpants_core::{FieldLines, Misuse, ResponseHead};

#[cfg(feature = "hyper-upgrade")]
use super::hyper::Offer;
use super::upgrade::Upgrade;
use super::within::{self, NOT_CALLED, Within};
use crate::request::Request;
use crate::response::{BoxError, Content, Piece, Response, UpgradeHandler};

/// The properties of a request on which its response depends.
#[derive(Debug, Default)]
pub(super) struct Circumstances {
    method: Method,
    #[cfg(feature = "hyper-upgrade")]
    offer: Option<Offer>,
}

impl Circumstances {
    /// Collects the properties of a request, and inserts the extensions for the service.
    #[cfg_attr(not(feature = "hyper-upgrade"), expect(unused_variables, reason = "used only for the offer"))]
    pub(super) fn of(request: &Request, extensions: &mut Extensions) -> Self {
        let method = request.method().clone();
        Self {
            #[cfg(feature = "hyper-upgrade")]
            offer: (request.offers_upgrade() || method == Method::CONNECT).then(|| Offer::insert(extensions)).flatten(),
            method,
        }
    }

    /// Returns the upgrade handler, if the status ends HTTP on the connection; `Some(None)` if
    /// there is none.
    fn upgrade(self, status: StatusCode, extensions: &Extensions) -> Option<Option<UpgradeHandler>> {
        let ends = status == StatusCode::SWITCHING_PROTOCOLS || self.method == Method::CONNECT && status.is_success();
        ends.then(|| {
            let then = extensions.get().and_then(Upgrade::take);
            #[cfg(feature = "hyper-upgrade")]
            let then = then.or_else(|| self.offer.and_then(Offer::accept));
            then
        })
    }
}

/// Converts the response of a service.
pub(super) fn of<B>(
    mut response: http::Response<B>,
    circumstances: Circumstances,
    within: Option<Arc<Within>>,
    context: &mut Context<'_>,
) -> Response
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let status = response.status();
    remove_framing(status, response.headers_mut());
    let head = match ResponseHead::try_from(&response) {
        Ok(head) => head,
        Err(misuse) => return misuse.into(),
    };
    let is_connect = circumstances.method == Method::CONNECT;
    let empty = circumstances.method == Method::HEAD || matches!(status.as_u16(), 204 | 304);
    match circumstances.upgrade(status, response.extensions()) {
        Some(Some(then)) => return Response { head, content: Content::Upgrade(then), misuse: None },
        Some(None) if is_connect => return Misuse::Upgrade.into(),
        Some(None) => return failed("service returned 101 but no upgrade handler was registered".into()),
        None => {}
    }
    let body = response.into_body();
    if empty { without_content(head, &body) } else { with_content(head, body, within, context) }
}

/// Removes framing fields that frameworks set for any body. On 204 they must not be sent (RFC 9110
/// section 8.6, RFC 9112 section 6.1); on 304 the length must be that of the representation, so a
/// zero, which is the length of the missing body, is removed.
fn remove_framing(status: StatusCode, headers: &mut HeaderMap) {
    let zero = headers.get(header::CONTENT_LENGTH).is_some_and(|length| length == "0");
    if status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED && zero {
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::TRANSFER_ENCODING);
    }
}

/// Creates the response of an application failure, with its cause for the log.
pub(super) fn failed(error: BoxError) -> Response {
    Response { head: ResponseHead::default(), content: Content::Failed(error), misuse: None }
}

/// Creates a response without a body, with the length that the body would have, if that is known.
fn without_content(mut head: ResponseHead, body: &impl Body) -> Response {
    let size = body.size_hint().exact().filter(|&size| size > 0 && head.status != StatusCode::NO_CONTENT);
    if let (Some(size), None) = (size, head.fields.content_length())
        && let Err(misuse) = head.fields.push("Content-Length", size.to_string())
    {
        return misuse.into();
    }
    Response { head, content: Content::Stream(Box::pin(NoContent)), misuse: None }
}

fn with_content<B>(mut head: ResponseHead, body: B, within: Option<Arc<Within>>, context: &mut Context<'_>) -> Response
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let has_length = head.fields.content_length().is_some();
    let size = body.size_hint().exact();
    let mut frames = Frames { body: Box::pin(body), first: None, sized: has_length || size.is_some(), within };
    if let Some(size) = size {
        // A body that is already complete is sent with its head.
        match frames.poll_piece(context) {
            Poll::Ready(None) if size == 0 && !has_length => return whole(head, Bytes::new()),
            Poll::Ready(Some(Ok(Piece::Data(data)))) if data.len() as u64 == size && !has_length => {
                return whole(head, data);
            }
            polled => frames.first = Some(polled).filter(Poll::is_ready),
        }
        if !has_length && let Err(misuse) = head.fields.push("Content-Length", size.to_string()) {
            return misuse.into();
        }
    }
    Response { head, content: Content::Stream(Box::pin(frames)), misuse: None }
}

fn whole(head: ResponseHead, content: Bytes) -> Response {
    Response { head, content: Content::Whole(content), misuse: None }
}

/// The frames of a body as response pieces.
struct Frames<B> {
    body: Pin<Box<B>>,
    /// A piece that was polled to find out whether it is the only one.
    first: Option<Poll<Option<Result<Piece, BoxError>>>>,
    /// True if the response has a Content-Length, so that it cannot have trailer fields.
    sized: bool,
    within: Option<Arc<Within>>,
}

impl<B> Frames<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Piece, BoxError>>> {
        let Some(frame) = ready!(self.body.as_mut().poll_frame(context)) else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(match frame.map_err(Into::into)?.into_data() {
            Ok(mut data) => Ok(Piece::Data(data.copy_to_bytes(data.remaining()))),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) if !self.sized => FieldLines::trailers(&trailers).map(Piece::Trailers).map_err(Into::into),
                // Other frames cannot be sent in HTTP/1.1. An empty piece takes their place, so
                // that other tasks get a turn even if such frames never end.
                _ => Ok(Piece::Data(Bytes::new())),
            },
        }))
    }
}

impl<B> Stream for Frames<B>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    type Item = Result<Piece, BoxError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frames = self.get_mut();
        match frames.first.take() {
            Some(first) => first,
            None => {
                let within = frames.within.clone();
                let polled = within::run(within.as_deref(), || frames.poll_piece(context));
                polled.unwrap_or_else(|| Poll::Ready(Some(Err(NOT_CALLED.into()))))
            }
        }
    }
}

/// The body of a response without content.
struct NoContent;

impl Stream for NoContent {
    type Item = Result<Piece, BoxError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(None)
    }
}
