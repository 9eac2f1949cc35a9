//! The plan of a response with a file: status, fields and segments to send.

use core::fmt;
use std::path::Path;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CACHE_CONTROL, CDN_CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, HeaderName, HeaderValue,
    LAST_MODIFIED, LOCATION, PRAGMA, VARY,
};
use http::{Method, StatusCode};

use crate::wire::grammar::trim_ows;
use crate::{CanonicalName, FieldLines, Headers, Misuse, UnixTime};

use super::byteranges::{Byteranges, content_range};
use super::conditional::{self, Precondition, Validators};
use super::error::FileError;
use super::range::{self, ByteRange, Selection};
use super::response::{Field, FileResponse, Metadata, Shown};
use super::segment::Segment;
use super::xsendfile::XSendfile;

/// The parts of a request that determine how a file is sent.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::files::FileRequest;
///
/// let headers = Headers::parse(b"Host: example.com\r\n\r\n")?;
/// let request = FileRequest { method: &http::Method::GET, headers: &headers };
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FileRequest<'a> {
    /// The method of the request. The file is sent only for GET and HEAD.
    pub method: &'a Method,
    /// The fields of the request, of which the preconditions, Range and If-Range are read.
    pub headers: &'a Headers,
}

/// The canonical case of the field names in most plans.
const CANONICAL_NAMES: [(HeaderName, &str); 12] = [
    (ACCEPT_RANGES, "Accept-Ranges"),
    (ALLOW, "Allow"),
    (CACHE_CONTROL, "Cache-Control"),
    (CONTENT_DISPOSITION, "Content-Disposition"),
    (CONTENT_ENCODING, "Content-Encoding"),
    (CONTENT_RANGE, "Content-Range"),
    (CONTENT_TYPE, "Content-Type"),
    (ETAG, "ETag"),
    (EXPIRES, "Expires"),
    (LAST_MODIFIED, "Last-Modified"),
    (LOCATION, "Location"),
    (VARY, "Vary"),
];

/// The fields that describe a file, its caching and its ranges.
const FILE_FIELDS: [HeaderName; 14] = [
    ACCEPT_RANGES,
    CACHE_CONTROL,
    CDN_CACHE_CONTROL,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    CONTENT_TYPE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    PRAGMA,
];

/// Returns true for fields that describe a file, its caching or its ranges. If the application sets
/// them, they apply to the requested file and must not be sent in another response in its place.
#[must_use]
pub fn describes_file(name: &HeaderName) -> bool {
    FILE_FIELDS.contains(name)
}

impl FileRequest<'_> {
    /// Returns true if the request asks for several ranges. Only then the plan uses its entropy,
    /// for a boundary; otherwise callers may pass zeros to avoid the cost of entropy.
    #[must_use]
    pub fn asks_for_several_ranges(&self) -> bool {
        self.headers.all("range").any(|value| value.contains(&b','))
    }
}

/// The planned response to a request for a file: send a head with `status`, `fields` and the
/// framing for `content_length`, then each segment in order.
///
/// [The module](crate::files) has an example.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// 200, 206, 304, 405, 412 or 416; 403, 404 or 500 from [`Plan::error`], 301 from
    /// [`Plan::add_slash`].
    pub status: StatusCode,
    /// The fields in the order in which they are sent, without Content-Length and Date.
    pub fields: Vec<Field>,
    /// The pieces of the content; empty for HEAD and 304. The sum of their lengths is
    /// `content_length`, except for HEAD.
    pub segments: Vec<Segment>,
    /// The value of Content-Length; for HEAD, the one that the response to GET would have. `None`
    /// for 304, whose Content-Length could only be that of the file (RFC 9110 section 8.6).
    pub content_length: Option<u64>,
}

