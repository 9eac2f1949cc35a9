//! The application's settings for a file, and the fields of its 200 response.

use core::fmt;

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, EXPIRES, HeaderName, HeaderValue, LAST_MODIFIED, VARY,
};

use crate::UnixTime;
use crate::message::headers::is_credential;
use crate::wire::encode;

use super::coding::Coding;
use super::disposition::Disposition;
use super::media_types::MediaTypes;
use super::mime::content_coding;
use super::{content_type, date};

/// A field of a response. Both types are validated when they are created, so neither can contain a
/// line end.
pub type Field = (HeaderName, HeaderValue);

/// The default freshness lifetime of a response in seconds: a week.
const MAX_AGE: u64 = 604_800;
const MAX_AGE_DIRECTIVE: HeaderValue = HeaderValue::from_static("max-age=604800");

/// The metadata of the file whose content is sent. With a precompressed sibling, that is
/// the sibling.
///
/// ```
/// use std::time::Duration;
///
/// use httpants_core::UnixTime;
/// use httpants_core::files::Metadata;
///
/// let modified = UnixTime(Duration::new(1_700_000_000, 250_000_000));
/// let metadata = Metadata::new(16_384, Some(modified), 77);
/// assert_eq!(metadata.len, 16_384);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// Length of the file in bytes.
    pub len: u64,
    /// Time of the last change of the content. `None` if it is unknown or before 1970; then the
    /// response has no validators.
    pub modified: Option<UnixTime>,
    /// The inode number, or another number that identifies the file; 0 if there is none.
    pub inode: u64,
}

impl Metadata {
    /// Creates metadata from the values of its fields.
    #[must_use]
    pub fn new(len: u64, modified: Option<UnixTime>, inode: u64) -> Self {
        Self { len, modified, inode }
    }

    /// Returns a strong entity tag (RFC 9110 section 8.8.3): it changes with the length, with the
    /// modification time in nanoseconds and, by default, with the inode.
    fn entity_tag(&self, recipe: EtagRecipe) -> Option<HeaderValue> {
        let Self { len, modified, inode } = self;
        let UnixTime(modified) = modified.as_ref()?;
        let (seconds, nanoseconds) = (modified.as_secs(), modified.subsec_nanos());
        let mut tag = Vec::with_capacity(64);
        tag.push(b'"');
        let parts = [(*inode, b'-'), (*len, b'-'), (seconds, b'.'), (u64::from(nanoseconds), b'"')];
        let skipped = match recipe {
            EtagRecipe::WithInode => 0,
            EtagRecipe::WithoutInode => 1,
            EtagRecipe::Off => return None,
        };
        for (number, after) in parts.into_iter().skip(skipped) {
            encode::hexadecimal(&mut tag, number);
            tag.push(after);
        }
        HeaderValue::try_from(tag).ok()
    }
}

/// The properties from which the entity tag of a file is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EtagRecipe {
    /// Inode, length and modification time. The tag also changes if the file is replaced by another
    /// one with the same length and time, as reproducible builds produce.
    #[default]
    WithInode,
    /// Length and modification time. The tag is the same on several servers with copies of a file,
    /// if the copies keep the time in nanoseconds.
    WithoutInode,
    /// No entity tag. Conditional requests are compared with Last-Modified.
    Off,
}

/// The presentation of a file in a response: the arguments of `send_file` in Pants.
///
/// ```
/// use httpants_core::files::FileResponse;
///
/// let mut response = FileResponse::new("2024-07.csv");
/// response.filename = Some("Umsätze Juli.csv");
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct FileResponse<'a> {
    /// The name of the file, or a path to it. Its extension determines the type, and for `.svgz`
    /// the Content-Encoding gzip. With a precompressed sibling, it is the name of the file itself,
    /// not of the sibling.
    pub name: &'a str,
    /// The name under which the client saves the content, sent in
    /// [`Content-Disposition`](Disposition::named). Default: none, the client may show the content.
    pub filename: Option<&'a str>,
    /// The disposition of content that has a [`filename`](Self::filename). Default:
    /// [`Disposition::Attachment`].
    pub disposition: Disposition,
    /// True to determine the type from the name; otherwise it is `application/octet-stream`.
    /// Default: true.
    pub guess_mime: bool,
    /// The types by name. Default: those of [`content_type`](super::content_type).
    pub types: Option<&'a MediaTypes>,
    /// The properties from which the entity tag is made. Default: inode, length and time.
    pub etag: EtagRecipe,
    /// Fields of the application, which are sent after the others. Each replaces a default field of
    /// the same name; either of Cache-Control and Expires replaces both. Conditional requests are
    /// compared with the application's ETag and Last-Modified, and its `Accept-Ranges: none`
    /// disables ranges. Content-Length and Content-Range depend on the request and are dropped.
    /// Fields that do not describe the file or its caching are also sent with 405, 412 and 416.
    pub headers: &'a [Field],
    /// The coding that was [chosen](Coding::choose), including [`Coding::Identity`], if
    /// precompressed siblings are supported: the response then has `Vary: Accept-Encoding`.
    /// Default: none, there was no choice.
    pub coding: Option<Coding>,
}

impl<'a> FileResponse<'a> {
    /// Creates a response with the defaults, for a file with this name.
    #[must_use]
    pub fn new(name: &'a str) -> Self {
        Self {
            name,
            filename: None,
            disposition: Disposition::Attachment,
            guess_mime: true,
            types: None,
            etag: EtagRecipe::WithInode,
            headers: &[],
            coding: None,
        }
    }

