//! The fields of a request or response that a reverse proxy forwards.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::forwarded::Node;
use super::{AddressField, ProxyPolicy, XHeaders, entries, node};
use crate::message::headers::Headers;
use crate::message::request::RequestHead;
use crate::wire::{grammar, trailers};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// The hop-by-hop fields, besides those that Connection lists: RFC 9110 section 7.6.1, and section
/// 11.7 for the last three.
const HOP_BY_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
];

/// Removes the hop-by-hop fields, which a proxy must not forward (RFC 9110 section 7.6.1), from a
/// request or a response: those that Connection lists, and Connection, Keep-Alive,
/// Proxy-Connection, TE, Transfer-Encoding, Upgrade and HTTP2-Settings.
///
/// - Names in Connection are separated at each comma; invalid field names are skipped.
/// - Connection cannot remove fields that the recipient relies on, because a client could use it to
///   remove fields that a proxy has added: framing (Content-Length), routing and the client's
///   address (Host, Via, Forwarded, X-Forwarded-\*, X-Real-IP), credentials (Authorization, Cookie,
///   Client-Cert and similar), conditions, ranges, cache control, type and coding of the content.
///   Other fields that the recipient relies on must be set after this call.
/// - TE is removed completely: the HTTP client of the proxy sends its own `TE: trailers` if it can
///   forward trailers. Trailer stays, unless there is Content-Length, with which no trailers can
///   follow.
/// - Proxy-Authenticate, Proxy-Authorization and Proxy-Authentication-Info are removed, because a
///   reverse proxy is not the proxy that the client authenticates to.
///
/// ```
/// use http::HeaderMap;
/// use httpants_core::Headers;
/// use httpants_core::proxy::remove_hop_by_hop;
///
/// let received = Headers::parse(b"Connection: close, x-debug, Cookie\r\nX-Debug: 1\r\nCookie: a=b\r\n\r\n")?;
/// let mut fields = HeaderMap::from(&received);
/// remove_hop_by_hop(&mut fields);
/// assert_eq!(fields.keys().collect::<Vec<_>>(), ["cookie"]);
/// # Ok::<(), httpants_core::ProtocolError>(())
/// ```
pub fn remove_hop_by_hop(fields: &mut HeaderMap) {
    let named: Vec<HeaderName> = fields
        .get_all(header::CONNECTION)
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .filter_map(|option| HeaderName::from_bytes(grammar::trim_ows(option)).ok())
        .filter(|name| !is_end_to_end(name.as_str()))
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        fields.remove(name);
    }
    if fields.contains_key(header::CONTENT_LENGTH) {
        fields.remove(header::TRAILER);
    }
}

/// Returns true for fields that Connection cannot remove. Those in [`HOP_BY_HOP`] are removed
/// anyway.
fn is_end_to_end(name: &str) -> bool {
    trailers::is_forbidden(name) || is_x_forwarded(name) || matches!(name, "client-cert" | "client-cert-chain")
}

/// Returns true for X-Forwarded fields, including spellings like `X_Forwarded_For`, which CGI and
/// WSGI servers treat as the same field.
fn is_x_forwarded(name: &str) -> bool {
    const PREFIX: &[u8] = b"x-forwarded-";
    let same = |(byte, known): (u8, &u8)| if byte == b'_' { *known == b'-' } else { byte.eq_ignore_ascii_case(known) };
    name.len() >= PREFIX.len() && name.bytes().zip(PREFIX).all(same)
}

/// Appends the address of the peer to `X-Forwarded-For`, and joins its lines into one. An
/// IPv4-mapped IPv6 address is written as IPv4.
///
/// The existing value is kept, so it must come from a trusted proxy: remove the field first if it
/// may come from the client. [`ProxyPolicy::upstream_headers`] does both.
///
/// ```
/// use http::HeaderMap;
/// use httpants_core::proxy::append_forwarded_for;
///
/// let mut fields = HeaderMap::new();
/// append_forwarded_for(&mut fields, "203.0.113.9".parse()?);
/// append_forwarded_for(&mut fields, "::ffff:10.0.0.1".parse()?);
/// assert_eq!(fields["x-forwarded-for"], "203.0.113.9, 10.0.0.1");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn append_forwarded_for(fields: &mut HeaderMap, peer: IpAddr) {
    append_element(fields, X_FORWARDED_FOR, &peer.to_canonical().to_string());
}

