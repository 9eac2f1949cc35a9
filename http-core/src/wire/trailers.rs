//! The fields of trailer sections.

/// Fields that must not stand in a trailer section: framing, routing, authentication, request
/// modifiers, response controls, content format (RFC 9110 section 6.5.1). They are dropped, from
/// requests and from responses.
pub(crate) fn is_forbidden(name: &str) -> bool {
    const NAMES: [&str; 41] = [
        "content-length",
        "transfer-encoding",
        "trailer",
        "te",
        "connection",
        "keep-alive",
        "proxy-connection",
        "upgrade",
        "host",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-real-ip",
        "via",
        "max-forwards",
        "expect",
        "range",
        "if-match",
        "if-none-match",
        "if-modified-since",
        "if-unmodified-since",
        "if-range",
        "cache-control",
        "pragma",
        "authorization",
        "proxy-authorization",
        "www-authenticate",
        "proxy-authenticate",
        "cookie",
        "set-cookie",
        "content-encoding",
        "content-type",
        "content-range",
        "age",
        "date",
        "expires",
        "location",
        "retry-after",
        "vary",
        "warning",
    ];
    NAMES.iter().any(|forbidden| name.eq_ignore_ascii_case(forbidden))
}