impl Plan {
    /// Plans the response for a file that can be read.
    ///
    /// `wall` is the time of the response. `entropy` becomes the boundary of multipart/byteranges;
    /// it must be new and random for each plan, so that the boundary cannot be put into a file in
    /// advance.
    ///
    /// The response is determined in this order: 405 for methods other than GET and HEAD; then 412,
    /// 304 or the file by the preconditions of RFC 9110 section 13.2.2; then 206, 416 or the whole
    /// file by Range and If-Range (GET only).
    #[must_use]
    pub fn new(
        request: FileRequest<'_>,
        response: &FileResponse<'_>,
        metadata: Metadata,
        wall: UnixTime,
        entropy: [u8; 16],
    ) -> Self {
        if let Some(refusal) = Self::check_method(request.method) {
            return refusal.with_own_fields(response.headers);
        }
        let wall = wall.as_secs();
        let fields = response.fields(&metadata, wall);
        let current = validators(&fields);
        let plan = match conditional::evaluate(request.headers, current) {
            Precondition::Failed => Self::text(StatusCode::PRECONDITION_FAILED).with_own_fields(response.headers),
            Precondition::NotModified => Self::not_modified(fields),
            Precondition::True => match selection(request, &fields, current, metadata.len, wall) {
                Selection::Whole => Self::whole(fields, metadata.len),
                Selection::One(range) => Self::one_range(fields, range, metadata.len),
                Selection::Several(ranges) => Self::several_ranges(fields, &ranges, metadata.len, entropy),
                Selection::Unsatisfiable => Self::unsatisfiable(metadata.len).with_own_fields(response.headers),
            },
        };
        plan.for_method(request.method)
    }

    /// Plans the response if there is no file to send: a short text.
    ///
    /// ```
    /// use httpants_core::files::{FileError, Plan};
    ///
    /// assert_eq!(Plan::error(&http::Method::GET, FileError::NotFound).status, 404);
    /// ```
    #[must_use]
    pub fn error(method: &Method, error: FileError) -> Self {
        Self::text(error.status()).for_method(method)
    }

    /// Plans the response for a directory that was requested without a trailing slash: 301 to the
    /// path with the slash, because relative links in its `index.html` are resolved from there.
    /// `path` and `query` are those of the request as sent; the query is kept. The location is
    /// always a path on the same server, even if `path` begins with several slashes or backslashes.
    ///
    /// ```
    /// use httpants_core::files::Plan;
    ///
    /// let plan = Plan::add_slash(&http::Method::GET, "/docs", "page=2");
    /// assert_eq!(plan.status, 301);
    /// assert_eq!(plan.field("Location").unwrap(), "/docs/?page=2");
    /// ```
    #[must_use]
    pub fn add_slash(method: &Method, path: &str, query: &str) -> Self {
        if let Some(refusal) = Self::check_method(method) {
            return refusal;
        }
        // Two slashes, or characters that browsers treat as slashes, would be the start of another
        // server's name.
        let path = path.trim_start_matches(['/', '\\']);
        let slash = if path.is_empty() { "" } else { "/" };
        let mark = if query.is_empty() { "" } else { "?" };
        let Ok(location) = HeaderValue::try_from(format!("/{path}{slash}{mark}{query}")) else {
            return Self::error(method, FileError::NotFound);
        };
        let mut plan = Self::text(StatusCode::MOVED_PERMANENTLY);
        plan.fields.push((LOCATION, location));
        plan.for_method(method)
    }

    /// Plans a response by which a proxy sends the file: it has no content and a field with the
    /// path of the file. The proxy evaluates preconditions and ranges, so the response has no
    /// validators. The status is 404 if the path is not below the policy's root.
    ///
    /// `wall` is the time of the response.
    #[must_use]
    pub fn sendfile(
        request: FileRequest<'_>,
        response: &FileResponse<'_>,
        policy: &XSendfile,
        path: &Path,
        wall: UnixTime,
    ) -> Self {
        let mut plan = match (Self::check_method(request.method), policy.field(path)) {
            (Some(refusal), _) => refusal.with_own_fields(response.headers),
            (None, None) => Self::text(FileError::NotFound.status()).with_own_fields(response.headers),
            (None, Some(sendfile)) => {
                return Self::whole(response.fields_for_proxy(sendfile, wall.as_secs()), 0).for_method(request.method);
            }
        };
        // With this field, the proxy would send a file instead of this response.
        plan.fields.retain(|(name, _)| name != policy.header());
        plan.for_method(request.method)
    }

