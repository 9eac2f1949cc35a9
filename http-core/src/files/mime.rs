//! The media type of a file by its name.

use std::path::Path;

use http::HeaderValue;

/// Returns the `Content-Type` of a file with this name (RFC 9110 section 8.3). It is determined by
/// the extension, compared without case, with `charset=utf-8` for `text/*`. An unknown extension,
/// or none, results in `application/octet-stream`.
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
    with_charset(name, Some("utf-8"))
}

/// Returns the `Content-Type` with another charset for `text/*`, or none.
pub(crate) fn with_charset(name: &str, charset: Option<&str>) -> HeaderValue {
    const UNKNOWN: HeaderValue = HeaderValue::from_static("application/octet-stream");
    let guess = |extension| registered(extension).or_else(|| mime_guess::from_ext(extension).first_raw());
    let Some(known) = extension(name).and_then(guess) else {
        return UNKNOWN;
    };
    match charset.filter(|_| known.starts_with("text/")) {
        Some(charset) => HeaderValue::try_from([known, "; charset=", charset].concat()).unwrap_or(UNKNOWN),
        None => HeaderValue::from_static(known),
    }
}

/// Returns the registered type of an extension for which the table of mime_guess has an older type
/// or none.
fn registered(extension: &str) -> Option<&'static str> {
    /// By extension: JavaScript modules (RFC 9239), fonts (RFC 8081), YAML (RFC 9512), Zstandard
    /// (RFC 8878), HTTP Live Streaming (RFC 8216), and the registry of IANA.
    const TYPES: [(&str, &str); 17] = [
        ("mjs", "text/javascript"),
        ("cjs", "text/javascript"),
        ("m3u8", "application/vnd.apple.mpegurl"),
        ("ts", "video/mp2t"),
        ("m4s", "video/iso.segment"),
        ("m4a", "audio/mp4"),
        ("woff", "font/woff"),
        ("otf", "font/otf"),
        ("zst", "application/zstd"),
        ("usdz", "model/vnd.usdz+zip"),
        ("usda", "model/vnd.usda"),
        ("stl", "model/stl"),
        ("obj", "model/obj"),
        ("3mf", "model/3mf"),
        ("yaml", "application/yaml"),
        ("yml", "application/yaml"),
        ("toml", "application/toml"),
    ];
    TYPES.iter().find(|(known, _)| extension.eq_ignore_ascii_case(known)).map(|(_, registered)| *registered)
}

/// Returns the `Content-Encoding` that the name of a file implies: `.svgz` is SVG in gzip, and no
/// browser shows it without this field (SVG 1.1, appendix I).
pub(crate) fn content_coding(name: &str) -> Option<&'static str> {
    extension(name).filter(|extension| extension.eq_ignore_ascii_case("svgz")).map(|_| "gzip")
}

fn extension(name: &str) -> Option<&str> {
    Path::new(name).extension()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_types_replace_older_ones() {
        for (name, expected) in [
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.CJS", "text/javascript; charset=utf-8"),
            ("a.m3u8", "application/vnd.apple.mpegurl"),
            ("a.ts", "video/mp2t"),
            ("a.woff", "font/woff"),
            ("a.otf", "font/otf"),
            ("a.zst", "application/zstd"),
            ("a.tar.zst", "application/zstd"),
            ("a.usdz", "model/vnd.usdz+zip"),
            ("a.yml", "application/yaml"),
            ("a.svgz", "image/svg+xml"),
            (".mjs", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), expected, "{name}");
        }
    }

    #[test]
    fn only_svgz_implies_a_coding() {
        assert_eq!((content_coding("a.svgz"), content_coding("b/A.SVGZ")), (Some("gzip"), Some("gzip")));
        for name in ["a.svg", "a.gz", "a.svg.gz", "svgz", ".svgz", "a.svgz/b", "a.tgz", ""] {
            assert_eq!(content_coding(name), None, "{name}");
        }
    }

    #[test]
    fn media_type_is_guessed_from_the_extension() {
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
