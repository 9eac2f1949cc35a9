//! The two kinds of error: what the peer did wrong, and what the caller did wrong.

use std::fmt;

use http::StatusCode;

use crate::connection::timers::Timer;
use crate::cookies::CookieError;

/// What a peer sent that this server refuses; `docs/protocol.md` has the verdict on each input.
///
/// Each fault has one status ([`status`](Self::status)) and one fixed text, which never
/// contains anything that the peer sent, so it can be put into a response or a log as it is.
///
/// ```
/// use httpants_core::{ProtocolError, Config, Connection, Event, Now, ConnectionInfo};
///
/// let now = Now::default();
/// let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
/// connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", now);
/// let Some(Event::Refused(refusal)) = connection.poll_event() else { unreachable!() };
/// assert_eq!((refusal.error(), refusal.request_line()), (ProtocolError::ContentLength, &b"GET / HTTP/1.1"[..]));
/// assert_eq!(refusal.error().status(), 400);
/// assert_eq!(refusal.error().text(), "Content-Length must be one decimal number (RFC 9110 8.6)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// More empty lines before the request line than allowed.
    EmptyLines,
    /// A line feed without the carriage return before it.
    BareLineFeed,
    /// A carriage return without the line feed behind it.
    BareCarriageReturn,
    /// The first line is not `method SP request-target SP HTTP-version CRLF`.
    RequestLine,
    /// The method is not a token.
    Method,
    /// The method is a token longer than the limit.
    MethodTooLong,
    /// No version stands in the request line (HTTP/0.9), or not one of the form `HTTP/d.d`.
    Version,
    /// The major version is not 1.
    MajorVersion,
    /// A byte that no request target can hold.
    TargetByte,
    /// The target is longer than the limit.
    TargetTooLong,
    /// An absolute form that is not `http(s)://authority...`.
    AbsoluteForm,
    /// Neither a path nor an absolute URL.
    TargetForm,
    /// An authority form outside CONNECT, or not `host:port` with it.
    AuthorityForm,
    /// The target `*` outside OPTIONS.
    AsteriskForm,
    /// A line that is no field line: no colon, an empty name, white space before the colon,
    /// a name that is not a token, or a folded line.
    FieldName,
    /// A field value with a control byte.
    FieldValue,
    /// More field lines than the limit.
    TooManyFields,
    /// The head is longer than the limit.
    HeadTooLong,
    /// An HTTP/1.1 request without Host.
    MissingHost,
    /// More than one Host line.
    DuplicateHost,
    /// A Host that is not `uri-host [ ":" port ]`.
    Host,
    /// A Host with an IPv6 address that has a zone identifier: `[fe80::1%eth0]`.
    HostZone,
    /// A Content-Length that is not one decimal number below 2^64.
    ContentLength,
    /// More than one Content-Length line.
    DuplicateContentLength,
    /// Content-Length beside Transfer-Encoding.
    ContentLengthAndTransferEncoding,
    /// Transfer-Encoding in an HTTP/1.0 request.
    TransferEncodingVersion,
    /// A Transfer-Encoding in which `chunked` is absent, not last, repeated, quoted or has
    /// parameters, or that is spread over two lines.
    TransferEncoding,
    /// A transfer coding other than `chunked`.
    TransferCoding,
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    ChunkSize,
    /// A chunk extension outside its grammar.
    ChunkExtension,
    /// A line of the chunked framing that does not end with CRLF where it must.
    ChunkLineEnd,
    /// Chunk framing beyond what the chunks need, and trailers, that exceed
    /// [`Limits::chunk_overhead`](crate::Limits::chunk_overhead) together.
    ChunkOverhead,
    /// A body larger than `max_body_size`.
    BodyTooLarge,
    /// An expectation other than `100-continue`.
    Expectation,
    /// The bytes before the first request are not a PROXY protocol header. It gets no response.
    ProxyHeader,
    /// A request without TLS on a port that requires TLS.
    PlainRequest,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The body did not arrive in time.
    BodyTimeout,
}

impl ProtocolError {
    /// Every fault, for tables of them; each is at the index of its discriminant (`fault as usize`).
    pub const ALL: [Self; 38] = [
        Self::EmptyLines,
        Self::BareLineFeed,
        Self::BareCarriageReturn,
        Self::RequestLine,
        Self::Method,
        Self::MethodTooLong,
        Self::Version,
        Self::MajorVersion,
        Self::TargetByte,
        Self::TargetTooLong,
        Self::AbsoluteForm,
        Self::TargetForm,
        Self::AuthorityForm,
        Self::AsteriskForm,
        Self::FieldName,
        Self::FieldValue,
        Self::TooManyFields,
        Self::HeadTooLong,
        Self::MissingHost,
        Self::DuplicateHost,
        Self::Host,
        Self::HostZone,
        Self::ContentLength,
        Self::DuplicateContentLength,
        Self::ContentLengthAndTransferEncoding,
        Self::TransferEncodingVersion,
        Self::TransferEncoding,
        Self::TransferCoding,
        Self::ChunkSize,
        Self::ChunkExtension,
        Self::ChunkLineEnd,
        Self::ChunkOverhead,
        Self::BodyTooLarge,
        Self::Expectation,
        Self::ProxyHeader,
        Self::PlainRequest,
        Self::HeadTimeout,
        Self::BodyTimeout,
    ];

