//! Encoding of the Location field.

use percent_encoding::percent_encode_byte;

/// Percent-encodes everything that is not allowed in a URI reference (RFC 3986 section 2), except
/// existing percent-encodings. The result contains no line ends, no control characters, and no
/// backslashes, which browsers treat as slashes.
pub(super) fn encode(location: &str) -> String {
    let mut encoded = String::with_capacity(location.len());
    let mut rest = location.as_bytes();
    while let [byte, following @ ..] = rest {
        let is_encoded = matches!(following, [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit());
        if is_uri_byte(*byte) || *byte == b'%' && is_encoded {
            encoded.push(char::from(*byte));
        } else {
            encoded.push_str(percent_encode_byte(*byte));
        }
        rest = following;
    }
    encoded
}

/// Returns whether the byte is unreserved or reserved (RFC 3986 sections 2.2 and 2.3).
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::encode;

    #[test]
    fn location_contains_only_uri_characters() {
        for (location, expected) in [
            ("", ""),
            ("/a/b?c=d&e=%20#f", "/a/b?c=d&e=%20#f"),
            ("https://[::1]:8080/~a;b,c!$'()*+@=", "https://[::1]:8080/~a;b,c!$'()*+@="),
            ("/two words", "/two%20words"),
            ("/\u{fc}?\u{20ac}", "/%C3%BC?%E2%82%AC"),
            ("/%c3%BC", "/%c3%BC"),
            ("/100%", "/100%25"),
            ("/%4", "/%254"),
            ("/%zz%2", "/%25zz%252"),
            ("/%%41", "/%25%41"),
            ("/a\r\nSet-Cookie: b=c", "/a%0D%0ASet-Cookie:%20b=c"),
            ("\0\t\x1f\x7f", "%00%09%1F%7F"),
            ("/\\example.com", "/%5Cexample.com"),
            ("<\"`{|}^>", "%3C%22%60%7B%7C%7D%5E%3E"),
        ] {
            assert_eq!(encode(location), expected, "{location:?}");
            assert_eq!(encode(expected), expected, "{expected:?} is kept");
        }
    }
}
