//! What the caller did wrong.

use core::fmt;

use crate::message::cookie_error::CookieError;
use crate::wire::response_framing::FramingConflict;

/// A call that the connection's state, or the framing that was promised, does not allow.
///
/// It is the caller's fault, never the peer's. Nothing was sent or changed by the call, with three
/// exceptions. [`TooLittleContent`](Self::TooLittleContent), and a body that is refused with 413 by
/// `check_expectation` or `send_continue`, close the connection. With [`NoBody`](Self::NoBody) of
/// [`ResponseWriter::send`](crate::ResponseWriter::send) the head was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The response to this request is finished, or no request awaits one.
    NoRequest,
    /// Content was given for a response that can have none: HEAD, 204, 205, 304.
    NoBody,
    /// The head of the response was sent already.
    HeadSent,
    /// Content or the end was given before the head: `send_status` or `respond` was expected.
    HeadDue,
    /// A status that is no final status was given to a call that needs one.
    InformationalStatus(u16),
    /// A status outside 102 to 199 was given for an interim response.
    InterimStatus(u16),
    /// A status outside 100 to 999.
    Status(u16),
    /// A field name that is not a token.
    FieldName,
    /// A field value, or a reason phrase, with CR, LF, NUL or another control character.
    FieldValue,
    /// A framing field (`Content-Length`, `Transfer-Encoding`, `Connection`, `Trailer`) that
    /// contradicts the framing of this response.
    Framing(&'static str),
    /// More content than the Content-Length promised; nothing of this piece was sent.
    TooMuchContent {
        /// Bytes that were still expected.
        due: u64,
        /// Bytes that were given.
        given: u64,
    },
    /// The end was given while content was still expected; the connection is dropped, so that
    /// the peer sees the break.
    TooLittleContent {
        /// Bytes that were still expected.
        due: u64,
    },
    /// Trailers were given for a response that is not chunked.
    Trailers,
    /// `100 Continue` was asked for where the request does not expect it, or too late.
    Continue,
    /// `101` or a tunnel was given to a request that asked for none, before its content was
    /// read, or by another call than
    /// [`respond_upgrade`](crate::Connection::respond_upgrade).
    Upgrade,
    /// A cookie that cannot be set as it was given.
    Cookie(CookieError),
    /// The connection failed, was refused or is closed; nothing can be sent any more.
    Closed,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest => f.write_str("the response to this request is finished already"),
            Self::NoBody => f.write_str("this response can have no body (HEAD, 204, 205, 304)"),
            Self::HeadSent => f.write_str("the head of this response was already sent; expected send or finish"),
            Self::HeadDue => f.write_str("expected send_status or respond before content or the end"),
            Self::InformationalStatus(code) => {
                write!(f, "status {code} does not end a request; expected a status from 200")
            }
            Self::InterimStatus(code) => {
                write!(f, "status {code} is not one of an interim response; expected 102 to 199")
            }
            Self::Status(code) => write!(f, "status {code} is outside 100 to 999"),
            Self::FieldName => f.write_str("a field name must be a token"),
            Self::FieldValue => f.write_str("a field value or reason must not hold control characters"),
            Self::Framing(field) => {
                write!(f, "{field} contradicts the framing of this response, which the server owns")
            }
            Self::TooMuchContent { due, given } => {
                write!(f, "{given} bytes were given where Content-Length leaves {due}")
            }
            Self::TooLittleContent { due } => write!(f, "the response ended {due} bytes before its Content-Length"),
            Self::Trailers => f.write_str("trailers need a chunked response"),
            Self::Continue => f.write_str("100 Continue was not expected, or the response has begun"),
            Self::Upgrade => {
                f.write_str("no upgrade was asked for, its content was not read yet, or respond_upgrade was not used")
            }
            Self::Cookie(fault) => fault.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl core::error::Error for Misuse {}

impl Misuse {
    /// The misuse in a head that contradicts its framing.
    pub(crate) fn of_framing(conflict: FramingConflict) -> Self {
        match conflict {
            FramingConflict::Field(name) => Self::Framing(name),
            FramingConflict::Informational(status) => Self::InformationalStatus(status.as_u16()),
            FramingConflict::Upgrade => Self::Upgrade,
        }
    }
}