/// Appends an element to a list field, and joins its lines into one. The element must be valid in a
/// field value.
pub(super) fn append_element(fields: &mut HeaderMap, name: HeaderName, element: &str) {
    let mut list = Vec::new();
    for line in fields.get_all(&name).iter().map(|line| grammar::trim_ows(line.as_bytes())) {
        if !line.is_empty() {
            list.extend_from_slice(line);
            list.extend_from_slice(b", ");
        }
    }
    list.extend_from_slice(element.as_bytes());
    // Valid values and a valid element, joined, are a valid value.
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        fields.insert(name, list);
    }
}

impl ProxyPolicy {
    /// Returns the fields of a request that a reverse proxy sends to its upstream server:
    ///
    /// - hop-by-hop fields are removed ([`remove_hop_by_hop`]);
    /// - `X-Forwarded-For` is the list that this policy trusts, followed by the address of the
    ///   peer. If a trusted peer writes this field, the list has the addresses from that of the
    ///   client to those of the trusted proxies; otherwise only the address of the client. A peer
    ///   on a unix socket is not added. Other entries, which the client may have sent, are dropped;
    /// - `X-Forwarded-Proto` and `X-Forwarded-Host` are those of [`client`](Self::client);
    /// - other `X-Forwarded-*` fields (also with `_` instead of `-`), `X-Real-IP` and `Forwarded`
    ///   are removed;
    /// - `Host` is that of the request's target if that has one (RFC 9112 section 3.2.2).
    ///
    /// The caller must call [`append_via`](super::append_via) with the name of the proxy. Fields
    /// about the content, such as its length and coding, stay unchanged.
    ///
    /// ```
    /// use httpants_core::proxy::ProxyPolicy;
    /// # use httpants_core::{Config, Connection, Event, Now, ConnectionInfo};
    /// # let now = Now::default();
    /// # let address = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
    /// # let peer = ConnectionInfo::new(address("203.0.113.9:5000"), address("10.0.0.9:80"));
    /// # let mut connection = Connection::new(Config::default().into(), peer, now);
    /// connection.receive(
    ///     b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: x-a\r\nX-A: 1\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
    ///     now,
    /// );
    /// # let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
    /// let fields = ProxyPolicy::default().upstream_headers(&request);
    /// assert_eq!(fields["x-forwarded-for"], "203.0.113.9");
    /// assert_eq!(fields["x-forwarded-proto"], "http");
    /// assert_eq!((&fields["x-forwarded-host"], &fields["host"], fields.len()), (&"a.example".parse()?, &"a.example".parse()?, 4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn upstream_headers(&self, request: &RequestHead) -> HeaderMap {
        let mut fields = HeaderMap::from(request.headers());
        remove_hop_by_hop(&mut fields);
        let claims: Vec<HeaderName> = fields.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
        for name in claims {
            fields.remove(name);
        }
        let client = self.client(request);
        let peer = request.connection_info().remote_addr.ip().map(|peer| peer.to_canonical());
        set(&mut fields, X_FORWARDED_FOR, &self.forwarded_for(peer, request.headers(), client.remote_ip()));
        set(&mut fields, X_FORWARDED_PROTO, client.scheme());
        set(&mut fields, X_FORWARDED_HOST, client.host());
        set(&mut fields, header::HOST, request.host());
        fields
    }

    /// Returns the trusted list of addresses, from the client to the peer.
    fn forwarded_for(&self, peer: Option<IpAddr>, headers: &Headers, client: Option<IpAddr>) -> String {
        let mut chain = self.believed_chain(peer, headers);
        if chain.last().copied() != client {
            chain.clear();
            chain.extend(client.filter(|_| client != peer));
        }
        let mut list = String::new();
        for address in chain.into_iter().rev().chain(peer) {
            let separator = if list.is_empty() { "" } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(list, "{separator}{address}");
        }
        list
    }

    /// Returns the addresses of `X-Forwarded-For` from the right: the trusted ones, and the first
    /// that is not trusted.
    fn believed_chain(&self, peer: Option<IpAddr>, headers: &Headers) -> Vec<IpAddr> {
        let trusts = |address| match &self.xheaders {
            XHeaders::TrustAll => true,
            XHeaders::Trusted(proxies) => proxies.trusts(Node::Address(address)),
            XHeaders::Off => false,
        };
        let reads = match &self.xheaders {
            XHeaders::TrustAll => true,
            XHeaders::Trusted(proxies) => proxies.address == AddressField::XForwardedFor && proxies.trusts_peer(peer),
            XHeaders::Off => false,
        };
        let mut chain = Vec::new();
        let addresses = entries(headers, "x-forwarded-for").map_while(|entry| node(entry)?.address());
        for address in addresses.take_while(|_| reads) {
            chain.push(address);
            if !trusts(address) {
                break;
            }
        }
        chain
    }
}

