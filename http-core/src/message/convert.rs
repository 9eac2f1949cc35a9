//! Conversions from and to the types of the `http` crate.

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};

use crate::message::field_lines::FieldLines;
use crate::message::headers::Headers;
use crate::message::misuse::Misuse;
use crate::message::request::RequestHead;
use crate::message::response::ResponseHead;
use crate::wire::trailers;

/// Converts the head, without content. The URI has the form of the target: an absolute one keeps
/// its scheme and authority. Parts that `http::Uri` cannot represent are percent-encoded, such as
/// `|` in a path, or dropped, such as a fragment; [`RequestHead`] returns them as they were sent.
///
/// ```
/// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
/// # let now = Now::default();
/// # let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), now);
/// # connection.receive(b"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", now);
/// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
/// let request: http::Request<()> = (&request).into();
/// assert_eq!(request.uri(), "/a?b=c");
/// assert_eq!(request.headers()["host"], "x");
/// ```
impl From<&RequestHead> for http::Request<()> {
    fn from(request: &RequestHead) -> Self {
        let mut converted = Self::new(());
        *converted.method_mut() = request.method().clone();
        *converted.version_mut() = request.version();
        *converted.uri_mut() = uri(request);
        *converted.headers_mut() = request.headers().into();
        converted
    }
}

/// Converts all field lines; the order is kept within each name.
impl From<&Headers> for HeaderMap {
    fn from(headers: &Headers) -> Self {
        let mut map = Self::with_capacity(headers.len());
        for (name, value) in headers.iter_raw() {
            // Both were validated by the same grammar when they were received.
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                map.append(name, value);
            }
        }
        map
    }
}

/// Converts all field lines, which are validated as by [`FieldLines::push`].
///
/// # Errors
/// [`Misuse`] for a field that cannot be sent, such as a hop-by-hop option in Connection.
impl TryFrom<&HeaderMap> for FieldLines {
    type Error = Misuse;

    fn try_from(map: &HeaderMap) -> Result<Self, Misuse> {
        Self::try_from_iter(map)
    }
}

impl FieldLines {
    /// Converts trailer fields. Fields that are not allowed in trailers, because they determine
    /// framing, routing, authentication or the interpretation of the content (RFC 9110 section
    /// 6.5.1), are dropped.
    ///
    /// ```
    /// use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
    /// use httpants_core::FieldLines;
    ///
    /// let mut map = HeaderMap::new();
    /// map.insert(CONTENT_LENGTH, HeaderValue::from_static("5"));
    /// map.insert("x-checksum", HeaderValue::from_static("1a2b"));
    /// let trailers = FieldLines::trailers(&map)?;
    /// assert_eq!(trailers.iter().collect::<Vec<_>>(), [("x-checksum", &b"1a2b"[..])]);
    /// # Ok::<(), httpants_core::Misuse>(())
    /// ```
    ///
    /// # Errors
    /// As for [`push`](Self::push).
    pub fn trailers(map: &HeaderMap) -> Result<Self, Misuse> {
        Self::try_from_iter(map.iter().filter(|(name, _)| !trailers::is_forbidden(name.as_str())))
    }
}

fn uri(request: &RequestHead) -> Uri {
    if let Ok(uri) = Uri::try_from(request.target()) {
        return uri;
    }
    let mut parts = http::uri::Parts::default();
    let path = encoded(request.path());
    let path_and_query = if request.query().is_empty() { path } else { format!("{path}?{}", encoded(request.query())) };
    let scheme = if request.connection_info().secure { "https" } else { "http" };
    parts.path_and_query = PathAndQuery::try_from(path_and_query).ok();
    if !request.target().starts_with('/')
        && let (Ok(scheme), Ok(authority)) = (Scheme::try_from(scheme), Authority::try_from(request.host()))
    {
        (parts.scheme, parts.authority) = (Some(scheme), Some(authority));
    }
    Uri::from_parts(parts).unwrap_or_default()
}

