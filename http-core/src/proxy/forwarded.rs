//! The grammar of `Forwarded` (RFC 7239) and of the X-Forwarded lists. They are parsed from the
//! right, because the nearest proxy has written the last element.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::grammar::{is_token, split_unquoted, trim_ows};

/// A client or proxy: `node` of RFC 7239 section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// An address; IPv4-mapped IPv6 addresses are converted to IPv4.
    Address(IpAddr),
    /// `unknown`, or an identifier such as `_gateway`: a node whose address is hidden.
    Hidden,
}

impl Node {
    pub(crate) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address),
            Self::Hidden => None,
        }
    }

    /// Parses `nodename [ ":" node-port ]`. An IPv6 address without a port may also have no
    /// brackets, as in `X-Forwarded-For`.
    pub(crate) fn parse(node: &[u8]) -> Option<Self> {
        let node = core::str::from_utf8(node).ok()?;
        if let Ok(address) = node.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical()));
        }
        let (node, port) = match node.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                let address = IpAddr::V6(address.parse::<Ipv6Addr>().ok()?);
                (Self::Address(address.to_canonical()), port)
            }
            None => {
                let (name, port) = node.split_at_checked(node.find(':').unwrap_or(node.len()))?;
                (Self::name(name)?, port)
            }
        };
        is_port(port).then_some(node)
    }

    fn name(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("unknown") || is_obfuscated(name) {
            return Some(Self::Hidden);
        }
        name.parse::<Ipv4Addr>().ok().map(|address| Self::Address(IpAddr::V4(address)))
    }
}

/// Returns true for empty text, or a colon followed by 1 to 5 digits or an obfuscated port.
fn is_port(text: &str) -> bool {
    match text.strip_prefix(':') {
        Some(port) => (1..=5).contains(&port.len()) && port.bytes().all(|b| b.is_ascii_digit()) || is_obfuscated(port),
        None => text.is_empty(),
    }
}

/// Returns true for `"_" 1*( ALPHA / DIGIT / "." / "_" / "-")`, RFC 7239 section 6.3.
fn is_obfuscated(text: &str) -> bool {
    text.strip_prefix('_').is_some_and(|identifier| {
        !identifier.is_empty() && identifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    })
}

/// Removes the quotes of a quoted string. Returns `None` if they do not match, or if there is a
/// backslash, which no valid value of these fields needs.
pub(crate) fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = if let [b'"', inner @ .., b'"'] = value { inner } else { value };
    memchr::memchr2(b'"', b'\\', inner).is_none().then_some(inner)
}

/// Returns the entries of a line whose values contain no commas, from the right, without empty
/// ones. Quotes are ignored: an opening quote in the client's part must not hide the entries that
/// proxies add.
pub(crate) fn entries_from_right(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.rsplit(|&byte| byte == b',').map(trim_ows).filter(|entry| !entry.is_empty())
}

/// Returns the elements of a `Forwarded` line, from the right, without empty ones. A comma inside a
/// quoted string is not a separator. The text to the left of an element does not affect where the
/// element begins.
pub(crate) fn elements_from_right(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    core::iter::from_fn(move || {
        let line = rest?;
        let (left, element) = match last_comma(line).and_then(|at| line.split_at_checked(at)) {
            Some((left, element)) => (Some(left), element.get(1..).unwrap_or_default()),
            None => (None, line),
        };
        rest = left;
        Some(trim_ows(element))
    })
    .filter(|element| !element.is_empty())
}

/// Returns the position of the last comma outside quoted strings.
fn last_comma(line: &[u8]) -> Option<usize> {
    let mut quoted = false;
    let mut rest = line;
    while let [left @ .., byte] = rest {
        match byte {
            b',' if !quoted => return Some(left.len()),
            b'"' if !quoted => quoted = true,
            b'"' => {
                // A quote after an odd number of backslashes is escaped and inside the string.
                let backslashes = left.iter().rev().take_while(|&&byte| byte == b'\\').count();
                quoted = backslashes % 2 == 1;
            }
            _ => {}
        }
        rest = left;
    }
    None
}

/// The parsed parameters of an element of `Forwarded`; `by` and extensions are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) node: Option<&'a [u8]>,
    pub(crate) proto: Option<&'a [u8]>,
    pub(crate) host: Option<&'a [u8]>,
}

