//! Detection of requests for HTML by Accept (RFC 9110 section 12.5.1).

use crate::Headers;
use crate::wire::grammar::{split_unquoted, trim_ows};

use super::coding::{Weight, qvalue};

/// Returns true if the request asks for HTML: its Accept contains `text/html`, or otherwise
/// `text/*`, with a weight above 0.
///
/// Returns false for `*/*` and for a request without Accept: browsers send `text/html` when they
/// navigate, and `*/*` for scripts, images and `fetch`, as curl does.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::files::accepts_html;
///
/// let browser = Headers::parse(b"Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n\r\n")?;
/// let script = Headers::parse(b"Accept: */*\r\n\r\n")?;
/// assert!(accepts_html(&browser) && !accepts_html(&script));
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
#[must_use]
pub fn accepts_html(headers: &Headers) -> bool {
    let (mut html, mut text) = (None, None);
    for (range, weight) in headers.list("accept").filter_map(weighted) {
        let most = match range {
            range if range.eq_ignore_ascii_case(b"text/html") => &mut html,
            range if range.eq_ignore_ascii_case(b"text/*") => &mut text,
            _ => continue,
        };
        // Several elements with this type may differ in their parameters.
        *most = (*most).max(Some(weight));
    }
    html.or(text) > Some(0)
}

/// Parses `media-range [ weight ]`; returns `None` if the weight is invalid.
fn weighted(element: &[u8]) -> Option<(&[u8], Weight)> {
    let mut parts = split_unquoted(element, b';').map(trim_ows);
    let range = parts.next()?;
    let weight = parts.find_map(|part| match part {
        [b'q' | b'Q', b'=', value @ ..] => Some(value),
        _ => None,
    });
    Some((range, weight.map_or(Some(1000), qvalue)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_is_accepted_only_by_name() {
        for (accept, expected) in [
            ("", false),
            ("Accept:\r\n", false),
            ("Accept: */*\r\n", false),
            ("Accept: application/json\r\n", false),
            ("Accept: application/xhtml+xml\r\n", false),
            ("Accept: text/html-sandboxed\r\n", false),
            ("Accept: text/css,*/*;q=0.1\r\n", false),
            ("Accept: \"text/html\"\r\n", false),
            ("Accept: text/html\r\n", true),
            ("Accept: TEXT/HTML\r\n", true),
            ("Accept: text/*\r\n", true),
            ("Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n", true),
            ("Accept: application/json\r\nAccept: text/html;q=0.001\r\n", true),
            ("Accept: text/html; level=1; q=0.4\r\n", true),
            ("Accept: text/html;a=\";q=0\"\r\n", true),
            ("Accept: text/html;q=0\r\n", false),
            ("Accept: text/html;Q=0.000, */*\r\n", false),
            ("Accept: text/*, text/html;q=0\r\n", false),
            ("Accept: text/*;q=0, text/html\r\n", true),
            ("Accept: text/html;q=0, text/html;level=1\r\n", true),
            ("Accept: text/html;q=2\r\n", false),
            ("Accept: text/html;q=\r\n", false),
        ] {
            let headers = Headers::parse(format!("{accept}\r\n").as_bytes()).unwrap();
            assert_eq!(accepts_html(&headers), expected, "{accept:?}");
        }
    }
}
