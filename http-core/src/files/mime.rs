//! The type of a file by its name.

use http::HeaderValue;

/// The `Content-Type` of a file with this name (RFC 9110 section 8.3): by its extension,
/// without case, with `charset=utf-8` for `text/*`; `application/octet-stream` for an
/// extension that is not known and for a name without one.
///
/// ```
/// use httpants_core::files::content_type;
///
/// assert_eq!(content_type("index.html"), "text/html; charset=utf-8");
/// assert_eq!(content_type("photo.JPEG"), "image/jpeg");
/// assert_eq!(content_type("Makefile"), "application/octet-stream");
/// ```
#[must_use]
pub fn content_type(name: &str) -> HeaderValue {
    const UNKNOWN: HeaderValue = HeaderValue::from_static("application/octet-stream");
    let Some(known) = mime_guess::from_path(name).first_raw() else {
        return UNKNOWN;
    };
    if known.starts_with("text/") {
        HeaderValue::try_from(format!("{known}; charset=utf-8")).unwrap_or(UNKNOWN)
    } else {
        HeaderValue::from_static(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types() {
        for (name, expected) in [
            ("a.txt", "text/plain; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.min.HTML", "text/html; charset=utf-8"),
            ("a.json", "application/json"),
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png"),
            ("a.wasm", "application/wasm"),
            ("a.woff2", "font/woff2"),
            ("a.pdf", "application/pdf"),
            ("a.mp4", "video/mp4"),
            ("folder/a.html", "text/html; charset=utf-8"),
            ("folder.html/a", "application/octet-stream"),
            (".html", "application/octet-stream"),
            ("a.", "application/octet-stream"),
            ("", "application/octet-stream"),
            ("16k", "application/octet-stream"),
            ("a.nosuchtype", "application/octet-stream"),
            ("a.h\u{e9}", "application/octet-stream"),
            ("a.txt\r\nX: y", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name:?}");
        }
    }
}