    /// The status that answers this fault.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::MethodTooLong | Self::TransferCoding => StatusCode::NOT_IMPLEMENTED,
            Self::MajorVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::TooManyFields | Self::HeadTooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::HeadTimeout | Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// What was wrong, what was allowed, and the rule: a fixed text that is safe to send.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::EmptyLines => "too many empty lines before the request line (RFC 9112 2.2)",
            Self::BareLineFeed => "a line must end with CR LF, not with LF alone (RFC 9112 2.2)",
            Self::BareCarriageReturn => "CR must be followed by LF (RFC 9112 2.2)",
            Self::RequestLine => "the request line must be: method, one space, target, one space, version (RFC 9112 3)",
            Self::Method => "the method must be a token (RFC 9110 9.1)",
            Self::MethodTooLong => "the method is longer than any this server knows (RFC 9112 3)",
            Self::Version => "the request line must end with HTTP/1.1 or HTTP/1.0 (RFC 9112 2.3)",
            Self::MajorVersion => "this server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 2.5)",
            Self::TargetByte => "the request target holds a byte that must be percent-encoded (RFC 9112 3.2)",
            Self::TargetTooLong => "the request target is longer than allowed (RFC 9110 4.1)",
            Self::AbsoluteForm => {
                "an absolute request target must be http or https, with a host and no user (RFC 9112 3.2.2)"
            }
            Self::TargetForm => "the request target must be a path that begins with /, or an http URL (RFC 9112 3.2)",
            Self::AuthorityForm => "host:port is the target of CONNECT, and only of CONNECT (RFC 9112 3.2.3)",
            Self::AsteriskForm => "the target * is for OPTIONS only (RFC 9112 3.2.4)",
            Self::FieldName => "a field line must be a name, a colon and a value, on one line (RFC 9112 5)",
            Self::FieldValue => "a field value must not hold control characters (RFC 9110 5.5)",
            Self::TooManyFields => "more field lines than allowed (RFC 6585 5)",
            Self::HeadTooLong => "the head is longer than allowed (RFC 6585 5)",
            Self::MissingHost => "an HTTP/1.1 request must have a Host field (RFC 9112 3.2)",
            Self::DuplicateHost => "a request must have one Host field (RFC 9112 3.2)",
            Self::Host => "the Host field must be a host and an optional port (RFC 9110 7.2)",
            Self::HostZone => "an IPv6 address in Host must not have a zone identifier such as %eth0 (RFC 3986 3.2.2)",
            Self::ContentLength => "Content-Length must be one decimal number (RFC 9110 8.6)",
            Self::DuplicateContentLength => "a request must not have two Content-Length fields (RFC 9112 6.3)",
            Self::ContentLengthAndTransferEncoding => {
                "a request must not have both Content-Length and Transfer-Encoding (RFC 9112 6.3)"
            }
            Self::TransferEncodingVersion => "HTTP/1.0 has no Transfer-Encoding (RFC 9112 6.1)",
            Self::TransferEncoding => {
                "Transfer-Encoding must be one field that ends with chunked, once and bare (RFC 9112 6.1)"
            }
            Self::TransferCoding => "chunked is the only transfer coding that this server reads (RFC 9112 6.1)",
            Self::ChunkSize => "a chunk size must be 1 to 16 hexadecimal digits (RFC 9112 7.1)",
            Self::ChunkExtension => {
                "a chunk extension must be: semicolon, name, and an optional = and value (RFC 9112 7.1.1)"
            }
            Self::ChunkLineEnd => "a chunk must end with CR LF (RFC 9112 7.1)",
            Self::ChunkOverhead => {
                "chunk extensions and trailers are larger than the limit chunk_overhead allows (RFC 9112 7.1.1)"
            }
            Self::BodyTooLarge => "the content is larger than allowed (RFC 9110 15.5.14)",
            Self::Expectation => "100-continue is the only expectation that this server meets (RFC 9110 10.1.1)",
            Self::ProxyHeader => "the connection must begin with a PROXY protocol header",
            Self::PlainRequest => "a plain HTTP request was sent to a port that speaks TLS (RFC 9110 4.2.2)",
            Self::HeadTimeout => "the head did not arrive in time (RFC 9110 15.5.9)",
            Self::BodyTimeout => "the content did not arrive in time (RFC 9110 15.5.9)",
        }
    }
}

