//! Compression of one response: its fields, and the encoder of its body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::StatusCode;
use httpants_core::{FieldLines, Misuse, RequestHead, ResponseHead};

use super::coder::Coder;
use super::settings::{Compression, Sized, elements};
use crate::response::{BoxError, Content, Piece};

/// Maximum size in bytes of a body that is compressed at once; larger ones are compressed while
/// they are sent.
const AT_ONCE: usize = 64 << 10;

/// Compresses a response if the request accepts that, and changes its fields. Returns the encoder
/// of a body that is compressed while it is sent.
///
/// # Errors
/// Returns an error for fields that cannot be sent.
pub(in crate::response) fn compress(
    compression: &Compression,
    request: &RequestHead,
    head: &mut ResponseHead,
    content: &mut Content,
) -> Result<Option<Coder>, Misuse> {
    if head.status == StatusCode::NOT_MODIFIED {
        return confirm(compression, request, head).map(|()| None);
    }
    let announced = head.fields.content_length();
    if let (Content::Whole(content), Some(length)) = (&*content, announced)
        && length != content.len() as u64
        && !(content.is_empty() && request.method() == http::Method::HEAD)
    {
        // A wrong Content-Length is refused later; compression would replace it and hide the
        // mistake.
        return Ok(None);
    }
    let size = match (&*content, announced) {
        (Content::Whole(content), None) => Sized::Known(content.len() as u64),
        (Content::Whole(_) | Content::Stream(_), Some(length)) => Sized::Known(length),
        (Content::Stream(_) | Content::Events(..), _) => Sized::Unknown,
        // The text of an error is short, and the application may replace it.
        (Content::File(_) | Content::Upgrade(_) | Content::Error(_) | Content::Failed(_) | Content::Sent, _) => {
            return Ok(None);
        }
    };
    let ends_http = !request.allows_response_body(head.status) && request.method() == http::Method::CONNECT;
    if ends_http || !compression.is_eligible(head, size) || !compression.includes(request, head) {
        return Ok(None);
    }
    vary(&mut head.fields)?;
    let Some(coding) = compression.choose(request) else { return Ok(None) };
    let mut coder = match content {
        Content::Events(..) => Coder::for_events(coding),
        _ => Coder::new(coding, compression.level),
    };
    coder.announce(announced);
    let coded = match content {
        Content::Whole(whole) if whole.len() <= AT_ONCE && !whole.is_empty() => {
            let Ok(coded) = coder.whole(whole.clone()) else { return Ok(None) };
            // A body that would not become smaller is sent uncompressed.
            if coded.len() >= whole.len() {
                return Ok(None);
            }
            *whole = coded;
            None
        }
        // Also for the response to HEAD with a length but no body: a compressed body would have
        // another length.
        Content::Whole(whole) => {
            *content = Content::Stream(Box::pin(Once(Some(std::mem::take(whole)))));
            Some(coder)
        }
        _ => Some(coder),
    };
    if announced.is_some() {
        head.fields.remove("Content-Length");
    }
    head.fields.remove("Accept-Ranges");
    head.fields.set("Content-Encoding", coding.name())?;
    weaken(&mut head.fields)?;
    Ok(coded)
}

/// A stream of one piece.
struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = Result<Piece, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().filter(|piece| !piece.is_empty()).map(|piece| Ok(Piece::Data(piece))))
    }
}

/// Completes a 304 with the fields that a 200 would have (RFC 9110 section 15.4.5): `Vary` if the
/// 200 could be compressed, and the entity tag of the compressed response if the client has that.
fn confirm(compression: &Compression, request: &RequestHead, head: &mut ResponseHead) -> Result<(), Misuse> {
    if compression.may_have_compressed(request, head) {
        vary(&mut head.fields)?;
    }
    let (headers, fields) = (request.headers(), &mut head.fields);
    let has_compressed = fields.get("etag").filter(|tag| tag.starts_with(b"\"")).is_some_and(|tag| {
        headers.list("if-none-match").any(|known| known.strip_prefix(b"W/").is_some_and(|known| known == tag))
    });
    if has_compressed {
        vary(fields)?;
        weaken(fields)?;
    }
    Ok(())
}

/// Makes a strong entity tag weak, because it identifies the bytes before compression (RFC 9110
/// section 8.8.1).
fn weaken(fields: &mut FieldLines) -> Result<(), Misuse> {
    match fields.get("etag").filter(|tag| tag.starts_with(b"\"")) {
        Some(tag) => {
            let weak = [b"W/", tag].concat();
            fields.set("ETag", weak)
        }
        None => Ok(()),
    }
}

fn vary(fields: &mut FieldLines) -> Result<(), Misuse> {
    let mut named = elements(fields, "vary");
    if named.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"accept-encoding")) {
        return Ok(());
    }
    drop(named);
    fields.push("Vary", "Accept-Encoding")
}
