//! Content-Disposition, with the name under which a file is to be saved (RFC 6266).

use http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The characters that are encoded in an extended value: all except `attr-char`, RFC 8187 section
/// 3.2.1.
const VALUE_CHARS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The disposition type: save a file or show it (RFC 6266 section 4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Disposition {
    /// The client offers to save the file.
    #[default]
    Attachment,
    /// The client shows the file if it can; the name is used if the user saves it.
    Inline,
}

impl Disposition {
    /// Returns a `Content-Disposition` of this type with this filename, encoded as by
    /// [`attachment`].
    ///
    /// ```
    /// use httpants_core::files::Disposition;
    ///
    /// assert_eq!(Disposition::Inline.named("report.pdf"), r#"inline; filename="report.pdf""#);
    /// ```
    #[must_use]
    pub fn named(self, filename: &str) -> HeaderValue {
        let kind = match self {
            Self::Attachment => "attachment",
            Self::Inline => "inline",
        };
        let bare = HeaderValue::from_static(kind);
        match parameters(filename) {
            Some(parameters) => HeaderValue::try_from([kind, &parameters].concat()).unwrap_or(bare),
            None => bare,
        }
    }
}

/// Returns a `Content-Disposition` that offers the content for saving under this name
/// (`filename` in Pants).
///
/// Only the last segment of a name with `/` or `\` is sent, because recipients must not use the
/// rest (RFC 6266 section 4.3). If that is empty, `.` or `..`, the value is `attachment` alone.
/// Control characters become `_`. A name with characters outside ASCII, which cannot be sent in
/// quotes, or with `%` or `"`, which some recipients would decode, is sent twice: in `filename`,
/// with `_` in place of `%` and of the characters outside ASCII, and completely in `filename*` (RFC
/// 8187).
///
/// ```
/// use httpants_core::files::attachment;
///
/// assert_eq!(attachment("report.pdf"), r#"attachment; filename="report.pdf""#);
/// assert_eq!(attachment("naïve.txt"), r#"attachment; filename="na_ve.txt"; filename*=UTF-8''na%C3%AFve.txt"#);
/// ```
#[must_use]
pub fn attachment(filename: &str) -> HeaderValue {
    Disposition::Attachment.named(filename)
}

/// Returns the parameters `filename` and `filename*`; `None` if no name is left.
fn parameters(filename: &str) -> Option<String> {
    let name = filename.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
    if matches!(name.as_str(), "" | "." | "..") {
        return None;
    }
    let mut value = String::from("; filename=\"");
    for c in name.chars() {
        match c {
            '"' => value.push_str("\\\""),
            // Some recipients decode percent sequences here (RFC 6266 appendix D).
            '%' => value.push('_'),
            c if c.is_ascii() => value.push(c),
            _ => value.push('_'),
        }
    }
    value.push('"');
    if !name.is_ascii() || name.contains(['%', '"']) {
        value.push_str("; filename*=UTF-8''");
        value.extend(utf8_percent_encode(&name, VALUE_CHARS));
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachment_has_quoted_and_extended_filename() {
        for (name, expected) in [
            ("a.txt", r#"attachment; filename="a.txt""#),
            ("a b;c,d.txt", r#"attachment; filename="a b;c,d.txt""#),
            (r#"say "hi".txt"#, r#"attachment; filename="say \"hi\".txt"; filename*=UTF-8''say%20%22hi%22.txt"#),
            ("100%41.txt", r#"attachment; filename="100_41.txt"; filename*=UTF-8''100%2541.txt"#),
            ("€ rates", r#"attachment; filename="_ rates"; filename*=UTF-8''%E2%82%AC%20rates"#),
            ("日本.txt", r#"attachment; filename="__.txt"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.txt"#),
            ("a*'()é", r#"attachment; filename="a*'()_"; filename*=UTF-8''a%2A%27%28%29%C3%A9"#),
            ("a\r\nSet-Cookie: b=c", r#"attachment; filename="a__Set-Cookie: b=c""#),
            ("a\0\u{7f}\u{85}\tb", r#"attachment; filename="a____b""#),
            ("/etc/passwd", r#"attachment; filename="passwd""#),
            (r"..\..\boot.ini", r#"attachment; filename="boot.ini""#),
            ("", "attachment"),
            ("a/", "attachment"),
            ("..", "attachment"),
            ("a/.", "attachment"),
        ] {
            assert_eq!(attachment(name), expected, "{name:?}");
        }
    }

    #[test]
    fn inline_has_the_same_filename() {
        for (name, expected) in [
            ("a.pdf", r#"inline; filename="a.pdf""#),
            ("\u{e9}.pdf", r#"inline; filename="_.pdf"; filename*=UTF-8''%C3%A9.pdf"#),
            ("../a\r\nb", r#"inline; filename="a__b""#),
            ("..", "inline"),
        ] {
            assert_eq!(Disposition::Inline.named(name), expected, "{name:?}");
        }
    }

    /// Reads the value back as RFC 6266 section 4.1 does: `filename*` before `filename`.
    fn read(value: &str) -> String {
        let rest = value.strip_prefix("attachment; filename=\"").unwrap();
        if let Some((_, extended)) = rest.rsplit_once("; filename*=UTF-8''") {
            assert!(extended.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&+-.^_`|~%".contains(&b)));
            return percent_encoding::percent_decode_str(extended).decode_utf8().unwrap().into_owned();
        }
        rest.strip_suffix('"').unwrap().to_owned()
    }

    #[test]
    fn every_character_of_a_filename_round_trips() {
        for c in ('\0'..'\u{3000}').chain(['\u{1f600}', '\u{202e}', char::MAX]) {
            let name = format!("x{c}y");
            let expected = match c {
                '/' | '\\' => "y".to_owned(),
                c if c.is_control() => "x_y".to_owned(),
                _ => name.clone(),
            };
            let value = attachment(&name);
            assert!(value.as_bytes().iter().all(|b| (0x20..0x7f).contains(b)), "{c:?}");
            assert_eq!(read(value.to_str().unwrap()), expected, "{c:?}");
        }
    }
}