    /// Returns the plan with another status than 200, for example for an error page. Responses with
    /// another status than 200 stay unchanged. With a status without content (RFC 9110 sections
    /// 15.3.5, 15.3.6, 15.4.5), the file is not sent.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        if self.status == StatusCode::OK {
            self.status = status;
            if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
                self.segments.clear();
            }
        }
        self
    }

    /// Adds the application's fields to a response that is not the file: those of
    /// [`FileResponse::headers`] except the ones that [describe the file](describes_file) or whose
    /// name the plan already has. [`new`](Self::new) and [`sendfile`](Self::sendfile) do this
    /// themselves; [`error`](Self::error) and [`add_slash`](Self::add_slash) do not have the
    /// fields.
    ///
    /// ```
    /// use httpants_core::files::{FileError, Plan};
    /// use http::header::{ETAG, HeaderValue, X_FRAME_OPTIONS};
    ///
    /// let own = [(X_FRAME_OPTIONS, HeaderValue::from_static("DENY")), (ETAG, HeaderValue::from_static("\"1\""))];
    /// let plan = Plan::error(&http::Method::GET, FileError::NotFound).with_own_fields(&own);
    /// assert_eq!(plan.field("X-Frame-Options").unwrap(), "DENY");
    /// assert_eq!(plan.field("ETag"), None);
    /// ```
    #[must_use]
    pub fn with_own_fields(mut self, own: &[Field]) -> Self {
        let added: Vec<Field> = own
            .iter()
            .filter(|(name, _)| !describes_file(name) && find(&self.fields, name).is_none())
            .cloned()
            .collect();
        self.fields.extend(added);
        self
    }

    /// Returns the value of the first field with this name, compared without case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&HeaderValue> {
        self.fields.iter().find(|(field, _)| field.as_str().eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Appends the fields to `lines`, with names in canonical case.
    ///
    /// # Errors
    /// [`Misuse::Framing`] if a field of the application contradicts the framing.
    pub fn append_fields(&self, lines: &mut FieldLines) -> Result<(), Misuse> {
        // Each line also has a colon, a space and CRLF.
        lines.reserve(self.fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum());
        for (name, value) in &self.fields {
            let value = trim_ows(value.as_bytes());
            match CANONICAL_NAMES.iter().find(|(known, _)| known == name) {
                Some((_, spelling)) => lines.push_checked(spelling, value)?,
                None => lines.push_checked(&CanonicalName::new(name.as_str()).to_string(), value)?,
            }
        }
        Ok(())
    }

    fn check_method(method: &Method) -> Option<Self> {
        if matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let mut plan = Self::text(StatusCode::METHOD_NOT_ALLOWED);
        plan.fields.push((ALLOW, HeaderValue::from_static("GET, HEAD")));
        Some(plan)
    }

    fn whole(fields: Vec<Field>, len: u64) -> Self {
        let segment = (len > 0).then_some(Segment::File { offset: 0, len });
        Self { status: StatusCode::OK, fields, segments: segment.into_iter().collect(), content_length: Some(len) }
    }

    /// Plans a 206 with one range (RFC 9110 section 15.3.7.1).
    fn one_range(mut fields: Vec<Field>, range: ByteRange, len: u64) -> Self {
        fields.push((CONTENT_RANGE, field_value(content_range(range, len))));
        let len = range.len();
        let segments = vec![Segment::File { offset: range.first, len }];
        Self { status: StatusCode::PARTIAL_CONTENT, fields, segments, content_length: Some(len) }
    }

    /// Plans a 206 with several ranges, whose types and ranges are in the parts (RFC 9110 section
    /// 15.3.7.2).
    fn several_ranges(mut fields: Vec<Field>, ranges: &[ByteRange], len: u64, entropy: [u8; 16]) -> Self {
        let of_file = find(&fields, &CONTENT_TYPE);
        let Byteranges { content_type, segments, content_length } = Byteranges::new(ranges, len, of_file, entropy);
        fields.retain(|(name, _)| *name != CONTENT_TYPE);
        fields.insert(0, (CONTENT_TYPE, content_type));
        Self { status: StatusCode::PARTIAL_CONTENT, fields, segments, content_length: Some(content_length) }
    }

    /// Plans a 416 (RFC 9110 section 15.5.17).
    fn unsatisfiable(len: u64) -> Self {
        let mut plan = Self::text(StatusCode::RANGE_NOT_SATISFIABLE);
        plan.fields.push((CONTENT_RANGE, field_value(format!("bytes */{len}"))));
        plan
    }

    /// Plans a 304 (RFC 9110 section 15.4.5): without the fields that describe the content, which
    /// the client has, and with all others of the 200. Last-Modified is kept if there is no entity
    /// tag.
    fn not_modified(mut fields: Vec<Field>) -> Self {
        const CONTENT_FIELDS: [HeaderName; 5] =
            [CONTENT_TYPE, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, ACCEPT_RANGES];
        let has_tag = find(&fields, &ETAG).is_some();
        fields.retain(|(name, _)| !(CONTENT_FIELDS.contains(name) || has_tag && *name == LAST_MODIFIED));
        Self { status: StatusCode::NOT_MODIFIED, fields, segments: Vec::new(), content_length: None }
    }

    fn text(status: StatusCode) -> Self {
        let text = Bytes::from(format!("{status}\n"));
        Self {
            status,
            fields: vec![(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))],
            content_length: Some(text.len() as u64),
            segments: vec![Segment::Bytes(text)],
        }
    }

    /// Removes the content for HEAD; the head stays the same (RFC 9110 section 9.3.2).
    fn for_method(mut self, method: &Method) -> Self {
        if *method == Method::HEAD {
            self.segments.clear();
        }
        self
    }
}