impl ProtocolError {
    /// Whether one field line is at fault, and not the head as a whole.
    pub(crate) fn is_of_field_line(self) -> bool {
        matches!(self, Self::FieldName | Self::FieldValue | Self::BareLineFeed | Self::BareCarriageReturn)
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for ProtocolError {}

/// A call that the connection's state, or the framing that was promised, does not allow.
///
/// It is the caller's fault, never the peer's. Nothing was sent or changed by the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The response to this request is finished, or no request awaits one.
    NoRequest,
    /// Content was given for a response that can have none: HEAD, 204, 205, 304.
    NoBody,
    /// The head of the response was sent already.
    HeadSent,
    /// Content or the end was given before the head: `send_status` or `respond` was due.
    HeadDue,
    /// A status that is no final status was given to a call that needs one.
    InformationalStatus(u16),
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
        /// Bytes that were still due.
        due: u64,
        /// Bytes that were given.
        given: u64,
    },
    /// The end was given while content was still due; the connection is dropped, so that
    /// the peer sees the break.
    TooLittleContent {
        /// Bytes that were still due.
        due: u64,
    },
    /// Trailers were given for a response that is not chunked.
    Trailers,
    /// `100 Continue` was asked for where the request does not expect it, or too late.
    Continue,
    /// `101` or a tunnel was answered to a request that asked for none, before its content was
    /// read, or by another call than
    /// [`respond_upgrade`](crate::Connection::respond_upgrade).
    Upgrade,
    /// A signed cookie without a key to sign it.
    NoCookieKeys,
    /// A cookie that cannot be set as it was given.
    Cookie(CookieError),
    /// The connection failed, was refused or is closed; nothing can be answered any more.
    Closed,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest => f.write_str("the response to this request is finished already"),
            Self::NoBody => f.write_str("this response can have no body (HEAD, 204, 205, 304)"),
            Self::HeadSent => f.write_str("the head of this response was already sent; expected send or finish"),
            Self::HeadDue => f.write_str("send_status or respond was due before content or the end"),
            Self::InformationalStatus(code) => {
                write!(f, "status {code} does not end a request; a status from 200 was due")
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
            Self::NoCookieKeys => f.write_str("a signed cookie needs Config::cookie_keys"),
            Self::Cookie(fault) => fault.fmt(f),
            Self::Closed => f.write_str("the connection is closed"),
        }
    }
}

impl std::error::Error for Misuse {}

/// Why a connection ended, reported once by [`Event::Closed`](crate::Event::Closed).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The last response was sent and the connection is not kept alive.
    Finished,
    /// The peer ended the stream between requests, while the rest of a body was dropped, or with
    /// [`HalfClose::Drop`](crate::HalfClose::Drop) at any time.
    PeerClosed,
    /// The peer ended the stream inside a head or a body.
    Truncated,
    /// A request was refused, and the refusal answered.
    Refused(ProtocolError),
    /// A timer ran out, other than those that refuse a request with 408.
    TimedOut(Timer),
    /// The handshake that was to secure the transport failed, or the peer ended the stream
    /// during it.
    HandshakeFailed,
    /// The server shuts down.
    Shutdown,
    /// The application aborted, or ended a response before its Content-Length.
    Aborted,
    /// The transport failed.
    IoError,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("the last response was sent"),
            Self::PeerClosed => f.write_str("the peer closed the connection"),
            Self::Truncated => f.write_str("the peer closed inside a request"),
            Self::Refused(fault) => write!(f, "refused: {fault}"),
            Self::TimedOut(timer) => write!(f, "timed out: {timer}"),
            Self::HandshakeFailed => f.write_str("the handshake of the transport failed"),
            Self::Shutdown => f.write_str("the server shuts down"),
            Self::Aborted => f.write_str("the application aborted the response"),
            Self::IoError => f.write_str("the transport failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_listed_at_their_numbers() {
        let source = include_str!("error.rs");
        let (_, behind) = source.split_once("pub enum ProtocolError {").unwrap();
        let (variants, _) = behind.split_once("\n}\n").unwrap();
        let lines = variants.lines().map(str::trim).filter(|line| !line.starts_with("///"));
        let named: Vec<_> = lines.filter_map(|line| line.strip_suffix(',')).collect();
        let listed: Vec<_> = ProtocolError::ALL.iter().map(|fault| format!("{fault:?}")).collect();
        assert_eq!(named, listed);
        assert!(ProtocolError::ALL.iter().enumerate().all(|(number, fault)| *fault as usize == number));
    }
}