    /// Returns the fields of the 200 response to a GET request, without Content-Length.
    pub(crate) fn fields(&self, metadata: &Metadata, wall: u64) -> Vec<Field> {
        let mut fields = self.presentation();
        let coding = self.coding.unwrap_or_default();
        // RFC 9110 section 8.8.2.1: not later than the response itself.
        self.add(&mut fields, LAST_MODIFIED, || Some(date::format(metadata.modified?.as_secs().min(wall))));
        self.add(&mut fields, ETAG, || metadata.entity_tag(self.etag));
        self.add(&mut fields, ACCEPT_RANGES, || Some(HeaderValue::from_static("bytes")));
        if self.coding.is_some() {
            fields.push((VARY, HeaderValue::from_static("accept-encoding")));
        }
        self.add_freshness(&mut fields, wall);
        self.add_own(&mut fields, |name| *name != CONTENT_LENGTH && *name != CONTENT_RANGE);
        for (_, tag) in fields.iter_mut().filter(|(name, _)| *name == ETAG) {
            add_coding(tag, coding);
        }
        fields
    }

    /// Returns the fields of a response whose content a proxy sends from the file; the proxy adds
    /// validators and handles ranges.
    pub(crate) fn fields_for_proxy(&self, sendfile: Field, wall: u64) -> Vec<Field> {
        let mut fields = self.presentation();
        self.add_freshness(&mut fields, wall);
        let named = sendfile.0.clone();
        self.add_own(&mut fields, |name| *name != CONTENT_LENGTH && *name != CONTENT_RANGE && *name != named);
        fields.push(sendfile);
        fields
    }

    /// Returns the fields for type, coding and attachment name.
    fn presentation(&self) -> Vec<Field> {
        let mut fields = Vec::with_capacity(10 + self.headers.len());
        let own_type = self.types.filter(|_| self.guess_mime).and_then(|types| types.overrides(self.name));
        // If the application sets the type, it also determines the coding.
        let is_guessed = self.guess_mime && own_type.is_none() && !self.has(&CONTENT_TYPE);
        let of_name = if is_guessed { content_coding(self.name) } else { None };
        self.add(&mut fields, CONTENT_TYPE, || Some(own_type.cloned().unwrap_or_else(|| self.guess())));
        // In the order in which they were applied (RFC 9110 section 8.4).
        let coding = match (of_name, self.coding.unwrap_or_default()) {
            (None, Coding::Identity) => None,
            (Some(inner), Coding::Identity) => Some(HeaderValue::from_static(inner)),
            (None, outer) => Some(HeaderValue::from_static(outer.name())),
            (Some(inner), outer) => HeaderValue::try_from(format!("{inner}, {}", outer.name())).ok(),
        };
        self.add(&mut fields, CONTENT_ENCODING, || coding);
        self.add(&mut fields, CONTENT_DISPOSITION, || self.filename.map(|name| self.disposition.named(name)));
        fields
    }

    fn guess(&self) -> HeaderValue {
        let name = if self.guess_mime { self.name } else { "" };
        self.types.map_or_else(|| content_type(name), |types| types.of(name))
    }

    /// Adds Cache-Control, and Expires for HTTP/1.0 caches. A default for one of them must not
    /// contradict the application's value of the other (RFC 9111 section 5.3).
    fn add_freshness(&self, fields: &mut Vec<Field>, wall: u64) {
        if !self.has(&CACHE_CONTROL) && !self.has(&EXPIRES) {
            fields.push((CACHE_CONTROL, MAX_AGE_DIRECTIVE));
            fields.push((EXPIRES, date::format(wall.saturating_add(MAX_AGE))));
        }
    }

    fn add(&self, fields: &mut Vec<Field>, name: HeaderName, value: impl FnOnce() -> Option<HeaderValue>) {
        if !self.has(&name)
            && let Some(value) = value()
        {
            fields.push((name, value));
        }
    }

    fn add_own(&self, fields: &mut Vec<Field>, keep: impl Fn(&HeaderName) -> bool) {
        fields.extend(self.headers.iter().filter(|(name, _)| keep(name)).cloned());
    }

    fn has(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(own, _)| own == name)
    }
}

/// Adds the coding to an entity tag: the tags of two codings of one file must differ (RFC 9110
/// section 8.8.3.3).
fn add_coding(tag: &mut HeaderValue, coding: Coding) {
    if coding != Coding::Identity
        && let [opaque @ .., b'"'] = tag.as_bytes()
        && let Ok(suffixed) = HeaderValue::try_from([opaque, b"-", coding.name().as_bytes(), b"\""].concat())
    {
        *tag = suffixed;
    }
}

impl fmt::Debug for FileResponse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileResponse")
            .field("name", &self.name)
            .field("filename", &self.filename)
            .field("disposition", &self.disposition)
            .field("guess_mime", &self.guess_mime)
            .field("types", &self.types)
            .field("etag", &self.etag)
            .field("headers", &Shown(self.headers))
            .field("coding", &self.coding)
            .finish()
    }
}

/// A wrapper whose `Debug` hides values of fields that must not be logged.
pub(crate) struct Shown<'a>(pub(crate) &'a [Field]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.0 {
            if is_credential(name.as_str()) {
                map.entry(&name.as_str(), &"***");
            } else {
                map.entry(&name.as_str(), value);
            }
        }
        map.finish()
    }
}
