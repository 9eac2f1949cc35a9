//! The Via field: the intermediaries through which a message was forwarded (RFC 9110 section
//! 7.6.3).

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use http::Version;
use http::header::{self, HeaderMap};

use super::upstream::append_element;
use crate::wire::grammar;

/// The name of a proxy in `Via`: its host name or a pseudonym, and a port if it has one.
///
/// RFC 9110 section 7.6.3 requires a token, optionally followed by `:` and a number, so an IPv6
/// address is not valid.
///
/// ```
/// use httpants_core::proxy::Pseudonym;
///
/// let proxy: Pseudonym = "edge-1.example:8080".parse()?;
/// assert_eq!(proxy.as_str(), "edge-1.example:8080");
/// for bad in ["", "edge 1", "edge, 1.1 other", "edge:", "edge:0", "[::1]:80"] {
///     assert!(bad.parse::<Pseudonym>().is_err());
/// }
/// # Ok::<(), httpants_core::proxy::ParsePseudonymError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pseudonym(String);

impl Pseudonym {
    /// Returns the name as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Pseudonym {
    type Err = ParsePseudonymError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        let is_port = |port: &str| grammar::decimal(port.as_bytes()).is_some_and(|port| (1..=65_535).contains(&port));
        if grammar::is_token(name.as_bytes()) && port.is_none_or(is_port) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParsePseudonymError(text.to_owned()))
        }
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The error of text that is not a valid name in `Via`. It is an error of the caller, never of the
/// peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePseudonymError(String);

impl fmt::Display for ParsePseudonymError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid name of a proxy for Via, {:?}: expected a token such as a host name, and a port if any",
            self.0
        )
    }
}

impl core::error::Error for ParsePseudonymError {}

/// Appends this proxy to `Via`, with the version in which the message was received (`1.1 edge`),
/// and joins its lines into one. The existing value is kept.
///
/// A reverse proxy must do this for each request that it forwards, so that loops can be detected,
/// and may do it for each response (RFC 9110 section 7.6.3). `received` is the version of the
/// received message, not of the one that is sent.
///
/// ```
/// use http::{HeaderMap, Version};
/// use httpants_core::proxy::{Pseudonym, append_via};
///
/// let edge: Pseudonym = "edge".parse()?;
/// let mut fields = HeaderMap::new();
/// append_via(&mut fields, Version::HTTP_2, &"cdn.example".parse()?);
/// append_via(&mut fields, Version::HTTP_11, &edge);
/// assert_eq!(fields["via"], "2.0 cdn.example, 1.1 edge");
/// # Ok::<(), httpants_core::proxy::ParsePseudonymError>(())
/// ```
pub fn append_via(fields: &mut HeaderMap, received: Version, proxy: &Pseudonym) {
    // The name of the protocol is omitted if it is HTTP.
    let version = format!("{received:?}");
    let version = version.strip_prefix("HTTP/").unwrap_or(&version);
    append_element(fields, header::VIA, &format!("{version} {proxy}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_written_unchanged() {
        for name in ["a", "proxy-1", "example.com:8080"] {
            assert_eq!(name.parse::<Pseudonym>().map(|name| name.as_str().to_owned()), Ok(name.to_owned()));
        }
    }
    use crate::message::headers::Headers;

    #[test]
    fn pseudonyms_are_tokens_with_an_optional_port() {
        for good in ["edge", "edge-1.example", "10.0.0.1", "a:1", "a:65535", "a:080", "!#$%&'*+-.^_`|~"] {
            assert_eq!(good.parse::<Pseudonym>().map(|proxy| proxy.to_string()), Ok(good.to_owned()));
        }
        for bad in [
            "",
            ":",
            ":80",
            "a:",
            "a:0",
            "a:65536",
            "a:+80",
            "a:8 ",
            "a:80:80",
            "a b",
            " a",
            "a,b",
            "a\r\nb: c",
            "a(b)",
            "[::1]",
            "::1",
            "\"a\"",
            "a/b",
            "\u{e9}",
        ] {
            assert_eq!(bad.parse::<Pseudonym>(), Err(ParsePseudonymError(bad.to_owned())));
        }
        let error = "a\r\nb".parse::<Pseudonym>().unwrap_err().to_string();
        assert!(error.contains(r#""a\r\nb": expected a token"#), "{error}");
    }

    #[test]
    fn via_is_appended_as_one_line() {
        let section = b"Via: 1.0 a (x, y), HTTP/1.1 b\r\nX: 1\r\nvia: \r\nVIA: \t2 c:80 \r\n\r\n";
        let mut fields = HeaderMap::from(&Headers::parse(section).unwrap());
        append_via(&mut fields, Version::HTTP_11, &"d".parse().unwrap());
        let lines: Vec<_> = fields.get_all("via").iter().collect();
        assert_eq!(lines, ["1.0 a (x, y), HTTP/1.1 b, 2 c:80, 1.1 d"]);
        assert_eq!(fields["x"], "1");
    }

    #[test]
    fn via_has_the_version_that_was_received() {
        for (version, expected) in [
            (Version::HTTP_09, "0.9 a"),
            (Version::HTTP_10, "1.0 a"),
            (Version::HTTP_11, "1.1 a"),
            (Version::HTTP_2, "2.0 a"),
            (Version::HTTP_3, "3.0 a"),
        ] {
            let mut fields = HeaderMap::new();
            append_via(&mut fields, version, &"a".parse().unwrap());
            assert_eq!(fields["via"], expected);
        }
    }
}