impl<'a> Element<'a> {
    /// Parses `[ forwarded-pair ] *( ";" [ forwarded-pair ] )`, RFC 7239 section 4. A value without
    /// quotes need not be a token, because many proxies send `for=192.0.2.1:80`.
    pub(crate) fn parse(element: &'a [u8]) -> Option<Self> {
        let mut parsed = Self::default();
        for pair in split_unquoted(element, b';').map(trim_ows).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_at_checked(memchr::memchr(b'=', pair)?)?;
            if !is_token(name) {
                return None;
            }
            let value = value.get(1..)?;
            let place = match name.to_ascii_lowercase().as_slice() {
                b"for" => &mut parsed.node,
                b"proto" => &mut parsed.proto,
                b"host" => &mut parsed.host,
                _ => continue,
            };
            // A parameter may occur only once; with two it is unknown which one the proxy wrote.
            if place.replace(unquoted(value)?).is_some() {
                return None;
            }
        }
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_identifiers_are_parsed() {
        let address = |text: &str| Some(Node::Address(text.parse().unwrap()));
        let table = [
            ("192.0.2.1", address("192.0.2.1")),
            ("192.0.2.1:80", address("192.0.2.1")),
            ("192.0.2.1:_p", address("192.0.2.1")),
            ("2001:db8::1", address("2001:db8::1")),
            ("[2001:db8::1]", address("2001:db8::1")),
            ("[2001:DB8::1]:4711", address("2001:db8::1")),
            ("[::ffff:192.0.2.1]:1", address("192.0.2.1")),
            ("::ffff:192.0.2.1", address("192.0.2.1")),
            ("unknown", Some(Node::Hidden)),
            ("Unknown:80", Some(Node::Hidden)),
            ("_x", Some(Node::Hidden)),
            ("_SEVKISEK.a-b_c:_port", Some(Node::Hidden)),
            ("", None),
            ("_", None),
            ("_a b", None),
            ("_a\u{e9}", None),
            ("unknownx", None),
            ("192.0.2", None),
            ("192.0.2.1.1", None),
            ("192.0.2.256", None),
            ("192.0.2.01", None),
            ("0x7f.0.0.1", None),
            ("2130706433", None),
            (" 192.0.2.1", None),
            ("192.0.2.1/8", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:-1", None),
            ("192.0.2.1:+1", None),
            ("192.0.2.1:123456", None),
            ("192.0.2.1:80:80", None),
            ("192.0.2.1:_", None),
            ("[192.0.2.1]", None),
            ("[2001:db8::1", None),
            ("2001:db8::1]", None),
            ("[2001:db8::1]80", None),
            ("[2001:db8::1]:", None),
            ("[[2001:db8::1]]", None),
            ("[]", None),
            ("[fe80::1%eth0]", None),
            ("fe80::1%eth0", None),
            ("1:2:3:4:5:6:7:8:9", None),
            ("localhost", None),
            ("example.com:80", None),
        ];
        for (text, expected) in table {
            assert_eq!(Node::parse(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(Node::parse(b"\xff"), None);
    }

    #[test]
    fn unbalanced_quotes_are_errors() {
        for (text, expected) in [
            ("a", Some("a")),
            ("\"a\"", Some("a")),
            ("\"\"", Some("")),
            ("", Some("")),
            ("\"", None),
            ("\"a", None),
            ("a\"", None),
            ("\"a\"b\"", None),
            ("\"a\\b\"", None),
        ] {
            assert_eq!(unquoted(text.as_bytes()), expected.map(str::as_bytes), "{text:?}");
        }
    }

    fn elements(line: &str) -> Vec<&str> {
        elements_from_right(line.as_bytes()).map(|element| core::str::from_utf8(element).unwrap()).collect()
    }

    #[test]
    fn elements_are_split_outside_quotes_from_the_right() {
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            (" , ,", &[]),
            ("a", &["a"]),
            ("a, b ,c", &["c", "b", "a"]),
            ("a,\"b,c\"", &["\"b,c\"", "a"]),
            ("a,x=\"b,c\";y=\"d,e\"", &["x=\"b,c\";y=\"d,e\"", "a"]),
            (r#"a,x="b,\"c,""#, &[r#"x="b,\"c,""#, "a"]),
            (r#"a,x="b,\\",c"#, &["c", r#"x="b,\\""#, "a"]),
            // A quote that a client opens does not extend into the elements that proxies add.
            ("x=\", for=1", &["for=1", "x=\""]),
            ("x=\"\\, for=1", &["for=1", "x=\"\\"]),
            ("\", for=\"[::1]\"", &["for=\"[::1]\"", "\""]),
            ("\\\", for=\"1,2\", for=3", &["for=3", "for=\"1,2\"", "\\\""]),
        ];
        for (line, expected) in table {
            assert_eq!(elements(line), *expected, "{line}");
        }
    }

    #[test]
    fn elements_are_found_in_linear_time() {
        // Each line would take minutes with quadratic time.
        for unit in ["\\", "\"", "\\\"", ",", "\",", "a=\"\\\\\",", ";"] {
            let line = unit.repeat(60_000 / unit.len());
            let total: usize = elements_from_right(line.as_bytes()).map(<[u8]>::len).sum();
            assert!(total <= line.len());
        }
    }

    #[test]
    fn parameters_of_an_element_are_parsed() {
        let bytes = |text: Option<&'static str>| text.map(str::as_bytes);
        let element = |node, proto, host| Some(Element { node: bytes(node), proto: bytes(proto), host: bytes(host) });
        let table = [
            ("for=192.0.2.1", element(Some("192.0.2.1"), None, None)),
            ("For=\"[::1]:80\";PROTO=https; host=\"a.b:80\"", element(Some("[::1]:80"), Some("https"), Some("a.b:80"))),
            ("for=192.0.2.1:80", element(Some("192.0.2.1:80"), None, None)),
            (";;by=_me;ext=\"a;for=1\";;", element(None, None, None)),
            ("for=", element(Some(""), None, None)),
            ("for", None),
            ("for =1", None),
            ("=1", None),
            ("f(r=1", None),
            ("for=1;for=1", None),
            ("for=1;FOR=2", None),
            ("proto=http;proto=https", None),
            ("host=a;host=b", None),
            ("for=\"1", None),
            ("for=\"1\"x", None),
            ("for=1;junk", None),
        ];
        for (text, expected) in table {
            assert_eq!(Element::parse(text.as_bytes()), expected, "{text}");
        }
    }
}
