//! The error of wrong use by the caller.

use core::fmt;

use crate::message::cookie_error::CookieError;
use crate::wire::response_framing::FramingConflict;

/// The error of a call that is not allowed in the state of the connection, contradicts the framing
/// of the response, or has an invalid argument.
///
/// It is an error of the caller, never of the peer. The call has sent and changed nothing, with
/// three exceptions: [`TooLittleContent`](Self::TooLittleContent) closes the connection; so does a
/// body that `check_expectation` or `send_continue` refuses with 413; and with
/// [`NoBody`](Self::NoBody) from [`ResponseWriter::send`](crate::ResponseWriter::send), the head
/// was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The response to this request is finished, or there is no such request.
    NoRequest,
    /// Content was sent in a response that cannot have any: HEAD, 204, 205, 304.
    NoBody,
    /// The head of the response was already sent.
    HeadSent,
    /// Content or the end was sent before the head: `send_status` or `respond` was expected.
    HeadDue,
    /// An informational status (1xx) in a call that needs a final one.
    InformationalStatus(u16),
    /// A status outside 102 to 199 for an interim response.
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
    /// More content than the Content-Length; nothing of this piece was sent.
    TooMuchContent {
        /// Number of bytes that were still expected.
        due: u64,
        /// Number of bytes in the call.
        given: u64,
    },
    /// The response was finished while content was still expected. The connection is closed, so
    /// that the peer detects the incomplete response.
    TooLittleContent {
        /// Number of bytes that were still expected.
        due: u64,
    },
    /// Trailers for a response with a Content-Length.
    Trailers,
    /// `100 Continue` for a request that does not expect it, or too late.
    Continue,
    /// A response that ends HTTP (101, or 2xx to CONNECT) to a request that offers no upgrade,
    /// before its content was read, or by another call than
    /// [`respond_upgrade`](crate::Connection::respond_upgrade). Also another response by that call.
    Upgrade,
    /// A cookie that cannot be set.
    Cookie(CookieError),
    /// The connection failed, was refused, or is closing or closed; nothing can be sent any more.
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
                write!(f, "status {code} is informational; expected a final status, 200 or higher")
            }
            Self::InterimStatus(code) => {
                write!(f, "status {code} is not allowed for an interim response; expected 102 to 199")
            }
            Self::Status(code) => write!(f, "status {code} is outside 100 to 999"),
            Self::FieldName => f.write_str("a field name must be a token"),
            Self::FieldValue => f.write_str("a field value or reason must not hold control characters"),
            Self::Framing(field) => {
                write!(f, "{field} contradicts the framing of this response, which the server owns")
            }
            Self::TooMuchContent { due, given } => {
                write!(f, "{given} bytes of content exceed the {due} that remain of Content-Length")
            }
            Self::TooLittleContent { due } => write!(f, "the response ended {due} bytes before its Content-Length"),
            Self::Trailers => f.write_str("trailers need a chunked response"),
            Self::Continue => f.write_str("100 Continue was not expected, or the response has begun"),
            Self::Upgrade => {
                f.write_str("the request offers no upgrade, its content was not read, or respond_upgrade was not used")
            }
            Self::Cookie(fault) => fault.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl core::error::Error for Misuse {}

impl Misuse {
    /// Converts a conflict between a head and its framing.
    pub(crate) fn of_framing(conflict: FramingConflict) -> Self {
        match conflict {
            FramingConflict::Field(name) => Self::Framing(name),
            FramingConflict::Informational(status) => Self::InformationalStatus(status.as_u16()),
            FramingConflict::Upgrade => Self::Upgrade,
        }
    }
}
