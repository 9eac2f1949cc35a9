//! Protocol errors of a peer.

use core::fmt;

use http::StatusCode;

/// A protocol error of the peer, for which its request or connection is refused; `docs/protocol.md`
/// lists the verdict on each input.
///
/// Each error has one status ([`status`](Self::status)) and one fixed text ([`rule`](Self::rule)).
/// The text never contains anything that the peer sent, so it is safe to put into a response or a
/// log.
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
/// assert_eq!((refusal.error().id(), refusal.error().section()), ("content-length", Some("RFC 9110 8.6")));
/// assert_eq!(refusal.error().rule(), "Content-Length must be one decimal number (RFC 9110 8.6)");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// More empty lines before the request line than allowed.
    EmptyLines,
    /// A line feed without a carriage return before it.
    BareLineFeed,
    /// A carriage return without a line feed after it.
    BareCarriageReturn,
    /// The first line is not `method SP request-target SP HTTP-version CRLF`.
    RequestLine,
    /// The method is not a token.
    Method,
    /// The method is a token longer than the limit.
    MethodTooLong,
    /// The request line has no version (HTTP/0.9), or one that is not of the form `HTTP/d.d`.
    Version,
    /// The major version is not 1.
    MajorVersion,
    /// A byte that is not allowed in a request target.
    TargetByte,
    /// The target is longer than the limit.
    TargetTooLong,
    /// An absolute-form target that is not `http(s)://authority...`.
    AbsoluteForm,
    /// The target is neither a path nor an absolute URL.
    TargetForm,
    /// An authority-form target with a method other than CONNECT, or a CONNECT target that is not
    /// `host:port`.
    AuthorityForm,
    /// The target `*` with a method other than OPTIONS.
    AsteriskForm,
    /// A line that is not a field line: it has no colon, an empty name, white space before the
    /// colon, or a name that is not a token, or it is a folded line.
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
    /// Both Content-Length and Transfer-Encoding.
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
    /// A chunk extension that does not follow the grammar of RFC 9112 section 7.1.1.
    ChunkExtension,
    /// A line of the chunked framing, or the data of a chunk, that does not end with CRLF.
    ChunkLineEnd,
    /// Chunk framing beyond the free allowance of each chunk, together with trailers, exceeds
    /// [`Limits::chunk_overhead`](crate::Limits::chunk_overhead).
    ChunkOverhead,
    /// A body larger than [`Limits::max_body_size`](crate::Limits::max_body_size).
    BodyTooLarge,
    /// An expectation other than `100-continue`.
    Expectation,
    /// The bytes before the first request are not a PROXY protocol header. No response is sent.
    ProxyHeader,
    /// A plain HTTP request on a port that requires TLS.
    PlainRequest,
    /// The head did not arrive within its timeout.
    HeadTimeout,
    /// The body did not arrive within its timeout.
    BodyTimeout,
}

impl ProtocolError {
    /// All errors, for example to build tables; each is at the index of its discriminant (`error as
    /// usize`).
    pub const ALL: &'static [Self] = &[
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

    /// Returns the status of the response to this error.
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

