//! How the content of one response is framed: decided once, when its head is sent.

use http::{Method, StatusCode, Version};

use crate::error::Misuse;
use crate::message::request::Request;
use crate::message::response::{BodyLen, ResponseHead};
use crate::wire::encode::FramingField;

/// What happens to the content that the application gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The response has none, whatever is given: HEAD, 204, 205, 304.
    Without,
    /// So many bytes are still due.
    Length(u64),
    Chunked,
    /// The end of the stream is the end of the content (HTTP/1.0).
    UntilClose,
}

/// The framing of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framed {
    pub(crate) mode: Mode,
    pub(crate) field: FramingField,
    pub(crate) hands_over: bool,
}

/// RFC 9112 section 6.3 and RFC 9110 section 8.6, from the side that sends.
pub(crate) fn frame(request: &Request, head: &ResponseHead, length: BodyLen) -> Result<Framed, Misuse> {
    let owned = head.fields.owned();
    let http_1_0 = request.version() == Version::HTTP_10;
    if hands_over(request, head)? {
        return Ok(Framed { mode: Mode::Without, field: FramingField::None, hands_over: true });
    }
    let length = match (length, owned.content_length) {
        // HEAD and 304 may tell the length of content that they do not have.
        (BodyLen::Known(_), Some(told)) if has_no_content(request, head.status) => BodyLen::Known(told),
        (BodyLen::Known(given), Some(told)) if given != told => return Err(Misuse::Framing("Content-Length")),
        (BodyLen::Unknown, Some(told)) => BodyLen::Known(told),
        (length, _) => length,
    };
    if owned.chunked && owned.content_length.is_some() {
        return Err(Misuse::Framing("Transfer-Encoding"));
    }
    let (mode, field) = match length {
        BodyLen::Known(length) if !owned.chunked => (Mode::Length(length), FramingField::Length(length)),
        _ if http_1_0 => (Mode::UntilClose, FramingField::None),
        _ => (Mode::Chunked, FramingField::Chunked),
    };
    if owned.trailer && field != FramingField::Chunked && !http_1_0 {
        return Err(Misuse::Framing("Trailer"));
    }
    let (mode, field) = match head.status {
        StatusCode::NO_CONTENT if owned.content_length.is_some() || owned.chunked => {
            return Err(Misuse::Framing("Content-Length"));
        }
        StatusCode::NO_CONTENT => (Mode::Without, FramingField::None),
        // RFC 9110 section 15.3.6: no content, and its length says so.
        StatusCode::RESET_CONTENT if owned.content_length.is_some_and(|told| told > 0) || owned.chunked => {
            return Err(Misuse::Framing("Content-Length"));
        }
        StatusCode::RESET_CONTENT => (Mode::Without, FramingField::Length(0)),
        StatusCode::NOT_MODIFIED => {
            (Mode::Without, owned.content_length.map_or(FramingField::None, FramingField::Length))
        }
        _ if *request.method() == Method::HEAD => (Mode::Without, field),
        _ => (mode, field),
    };
    Ok(Framed { mode, field, hands_over: false })
}

fn has_no_content(request: &Request, status: StatusCode) -> bool {
    *request.method() == Method::HEAD || status == StatusCode::NOT_MODIFIED
}

/// 101 to a request that offers it, and 2xx to CONNECT, end HTTP on the connection.
fn hands_over(request: &Request, head: &ResponseHead) -> Result<bool, Misuse> {
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        // RFC 9110 section 15.2.2: the response names the protocol, and it was offered.
        let allowed = request.offers_upgrade() && head.fields.owned().upgrade;
        return if allowed { Ok(true) } else { Err(Misuse::Upgrade) };
    }
    if head.status.is_informational() {
        return Err(Misuse::InformationalStatus(head.status.as_u16()));
    }
    Ok(*request.method() == Method::CONNECT && head.status.is_success())
}