/// Returns true for fields in which a client may have made claims about itself.
fn is_claim(name: &str) -> bool {
    is_x_forwarded(name) || matches!(name, "forwarded" | "x-real-ip" | "x_real_ip" | "x-real_ip" | "x_real-ip")
}

/// Sets a field, or removes it if there is no value.
fn set(fields: &mut HeaderMap, name: HeaderName, value: &str) {
    match HeaderValue::from_str(value) {
        Ok(value) if !value.is_empty() => {
            fields.insert(name, value);
        }
        _ => {
            fields.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, Config, Connection, ConnectionInfo, Event, Now};

    fn remaining(section: &str) -> Vec<String> {
        let mut fields = HeaderMap::from(&Headers::parse(section.as_bytes()).unwrap());
        remove_hop_by_hop(&mut fields);
        let line = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        fields.iter().map(line).collect()
    }

    #[test]
    fn fields_that_connection_names_are_removed() {
        for connection in [
            "Connection: x-a, X-B",
            "connection: x-a\r\nCONNECTION: x-b",
            "Connection: ,, x-a ,\t,X-b,",
            "Connection: \"x, x-a, x-b",
            "Connection: x y, x-a, (c), \u{e9}, x-b:, x-b",
        ] {
            let section = format!("{connection}\r\nX-A: 1\r\nx-b: 2\r\nX-B: 3\r\nX-C: 4\r\n\r\n");
            assert_eq!(remaining(&section), ["x-c: 4"], "{connection}");
        }
        assert_eq!(remaining("Connection: \"x-a\", x-a x-a, x-a;q=1\r\nX-A: 1\r\n\r\n"), ["x-a: 1"]);
    }

    #[test]
    fn fixed_fields_are_removed_without_connection() {
        let section = "Keep-Alive: timeout=5\r\nProxy-Connection: close\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n\
            Upgrade: h2c\r\nHTTP2-Settings: x\r\nProxy-Authorization: Basic x\r\nProxy-Authenticate: Basic\r\n\
            Proxy-Authentication-Info: x\r\nTrailer: x\r\n\r\n";
        assert_eq!(remaining(section), ["trailer: x"]);
        assert_eq!(remaining("Trailer: x\r\nContent-Length: 5\r\n\r\n"), ["content-length: 5"]);
    }

    #[test]
    fn end_to_end_fields_cannot_be_removed() {
        let names = [
            "host",
            "content-length",
            "content-type",
            "content-encoding",
            "authorization",
            "cookie",
            "set-cookie",
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-port",
            "x_forwarded_for",
            "x-real-ip",
            "client-cert",
            "cache-control",
            "range",
        ];
        for name in names {
            let section = format!("Connection: {}\r\n{name}: 1\r\n\r\n", name.to_ascii_uppercase());
            assert_eq!(remaining(&section), [format!("{name}: 1")]);
        }
    }

    #[test]
    fn forwarded_for_is_appended_as_one_line() {
        let section = b"X-Forwarded-For: a, b\r\nX-Forwarded-For: \r\nx-forwarded-for: 2001:db8::1\r\n\r\n";
        let mut fields = HeaderMap::from(&Headers::parse(section).unwrap());
        append_forwarded_for(&mut fields, "::ffff:192.0.2.1".parse().unwrap());
        let lines: Vec<_> = fields.get_all("x-forwarded-for").iter().collect();
        assert_eq!(lines, ["a, b, 2001:db8::1, 192.0.2.1"]);
    }

    fn sent(policy: XHeaders, peer: &str, head: &str) -> HeaderMap {
        let info = ConnectionInfo::new(peer.parse().map_or(Address::Unix, Address::Ip), Address::default());
        let mut connection = Connection::new(Config::default().into(), info, Now::default());
        let _ = connection.receive(head.as_bytes(), Now::default());
        let Some(Event::Request(request)) = connection.poll_event() else { panic!("no request: {head}") };
        ProxyPolicy { xheaders: policy }.upstream_headers(&request)
    }

    fn forwarded_for(policy: XHeaders, peer: &str, section: &str) -> Option<String> {
        let fields = sent(policy, peer, &format!("GET / HTTP/1.1\r\nHost: a\r\n{section}\r\n"));
        assert!(fields.get_all(X_FORWARDED_FOR).iter().count() < 2);
        fields.get(X_FORWARDED_FOR).map(|list| list.to_str().unwrap().to_owned())
    }

    /// A list with the right client is not trusted if it is sent by an untrusted peer, or in a
    /// field that the proxy does not set.
    #[test]
    fn only_the_list_that_a_trusted_proxy_sets_is_passed_on() {
        let trusted = || XHeaders::trusted(["10.0.0.0/8"]).unwrap();
        let list = |client: &str| {
            format!("X-Forwarded-For: {client}, 10.0.0.2\r\nX-Real-IP: {client}\r\nForwarded: for={client}\r\n")
        };
        for (policy, peer, client, expected) in [
            (trusted(), "10.0.0.1:1", "203.0.113.9", "203.0.113.9, 10.0.0.2, 10.0.0.1"),
            (trusted(), "192.0.2.1:1", "192.0.2.1", "192.0.2.1"),
            (trusted().x_real_ip(), "10.0.0.1:1", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
            (trusted().x_real_ip(), "192.0.2.1:1", "192.0.2.1", "192.0.2.1"),
            (trusted().forwarded(), "10.0.0.1:1", "203.0.113.9", "203.0.113.9, 10.0.0.1"),
            (XHeaders::Off, "192.0.2.1:1", "192.0.2.1", "192.0.2.1"),
        ] {
            let name = format!("{policy:?} of {peer}");
            assert_eq!(forwarded_for(policy, peer, &list(client)).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn only_trusted_addresses_are_passed_on() {
        let trusted = || XHeaders::trusted(["10.0.0.0/8"]).unwrap();
        let list =
            "X-Forwarded-For: 127.0.0.1, 203.0.113.9:81\r\nX-Forwarded-For: 10.0.0.2\r\nX-Real-IP: 198.51.100.1\r\n";
        for (policy, peer, section, expected) in [
            (XHeaders::Off, "10.0.0.1:1", list, Some("10.0.0.1")),
            (trusted(), "192.0.2.1:1", list, Some("192.0.2.1")),
            (trusted(), "[::ffff:10.0.0.1]:1", list, Some("203.0.113.9, 10.0.0.2, 10.0.0.1")),
            (trusted(), "10.0.0.1:1", "", Some("10.0.0.1")),
            (trusted(), "10.0.0.1:1", "X-Forwarded-For: 203.0.113.9, unknown, 10.0.0.2\r\n", Some("10.0.0.1")),
            (trusted(), "10.0.0.1:1", "X-Forwarded-For: \"\u{e9}, 10.0.0.3\r\n", Some("10.0.0.1")),
            (trusted().x_real_ip(), "10.0.0.1:1", list, Some("198.51.100.1, 10.0.0.1")),
            (trusted().forwarded(), "10.0.0.1:1", "Forwarded: for=203.0.113.9\r\n", Some("203.0.113.9, 10.0.0.1")),
            (trusted(), "unix", list, None),
            (trusted().unix_peers(), "unix", list, Some("203.0.113.9, 10.0.0.2")),
            (
                XHeaders::TrustAll,
                "192.0.2.1:1",
                "X-Forwarded-For: 127.0.0.1, 10.0.0.2\r\n",
                Some("127.0.0.1, 10.0.0.2, 192.0.2.1"),
            ),
            (XHeaders::TrustAll, "192.0.2.1:1", list, Some("198.51.100.1, 192.0.2.1")),
        ] {
            let case = format!("{policy:?} {peer} {section}");
            assert_eq!(forwarded_for(policy, peer, section).as_deref(), expected, "{case}");
        }
    }

    #[test]
    fn forwarded_fields_of_the_client_are_replaced() {
        let head = "GET http://b.example:81/ HTTP/1.1\r\nHost: a.example\r\nConnection: close, host\r\nX-Forwarded-Proto: https\r\n\
            X-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nX_Forwarded_For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n\
            X_Real_IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\nX-Forwardedfor: kept\r\n\r\n";
        let fields = sent(XHeaders::Off, "192.0.2.1:1", head);
        let mut lines: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        lines.sort_unstable();
        let expected = [
            ("host", "b.example:81"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-host", "b.example:81"),
            ("x-forwarded-proto", "http"),
            ("x-forwardedfor", "kept"),
        ];
        assert_eq!(lines, expected);
        assert!(!sent(XHeaders::Off, "192.0.2.1:1", "GET / HTTP/1.0\r\n\r\n").contains_key("host"));
    }
}