/// Percent-encodes the characters that are not allowed in a URI; existing percent sequences stay
/// unchanged.
fn encoded(part: &str) -> String {
    const OTHER: &percent_encoding::AsciiSet = &percent_encoding::CONTROLS
        .add(b' ')
        .add(b'"')
        .add(b'#')
        .add(b'<')
        .add(b'>')
        .add(b'\\')
        .add(b'^')
        .add(b'`')
        .add(b'{')
        .add(b'|')
        .add(b'}');
    percent_encoding::utf8_percent_encode(part, OTHER).to_string()
}

/// Converts the status and the fields, whose order within each name is kept. The core checks a
/// `Content-Length` against the framing when the response starts.
///
/// # Errors
/// [`Misuse`] for a field that cannot be sent, such as a hop-by-hop option in Connection.
impl<B> TryFrom<&http::Response<B>> for ResponseHead {
    type Error = Misuse;

    fn try_from(response: &http::Response<B>) -> Result<Self, Misuse> {
        Ok(Self::with_fields(response.status(), response.headers().try_into()?))
    }
}

/// Converts the head of a response; fields that the core adds are not included.
impl From<&ResponseHead> for http::Response<()> {
    fn from(head: &ResponseHead) -> Self {
        let mut response = Self::new(());
        *response.status_mut() = head.status;
        for (name, value) in &head.fields {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
                response.headers_mut().append(name, value);
            }
        }
        if let Some(length) = head.fields.content_length() {
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Connection, ConnectionInfo, Event, Now};

    fn converted(target: &str) -> http::Request<()> {
        let mut connection = Connection::new(Config::default().into(), ConnectionInfo::default(), Now::default());
        let head = format!("GET {target} HTTP/1.0\r\nHost: x\r\nA: 1\r\na: 2\r\n\r\n");
        let _ = connection.receive(head.as_bytes(), Now::default());
        match connection.poll_event() {
            Some(Event::Request(request)) => (&request).into(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_request_target_has_a_uri() {
        for (target, same) in [
            ("/a?b=c", true),
            ("/", true),
            ("http://h:1/p?q", true),
            ("/a|b?c^d#e", false),
            ("/%41{", false),
            ("http://h/a\\b", false),
        ] {
            let request = converted(target);
            assert_eq!(request.version(), http::Version::HTTP_10);
            let uri = request.uri();
            assert!(!same || *uri == target, "{target}: {uri}");
            assert_eq!(uri.host(), target.starts_with("http").then_some("h"), "{target}: {uri}");
            assert!(uri.path().starts_with('/') && uri.path().len() >= target.len().min(2), "{target}: {uri}");
            assert_eq!(request.headers().get_all("a").iter().collect::<Vec<_>>(), ["1", "2"]);
        }
    }

    #[test]
    fn characters_outside_the_uri_grammar_are_encoded() {
        for (target, expected) in
            [("/%41<", "/%41%3C"), ("/\"^>?\\", "/%22%5E%3E?%5C"), ("http://h/a\\b?\"", "http://h/a%5Cb?%22")]
        {
            assert_eq!(converted(target).uri().to_string(), expected, "{target}");
        }
    }

    #[test]
    fn forbidden_trailers_are_dropped() {
        let mut map = HeaderMap::new();
        map.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from_static("5"));
        map.insert("x-checksum", http::HeaderValue::from_static("1a2b"));
        let trailers = FieldLines::trailers(&map).unwrap();
        assert_eq!(trailers.iter().collect::<Vec<_>>(), [("x-checksum", &b"1a2b"[..])]);
    }

    #[test]
    fn responses_convert_in_both_directions() {
        let response = http::Response::builder().status(404).header("A", "1").header("Content-Length", "5").body(());
        let response = response.unwrap();
        let head = ResponseHead::try_from(&response).unwrap();
        assert_eq!((head.status.as_u16(), head.fields.content_length()), (404, Some(5)));
        let back = http::Response::from(&head);
        assert_eq!((back.status(), back.headers()), (response.status(), response.headers()));
        let bad = http::Response::builder().header("Connection", "x-hop").body(()).unwrap();
        assert_eq!(ResponseHead::try_from(&bad).err(), Some(Misuse::Framing("Connection")));
    }
}
