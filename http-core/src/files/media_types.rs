//! The media types of an application's files.

use http::HeaderValue;

use super::mime::with_charset;
use crate::Misuse;
use crate::wire::grammar::{is_token, trim_ows};

/// A mapping from file names to media types: those that the application sets, then those of
/// [`content_type`](super::content_type).
///
/// ```
/// use httpants_core::files::MediaTypes;
///
/// let types = MediaTypes::default()
///     .with("md", "text/markdown; charset=utf-8")?
///     .with("apple-app-site-association", "application/json")?;
/// assert_eq!(types.of("docs/README.MD"), "text/markdown; charset=utf-8");
/// assert_eq!(types.of("apple-app-site-association"), "application/json");
/// assert_eq!(types.of("a.txt"), "text/plain; charset=utf-8");
/// assert_eq!(types.charset(None)?.of("a.txt"), "text/plain");
/// # Ok::<(), httpants_core::Misuse>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaTypes {
    overrides: Vec<(Box<str>, HeaderValue)>,
    charset: Option<Box<str>>,
}

/// Returns a mapping without types of the application, with the charset UTF-8.
impl Default for MediaTypes {
    fn default() -> Self {
        Self { overrides: Vec::new(), charset: Some("utf-8".into()) }
    }
}

impl MediaTypes {
    /// Sets the type of files with this extension, such as `md` or `tar.gz`, or with this name,
    /// compared without case. If several match, the longest is used. The type is sent unchanged, so
    /// include the charset for text.
    ///
    /// # Errors
    /// [`Misuse::FieldValue`] if `media_type` is not a media type (RFC 9110 section 8.3.1).
    pub fn with(mut self, extension: &str, media_type: &str) -> Result<Self, Misuse> {
        let value = HeaderValue::try_from(media_type).ok().filter(|value| is_media_type(value.as_bytes()));
        let value = value.ok_or(Misuse::FieldValue)?;
        let extension = extension.strip_prefix('.').unwrap_or(extension);
        self.overrides.retain(|(known, _)| !known.eq_ignore_ascii_case(extension));
        self.overrides.push((extension.into(), value));
        Ok(self)
    }

    /// Sets the charset of the text types of [`content_type`](super::content_type); `None` omits
    /// it. Default: `utf-8`.
    ///
    /// # Errors
    /// [`Misuse::FieldValue`] if `charset` is not a token (RFC 9110 section 8.3.2).
    pub fn charset(mut self, charset: Option<&str>) -> Result<Self, Misuse> {
        if charset.is_some_and(|charset| !is_token(charset.as_bytes())) {
            return Err(Misuse::FieldValue);
        }
        self.charset = charset.map(Into::into);
        Ok(self)
    }

    /// Returns the `Content-Type` of a file with this name.
    #[must_use]
    pub fn of(&self, name: &str) -> HeaderValue {
        self.overrides(name).cloned().unwrap_or_else(|| with_charset(name, self.charset.as_deref()))
    }

    /// Returns the type that the application has set.
    pub(crate) fn overrides(&self, name: &str) -> Option<&HeaderValue> {
        let name = name.rsplit('/').next()?;
        let matching = self.overrides.iter().filter(|(extension, _)| has_extension(name, extension));
        matching.max_by_key(|(extension, _)| extension.len()).map(|(_, value)| value)
    }
}

/// Returns true if a name has this extension. A name whose only dot is at the start has none.
fn has_extension(name: &str, extension: &str) -> bool {
    let (name, extension) = (name.as_bytes(), extension.as_bytes());
    let Some((before, end)) = name.len().checked_sub(extension.len()).and_then(|at| name.split_at_checked(at)) else {
        return false;
    };
    !extension.is_empty() && end.eq_ignore_ascii_case(extension) && matches!(before, [] | [_, .., b'.'])
}

/// Returns true for `type "/" subtype parameters`. Of the parameters only the characters are
/// checked.
fn is_media_type(value: &[u8]) -> bool {
    let essence = trim_ows(value.split(|&byte| byte == b';').next().unwrap_or_default());
    let mut parts = essence.splitn(2, |&byte| byte == b'/');
    parts.next().is_some_and(is_token) && parts.next().is_some_and(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_extension_is_used() {
        let types = MediaTypes::default();
        let types = types.with("gz", "a/gz").unwrap().with(".tar.gz", "a/tar").unwrap().with("js", "a/old").unwrap();
        let types = types.with("JS", "a/js").unwrap().with("LICENSE", "text/plain").unwrap();
        for (name, expected) in [
            ("a.gz", "a/gz"),
            ("a.TAR.GZ", "a/tar"),
            ("tar.gz", "a/tar"),
            ("xtar.gz", "a/gz"),
            (".gz", "application/octet-stream"),
            ("a.js", "a/js"),
            ("folder.js/LICENSE", "text/plain"),
            ("LICENSE.html", "text/html; charset=utf-8"),
            ("a.js/b", "application/octet-stream"),
            ("a.\u{e9}js", "application/octet-stream"),
            ("", "application/octet-stream"),
        ] {
            assert_eq!(types.of(name), expected, "{name:?}");
        }
    }

    #[test]
    fn charset_is_added_only_to_known_text_types() {
        let types = MediaTypes::default().with("md", "text/markdown").unwrap().charset(Some("windows-1252")).unwrap();
        for (name, expected) in
            [("a.txt", "text/plain; charset=windows-1252"), ("a.md", "text/markdown"), ("a.json", "application/json")]
        {
            assert_eq!(types.of(name), expected);
        }
    }

    #[test]
    fn invalid_media_types_are_refused() {
        for bad in ["", "text", "text/", "/plain", "te xt/plain", "text/plain\r\nX: y", "text/\u{e9}", "; a/b"] {
            assert_eq!(MediaTypes::default().with("a", bad), Err(Misuse::FieldValue), "{bad:?}");
        }
        for bad in ["", "utf 8", "utf-8; x", "\"utf-8\""] {
            assert_eq!(MediaTypes::default().charset(Some(bad)), Err(Misuse::FieldValue), "{bad:?}");
        }
    }
}