/// Does not show the values of credentials.
impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("status", &self.status)
            .field("fields", &Shown(&self.fields))
            .field("segments", &self.segments)
            .field("content_length", &self.content_length)
            .finish()
    }
}

/// Returns the ranges to send. Range applies only to GET (RFC 9110 section 14.2), in one line, and
/// if If-Range matches the current file.
fn selection(request: FileRequest<'_>, fields: &[Field], current: Validators<'_>, len: u64, wall: u64) -> Selection {
    let mut lines = request.headers.all("range");
    let (Some(value), None) = (lines.next(), lines.next()) else {
        return Selection::Whole;
    };
    if *request.method != Method::GET
        || find(fields, &ACCEPT_RANGES).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"none"))
        || !conditional::if_range(request.headers, current, wall)
    {
        return Selection::Whole;
    }
    match range::select(value, len) {
        // Content-Encoding would apply to the multipart content, not to its parts.
        Selection::Several(_) if find(fields, &CONTENT_ENCODING).is_some() => Selection::Whole,
        selection => selection,
    }
}

/// Returns the validators that are sent, including those of the application.
fn validators(fields: &[Field]) -> Validators<'_> {
    Validators {
        entity_tag: find(fields, &ETAG).map(HeaderValue::as_bytes),
        last_modified: find(fields, &LAST_MODIFIED).map(HeaderValue::as_bytes),
    }
}

fn find<'a>(fields: &'a [Field], name: &HeaderName) -> Option<&'a HeaderValue> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

/// Converts text that consists of digits and fixed words.
fn field_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
