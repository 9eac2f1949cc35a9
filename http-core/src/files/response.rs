//! What the application says about a file, and the fields of its plain 200 response.

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

/// One field of a response. Both types are checked when they are made, so neither can hold a
/// line end.
pub type Field = (HeaderName, HeaderValue);

/// How long a response is fresh where the application does not say, in seconds: a week.
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
    /// Its length in bytes.
    pub len: u64,
    /// When its content changed last. `None` where that is not known or before 1970; then the
    /// response has no validators.
    pub modified: Option<UnixTime>,
    /// The number of its inode, or what else tells one file from another; 0 where there is
    /// nothing.
    pub inode: u64,
}

impl Metadata {
    /// Creates the metadata; see the fields of the same names.
    #[must_use]
    pub fn new(len: u64, modified: Option<UnixTime>, inode: u64) -> Self {
        Self { len, modified, inode }
    }

    /// A strong entity tag (RFC 9110 section 8.8.3): it changes with the length, with the
    /// time of modification to the nanosecond and, by default, with the file in its place.
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
        for (number, behind) in parts.into_iter().skip(skipped) {
            encode::hexadecimal(&mut tag, number);
            tag.push(behind);
        }
        HeaderValue::try_from(tag).ok()
    }
}

/// The recipe of a file's entity tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EtagRecipe {
    /// Inode, length and time of modification: changes also when another file with the same length
    /// and time takes its place, as those of reproducible builds have.
    #[default]
    WithInode,
    /// Length and time of modification: the same on several servers that have copies of a file, if
    /// the copies keep the time to the nanosecond.
    WithoutInode,
    /// No entity tag; conditional requests compare Last-Modified.
    Off,
}

/// The presentation of a file: the arguments of `send_file` in Pants.
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
    /// The file's name, or a path to it: its extension gives the type, and for `.svgz` the
    /// Content-Encoding gzip. With a precompressed
    /// sibling it is still the name of the file itself.
    pub name: &'a str,
    /// The name under which the client is to save the content, by
    /// [`Content-Disposition`](Disposition::named). Default: none, the client may show it.
    pub filename: Option<&'a str>,
    /// What the client does with content that has a [`filename`](Self::filename). Default: save it.
    pub disposition: Disposition,
    /// Whether the name tells the type; else it is `application/octet-stream`. Default: true.
    pub guess_mime: bool,
    /// Types by name. Default: those of [`content_type`](super::content_type).
    pub types: Option<&'a MediaTypes>,
    /// What the entity tag is made of. Default: inode, length and time.
    pub etag: EtagRecipe,
    /// Fields of the application's own, which go out after the others. Each takes the place
    /// of a field of the same name that would be there by default; either of Cache-Control
    /// and Expires takes the place of both. The application's ETag and Last-Modified are what
    /// conditional requests are compared with, and its `Accept-Ranges: none` switches ranges
    /// off. Content-Length and Content-Range depend on the request and are left out. Those that
    /// do not describe the file or its caching are also on 405, 412 and 416.
    pub headers: &'a [Field],
    /// The coding that was [chosen](Coding::choose), [`Coding::Identity`] included, where
    /// precompressed siblings are looked for: the response then says that it varies with
    /// Accept-Encoding. Default: none, there was no choice.
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

    /// The fields of the 200 response to a GET request, without Content-Length.
    pub(crate) fn fields(&self, metadata: &Metadata, wall: u64) -> Vec<Field> {
        let mut fields = self.presentation();
        let coding = self.coding.unwrap_or_default();
        // RFC 9110 section 8.8.2.1: never later than the response itself.
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

    /// The fields of a response whose content a server in front takes from the file, with the
    /// validators and the ranges being that server's.
    pub(crate) fn fields_for_front(&self, sendfile: Field, wall: u64) -> Vec<Field> {
        let mut fields = self.presentation();
        self.add_freshness(&mut fields, wall);
        let named = sendfile.0.clone();
        self.add_own(&mut fields, |name| *name != CONTENT_LENGTH && *name != CONTENT_RANGE && *name != named);
        fields.push(sendfile);
        fields
    }

    /// Type, coding and attachment name.
    fn presentation(&self) -> Vec<Field> {
        let mut fields = Vec::with_capacity(10 + self.headers.len());
        let own_type = self.types.filter(|_| self.guess_mime).and_then(|types| types.own(self.name));
        // Where the application gives the type, it says what that type is a type of.
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

    /// Expires beside Cache-Control is for caches of HTTP/1.0; a default of one must not
    /// contradict what the application says with the other (RFC 9111 section 5.3).
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

/// RFC 9110 section 8.8.3.3: the tags of two codings of one file must differ.
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

/// Shows fields without what must not be in a log.
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