    /// Returns the id of the broken rule: a name that stays the same between versions, for tools,
    /// logs and metrics. `docs/protocol.md` lists the inputs that break the rule under this id.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::EmptyLines => "empty-lines",
            Self::BareLineFeed => "bare-line-feed",
            Self::BareCarriageReturn => "bare-carriage-return",
            Self::RequestLine => "request-line",
            Self::Method => "method",
            Self::MethodTooLong => "method-too-long",
            Self::Version => "version",
            Self::MajorVersion => "major-version",
            Self::TargetByte => "target-byte",
            Self::TargetTooLong => "target-too-long",
            Self::AbsoluteForm => "absolute-form",
            Self::TargetForm => "target-form",
            Self::AuthorityForm => "authority-form",
            Self::AsteriskForm => "asterisk-form",
            Self::FieldName => "field-name",
            Self::FieldValue => "field-value",
            Self::TooManyFields => "too-many-fields",
            Self::HeadTooLong => "head-too-long",
            Self::MissingHost => "missing-host",
            Self::DuplicateHost => "duplicate-host",
            Self::Host => "host",
            Self::HostZone => "host-zone",
            Self::ContentLength => "content-length",
            Self::DuplicateContentLength => "duplicate-content-length",
            Self::ContentLengthAndTransferEncoding => "content-length-and-transfer-encoding",
            Self::TransferEncodingVersion => "transfer-encoding-version",
            Self::TransferEncoding => "transfer-encoding",
            Self::TransferCoding => "transfer-coding",
            Self::ChunkSize => "chunk-size",
            Self::ChunkExtension => "chunk-extension",
            Self::ChunkLineEnd => "chunk-line-end",
            Self::ChunkOverhead => "chunk-overhead",
            Self::BodyTooLarge => "body-too-large",
            Self::Expectation => "expectation",
            Self::ProxyHeader => "proxy-header",
            Self::PlainRequest => "plain-request",
            Self::HeadTimeout => "head-timeout",
            Self::BodyTimeout => "body-timeout",
        }
    }

    /// Returns the RFC section of the rule, such as `RFC 9110 8.6`; `None` for
    /// [`ProxyHeader`](Self::ProxyHeader), because the PROXY protocol is not specified by an RFC.
    #[must_use]
    pub fn section(self) -> Option<&'static str> {
        let (_, section) = self.rule().strip_suffix(')')?.rsplit_once(" (")?;
        Some(section)
    }

    /// Returns a fixed text with the broken rule and its RFC section, if there is one. It is safe
    /// to send to the peer.
    #[must_use]
    pub fn rule(self) -> &'static str {
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
    /// Returns true if the error is in one field line, not in the head as a whole.
    pub(crate) fn is_of_field_line(self) -> bool {
        matches!(self, Self::FieldName | Self::FieldValue | Self::BareLineFeed | Self::BareCarriageReturn)
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule())
    }
}

impl core::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_listed_in_the_order_of_their_numbers() {
        let source = include_str!("error.rs");
        let (_, after) = source.split_once("pub enum ProtocolError {").unwrap();
        let (variants, _) = after.split_once("\n}\n").unwrap();
        let lines = variants.lines().map(str::trim).filter(|line| !line.starts_with("///"));
        let named: Vec<_> = lines.filter_map(|line| line.strip_suffix(',')).collect();
        let listed: Vec<_> = ProtocolError::ALL.iter().map(|fault| format!("{fault:?}")).collect();
        assert_eq!(named, listed);
        assert!(ProtocolError::ALL.iter().enumerate().all(|(number, fault)| *fault as usize == number));
    }

    #[test]
    fn ids_are_the_variant_names_in_kebab_case() {
        for fault in ProtocolError::ALL {
            let name = format!("{fault:?}");
            let words = name.chars().flat_map(|c| {
                let hyphen = c.is_ascii_uppercase().then_some('-');
                hyphen.into_iter().chain(Some(c.to_ascii_lowercase()))
            });
            assert_eq!(format!("-{}", fault.id()), words.collect::<String>());
        }
    }

    #[test]
    fn each_error_has_its_status() {
        for fault in ProtocolError::ALL {
            let status = match fault.id() {
                "method-too-long" | "transfer-coding" => 501,
                "major-version" => 505,
                "target-too-long" => 414,
                "too-many-fields" | "head-too-long" => 431,
                "body-too-large" => 413,
                "expectation" => 417,
                "head-timeout" | "body-timeout" => 408,
                _ => 400,
            };
            assert_eq!(fault.status().as_u16(), status, "{fault:?}");
        }
    }

    #[test]
    fn sections_are_taken_from_the_end_of_the_messages() {
        for fault in ProtocolError::ALL {
            let section = fault.section().map(|section| section.strip_prefix("RFC ").unwrap());
            assert_eq!(section.is_none(), *fault == ProtocolError::ProxyHeader, "{fault:?}");
            let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ' ');
            assert!(section.unwrap_or_default().chars().all(is_number), "{section:?}");
        }
    }
}
