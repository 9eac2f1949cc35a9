//! The response to a request for a file: status, fields and what to send.

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

/// The parts of a request that decide how a file is sent.
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
    /// The request's method. GET and HEAD get the file.
    pub method: &'a Method,
    /// The request's fields: the preconditions, Range and If-Range are read from them.
    pub headers: &'a Headers,
}

/// The canonical case of the names that most plans have.
const SPELLED: [(HeaderName, &str); 12] = [
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

/// Fields that describe a file, its caching and its ranges.
const OF_FILE: [HeaderName; 14] = [
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

/// Returns true for fields that describe a file, its caching or its ranges: those of the application
/// are about the file that was asked for, and so not for a response in its place.
#[must_use]
pub fn describes_file(name: &HeaderName) -> bool {
    OF_FILE.contains(name)
}

impl FileRequest<'_> {
    /// Returns true if several ranges are asked for. Only then a plan makes a boundary of its
    /// entropy, and callers that pay for entropy may give zeros otherwise.
    #[must_use]
    pub fn asks_for_several_ranges(&self) -> bool {
        self.headers.all("range").any(|value| value.contains(&b','))
    }
}

/// The response to a request for a file: send a head with `status`, `fields` and the framing
/// that `content_length` tells, then each segment in order.
///
/// The example of [the module](crate::files) makes one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// 200, 206, 304, 405, 412 or 416; 403, 404 or 500 from [`Plan::error`], 301 from
    /// [`Plan::add_slash`].
    pub status: StatusCode,
    /// The fields in the order in which they are sent, without Content-Length and Date.
    pub fields: Vec<Field>,
    /// What the content is made of; nothing for HEAD and 304. The sum of their lengths is
    /// `content_length`, except for HEAD.
    pub segments: Vec<Segment>,
    /// The value of Content-Length; for HEAD that which GET would have had. `None` for 304,
    /// which must not have one that is not the file's (RFC 9110 section 8.6).
    pub content_length: Option<u64>,
}

impl Plan {
    /// Plans the response for a file that can be read.
    ///
    /// `wall` is the time of the response. The entropy becomes the
    /// boundary of multipart/byteranges; it has to be new and random for each plan, so that
    /// the boundary cannot be put into a file beforehand.
    ///
    /// In this order: methods other than GET and HEAD get 405; then the preconditions
    /// of RFC 9110 section 13.2.2 decide between 412, 304 and the file; then Range and If-Range
    /// (GET only) between 206, 416 and the whole of it.
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

    /// Plans the response where there is no file to send: a short text.
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

    /// Plans the response for a directory that was asked for without a slash behind its name:
    /// 301 to the path with it, because relative links in its `index.html` count from there.
    /// Path and query are as sent; the query stays. Whatever the path begins with, the
    /// location is a path, and so on the same server.
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
        // Two slashes, or what browsers take for them, would name another server.
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

    /// Plans the response that leaves the sending to a server in front: no content, and the
    /// field that names the file. Preconditions and ranges are that server's, so the response
    /// has no validators; 404 for a path that is not below the policy's root.
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
                return Self::whole(response.fields_for_front(sendfile, wall.as_secs()), 0).for_method(request.method);
            }
        };
        // The server in front would send a file in place of this response.
        plan.fields.retain(|(name, _)| name != policy.header());
        plan.for_method(request.method)
    }

    /// Returns the same behind another status than 200, as for the content of an error page. Other
    /// responses than the 200 stay as they are. Statuses without content (RFC 9110 sections
    /// 15.3.5, 15.3.6, 15.4.5) leave the file out.
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
    /// [`FileResponse::headers`] but for the ones that describe the file or how long it may be
    /// cached, and those of a name that the plan has. [`new`](Self::new) and
    /// [`sendfile`](Self::sendfile) do so; [`error`](Self::error) and
    /// [`add_slash`](Self::add_slash) do not know the fields.
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

    /// Adds the fields to lines that are to be sent, names in canonical case.
    ///
    /// # Errors
    /// [`Misuse::Framing`] where the application gave a field of its own that contradicts the
    /// framing.
    pub fn append_fields(&self, lines: &mut FieldLines) -> Result<(), Misuse> {
        // Of each line also colon, space and CRLF.
        lines.reserve(self.fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum());
        for (name, value) in &self.fields {
            let value = trim_ows(value.as_bytes());
            match SPELLED.iter().find(|(known, _)| known == name) {
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

    /// RFC 9110 section 15.3.7.1.
    fn one_range(mut fields: Vec<Field>, range: ByteRange, len: u64) -> Self {
        fields.push((CONTENT_RANGE, field_value(content_range(range, len))));
        let len = range.len();
        let segments = vec![Segment::File { offset: range.first, len }];
        Self { status: StatusCode::PARTIAL_CONTENT, fields, segments, content_length: Some(len) }
    }

    /// RFC 9110 section 15.3.7.2: type and range stand in the parts.
    fn several_ranges(mut fields: Vec<Field>, ranges: &[ByteRange], len: u64, entropy: [u8; 16]) -> Self {
        let of_file = find(&fields, &CONTENT_TYPE);
        let Byteranges { content_type, segments, content_length } = Byteranges::new(ranges, len, of_file, entropy);
        fields.retain(|(name, _)| *name != CONTENT_TYPE);
        fields.insert(0, (CONTENT_TYPE, content_type));
        Self { status: StatusCode::PARTIAL_CONTENT, fields, segments, content_length: Some(content_length) }
    }

    /// RFC 9110 section 15.5.17.
    fn unsatisfiable(len: u64) -> Self {
        let mut plan = Self::text(StatusCode::RANGE_NOT_SATISFIABLE);
        plan.fields.push((CONTENT_RANGE, field_value(format!("bytes */{len}"))));
        plan
    }

    /// RFC 9110 section 15.4.5: without what describes the content, which the client has, and
    /// with everything else that the 200 would have had. Last-Modified stays where there is
    /// no entity tag.
    fn not_modified(mut fields: Vec<Field>) -> Self {
        const OF_CONTENT: [HeaderName; 5] =
            [CONTENT_TYPE, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE, ACCEPT_RANGES];
        let has_tag = find(&fields, &ETAG).is_some();
        fields.retain(|(name, _)| !(OF_CONTENT.contains(name) || has_tag && *name == LAST_MODIFIED));
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

    /// RFC 9110 section 9.3.2: the same head, no content.
    fn for_method(mut self, method: &Method) -> Self {
        if *method == Method::HEAD {
            self.segments.clear();
        }
        self
    }
}

/// Without the values of credentials.
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

/// What Range selects where it counts: with GET (RFC 9110 section 14.2), in one line, and for
/// the file as it is now.
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
        // Content-Encoding would be that of the multipart content, not that of its parts.
        Selection::Several(_) if find(fields, &CONTENT_ENCODING).is_some() => Selection::Whole,
        selection => selection,
    }
}

/// The validators as they are sent, the application's own included.
fn validators(fields: &[Field]) -> Validators<'_> {
    Validators {
        entity_tag: find(fields, &ETAG).map(HeaderValue::as_bytes),
        last_modified: find(fields, &LAST_MODIFIED).map(HeaderValue::as_bytes),
    }
}

fn find<'a>(fields: &'a [Field], name: &HeaderName) -> Option<&'a HeaderValue> {
    fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
}

/// For text that is made of digits and fixed words.
fn field_value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}
