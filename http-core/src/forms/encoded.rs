//! Decoders of the notations of RFC 8187 (`name*`) and RFC 2047 (encoded words).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::wire::grammar::{is_octet, is_ows, octet};

/// Base64 with optional padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The supported charsets: UTF-8 of RFC 8187, and ISO-8859-1 of its predecessor.
#[derive(Clone, Copy)]
enum Charset {
    Utf8,
    Latin1,
}

impl Charset {
    fn of(name: &[u8]) -> Option<Self> {
        if name.eq_ignore_ascii_case(b"utf-8") {
            Some(Self::Utf8)
        } else {
            name.eq_ignore_ascii_case(b"iso-8859-1").then_some(Self::Latin1)
        }
    }

    /// Decodes bytes in this charset. Returns `None` if they are not text, or contain a NUL, which
    /// the other notations do not allow.
    fn decode(self, bytes: Vec<u8>) -> Option<String> {
        let text = match self {
            Self::Utf8 => String::from_utf8(bytes).ok()?,
            Self::Latin1 => bytes.into_iter().map(char::from).collect(),
        };
        (!text.contains('\0')).then_some(text)
    }
}

/// Decodes `charset'language'text` with percent escapes (`ext-value`, RFC 8187 section 3.2.1).
pub(super) fn extended_value(value: &[u8]) -> Option<String> {
    let mut pieces = value.splitn(3, |&byte| byte == b'\'');
    let (charset, _language, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
    Charset::of(charset)?.decode(unescape(text, b'%')?)
}

/// Returns true if a value consists of encoded words (RFC 2047 section 2), even with an unsupported
/// charset or encoding.
pub(super) fn is_encoded(value: &[u8]) -> bool {
    value.starts_with(b"=?") && words(value).all(|word| EncodedWord::parse(word).is_some())
}

/// Decodes encoded words. White space between them is not part of the text (RFC 2047 section 6.2).
/// Returns `None` if one of them cannot be decoded.
pub(super) fn decode_words(value: &[u8]) -> Option<String> {
    words(value).map(|word| EncodedWord::parse(word)?.decode()).collect()
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| is_ows(byte)).filter(|word| !word.is_empty())
}

/// An encoded word: `=?charset?encoding?text?=`.
struct EncodedWord<'a> {
    charset: &'a [u8],
    encoding: &'a [u8],
    text: &'a [u8],
}

impl<'a> EncodedWord<'a> {
    fn parse(word: &'a [u8]) -> Option<Self> {
        let mut pieces = word.strip_prefix(b"=?")?.strip_suffix(b"?=")?.split(|&byte| byte == b'?');
        let (charset, encoding, text) = (pieces.next()?, pieces.next()?, pieces.next()?);
        pieces.next().is_none().then_some(Self { charset, encoding, text })
    }

    fn decode(&self) -> Option<String> {
        let bytes = match self.encoding {
            b"B" | b"b" => BASE64.decode(self.text).ok()?,
            b"Q" | b"q" => {
                let text: Vec<u8> = self.text.iter().map(|&byte| if byte == b'_' { b' ' } else { byte }).collect();
                unescape(&text, b'=')?
            }
            _ => return None,
        };
        // A language may follow the charset (RFC 2231 section 5).
        let charset = self.charset.split(|&byte| byte == b'*').next()?;
        Charset::of(charset)?.decode(bytes)
    }
}

/// Decodes bytes that are written as two hexadecimal digits after the `escape` byte. Returns `None`
/// if it is not followed by them.
fn unescape(mut text: &[u8], escape: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    loop {
        let (byte, rest) = match text {
            [] => return Some(bytes),
            [byte, high, low, rest @ ..] if *byte == escape && is_octet(*high, *low) => (octet(*high, *low), rest),
            [byte, ..] if *byte == escape => return None,
            [byte, rest @ ..] => (*byte, rest),
        };
        bytes.push(byte);
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_values_are_decoded() {
        for (value, expected) in [
            ("utf-8''a", Some("a")),
            ("UTF-8'de-DE'%e2%82%AC%20rates", Some("€ rates")),
            ("iso-8859-1'en'%A3%20rates", Some("£ rates")),
            ("utf-8''", Some("")),
            ("utf-8''it's", Some("it's")),
            ("utf-8''a+b", Some("a+b")),
            ("utf-8''%0D%0A", Some("\r\n")),
            ("", None),
            ("a", None),
            ("utf-8'a", None),
            ("utf8''a", None),
            ("us-ascii''a", None),
            ("''a", None),
            ("utf-8''%", None),
            ("utf-8''%4", None),
            ("utf-8''%4g", None),
            ("utf-8''%e9", None),
            ("utf-8''%00", None),
            ("iso-8859-1''%00", None),
        ] {
            assert_eq!(extended_value(value.as_bytes()).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn encoded_words_are_decoded() {
        for (value, expected) in [
            ("=?utf-8?B?w6k=?=", Some("é")),
            ("=?utf-8?B?w6k?=", Some("é")),
            ("=?utf-8*en?b?w6k=?=", Some("é")),
            ("=?iso-8859-1?q?=E9_=5f_=3D?=", Some("é _ =")),
            ("=?utf-8?Q??=", Some("")),
            ("=?utf-8?Q?a?= \t=?utf-8?Q?b?=", Some("ab")),
            ("=?utf-8?Q?=C3=A9?=", Some("é")),
            ("=?utf-8?Q?=C3?=", None),
            ("=?utf-8?Q?=C?=", None),
            ("=?utf-8?Q?=00?=", None),
            ("=?utf-8?B?w?=", None),
            ("=?utf-8?B?w6k=?= =?utf-7?Q?a?=", None),
            ("=?utf-8?C?w6k=?=", None),
            ("=??Q?a?=", None),
        ] {
            assert!(is_encoded(value.as_bytes()), "{value}");
            assert_eq!(decode_words(value.as_bytes()).as_deref(), expected, "{value}");
        }
        for value in ["", "a", "=?", "?=", "=?=", "=??=", "=?a?=", "=?a?b?=", "=?a?b?c?d?=", " ", "=?utf-8?Q?a b?="] {
            assert!(!is_encoded(value.as_bytes()), "{value}");
        }
        assert!(!is_encoded(b"=?utf-8?Q?a?=.txt") && !is_encoded(b"=?utf-8?Q?a?= b"));
    }
}
