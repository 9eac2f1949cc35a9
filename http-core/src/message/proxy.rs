//! Who the client is and how it came, where proxies stand between it and this server.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use crate::message::forwarded::{Element, Node, elements_from_right, entries_from_right, unquoted};
use crate::message::headers::Headers;
use crate::wire::target;

#[cfg(test)]
mod tests;

/// Whose word about the client is taken (the seed's `xheaders`).
///
/// ```
/// use httpants_core::proxy::XHeaders;
///
/// let balancers = XHeaders::trusted(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])?;
/// assert!(XHeaders::trusted(["10.0.0.0/33"]).is_err());
/// # Ok::<(), httpants_core::proxy::BadNetwork>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum XHeaders {
    /// Nobody's: the peer is the client. The default.
    #[default]
    Off,
    /// Everybody's, as in the seed. Any client can then claim any address, so this is only for
    /// servers that nobody but a proxy can reach.
    TrustAll,
    /// That of peers with an address in one of these networks. A peer with an IPv4 address
    /// mapped into IPv6 counts by its IPv4 address.
    Trusted(Vec<IpNet>),
}

impl XHeaders {
    /// Trusts these networks (`10.0.0.0/8`) and single addresses.
    ///
    /// # Errors
    /// One of them is neither: the caller's fault.
    pub fn trusted<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNetwork> {
        networks
            .into_iter()
            .map(|text| network(text).ok_or_else(|| BadNetwork(text.to_owned())))
            .collect::<Result<_, _>>()
            .map(Self::Trusted)
    }

    fn trusts(&self, node: Node) -> bool {
        match (self, node) {
            (Self::Off, _) | (Self::Trusted(_), Node::Hidden) => false,
            (Self::TrustAll, _) => true,
            (Self::Trusted(networks), Node::Address(address)) => {
                networks.iter().any(|network| network.contains(&address))
            }
        }
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    // Addresses are compared in their own form, so a network must have it too.
    let mapped = |address: Ipv6Addr, prefix: u8| Ipv4Net::new(address.to_ipv4_mapped()?, prefix.checked_sub(96)?).ok();
    match network {
        IpNet::V6(v6) => Some(mapped(v6.addr(), v6.prefix_len()).map_or(network, IpNet::V4)),
        IpNet::V4(_) => Some(network),
    }
}

/// Text that is neither a network nor an address. It is the caller's fault, never the peer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadNetwork(String);

impl fmt::Display for BadNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a trusted proxy must be a network like 10.0.0.0/8, or one address, and `{}` is neither", self.0)
    }
}

impl std::error::Error for BadNetwork {}

/// What is believed of which proxies.
///
/// A proxy passes on what it does not know. So a client can write any of these fields that the
/// proxies neither replace nor append to, and they would be believed: switch off those.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::proxy::{ProxyPolicy, Scheme, XHeaders};
///
/// let mut policy = ProxyPolicy::default();
/// policy.xheaders = XHeaders::trusted(["10.0.0.0/8"])?;
///
/// // The client claimed to be 127.0.0.1; the proxies 10.0.0.2 and 10.0.0.1 added what they saw.
/// let headers = Headers::parse(
///     b"X-Forwarded-For: 127.0.0.1, 203.0.113.9, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\r\n",
/// )?;
/// let resolved = policy.resolve(Some("10.0.0.1".parse()?), &headers);
/// assert_eq!(resolved.remote_ip, Some("203.0.113.9".parse()?));
/// assert_eq!(resolved.scheme, Some(Scheme::Https));
///
/// // The same from a peer that nobody trusts.
/// let resolved = policy.resolve(Some("198.51.100.1".parse()?), &headers);
/// assert_eq!(resolved.remote_ip, Some("198.51.100.1".parse()?));
/// assert_eq!(resolved.scheme, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProxyPolicy {
    /// Who is trusted. Default [`XHeaders::Off`].
    pub xheaders: XHeaders,
    /// Whether peers on a unix socket, which have no address, are trusted along with the
    /// networks of [`XHeaders::Trusted`]. Default off. [`XHeaders::TrustAll`] trusts them anyway.
    pub unix_peers: bool,
    /// Whether `X-Real-IP` is read. Default on, as in the seed.
    pub x_real_ip: bool,
    /// Whether `X-Forwarded-For`, `-Proto` and `-Host` are read. Default on, as in the seed.
    pub x_forwarded: bool,
    /// Whether `Forwarded` (RFC 7239) is read. Default on.
    pub forwarded: bool,
    /// Whether a forwarded host stands in for `Host`. Default off: applications build links
    /// from it, and many proxies pass on what the client sent.
    pub forwarded_host: bool,
}

impl Default for ProxyPolicy {
    fn default() -> Self {
        Self {
            xheaders: XHeaders::Off,
            unix_peers: false,
            x_real_ip: true,
            x_forwarded: true,
            forwarded: true,
            forwarded_host: false,
        }
    }
}

/// What a request's head says about its client, as far as it is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved<'h> {
    /// The client's address (the seed's `remote_ip`): the peer's, unless a trusted peer names
    /// another one. `None` for a peer without an address. IPv4 is in its own form, also where
    /// it came mapped into IPv6.
    pub remote_ip: Option<IpAddr>,
    /// The client's scheme (the seed's `scheme`). `None`: that of the connection.
    pub scheme: Option<Scheme>,
    /// The host that the client named, with its port if any. `None`: that of the request.
    pub host: Option<&'h str>,
}

impl ProxyPolicy {
    /// Whether nobody is trusted, so that [`resolve`](Self::resolve) gives what the peer says.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.xheaders, XHeaders::Off)
    }

    /// Finds the client of a request that came from `peer`; `None` is a peer on a unix socket.
    ///
    /// From a peer that is not trusted, nothing is read. From one that is:
    ///
    /// - The address is that of `X-Real-IP`. Without that field, `X-Forwarded-For` is walked
    ///   from its right end, over all its lines, past trusted addresses; the first one
    ///   that is not trusted is the client, and what is left of it is the client's own claim
    ///   and not looked at. If all are trusted, the leftmost one is the client, so with
    ///   [`XHeaders::TrustAll`] it always is.
    /// - Where the walk meets something that is no address, the peer stands for the client. So it
    ///   does for `unknown` and identifiers like `_gateway`, who are not trusted by any network.
    ///   Several `X-Real-IP` are no address either.
    /// - The scheme is that of `X-Forwarded-Proto`, `http` or `https` and nothing else. Where it is a
    ///   list, each proxy appended to it as it did to `X-Forwarded-For`, so the element that
    ///   counts is as far from the right as the place where the walk ended. A shorter list was
    ///   replaced on the way, and its last element counts, which is the peer's own word.
    ///   `X-Forwarded-Host` is read in the same way.
    /// - `Forwarded` is read where none of these fields is there, in the same walk; scheme and
    ///   host are those of the element where it ended. An element outside its grammar ends the
    ///   walk and says nothing.
    ///
    /// The cost is linear in the size of the head, and nothing is copied. Names must be
    /// exact: `X_Forwarded_For` is another field.
    #[must_use]
    pub fn resolve<'h>(&self, peer: Option<IpAddr>, headers: &'h Headers) -> Resolved<'h> {
        let peer = peer.map(|address| address.to_canonical());
        let mut resolved = Resolved { remote_ip: peer, scheme: None, host: None };
        if !self.trusts_peer(peer) {
            return resolved;
        }
        let real_ip = self.x_real_ip && headers.contains("x-real-ip");
        if real_ip || self.x_forwarded && self.has_x_forwarded(headers) {
            self.read_x_fields(headers, &mut resolved);
        } else if self.forwarded {
            self.read_forwarded(headers, &mut resolved);
        }
        if !self.forwarded_host {
            resolved.host = None;
        }
        resolved
    }

    fn trusts_peer(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            Some(address) => self.xheaders.trusts(Node::Address(address)),
            None => match self.xheaders {
                XHeaders::Off => false,
                XHeaders::TrustAll => true,
                XHeaders::Trusted(_) => self.unix_peers,
            },
        }
    }

    fn has_x_forwarded(&self, headers: &Headers) -> bool {
        headers.contains("x-forwarded-for")
            || headers.contains("x-forwarded-proto")
            || self.forwarded_host && headers.contains("x-forwarded-host")
    }

    fn read_x_fields<'h>(&self, headers: &'h Headers, resolved: &mut Resolved<'h>) {
        let mut address = None;
        if self.x_forwarded {
            let nodes = entries(headers, "x-forwarded-for").map(node);
            let (client, place) = self.walk(nodes).unwrap_or((None, 0));
            address = client;
            resolved.scheme = at_place(entries(headers, "x-forwarded-proto"), place).and_then(Scheme::parse);
            resolved.host = at_place(entries(headers, "x-forwarded-host"), place).and_then(host);
        }
        if self.x_real_ip && headers.contains("x-real-ip") {
            address = only(headers.all("x-real-ip")).and_then(node).and_then(Node::address);
        }
        resolved.remote_ip = address.or(resolved.remote_ip);
    }

    fn read_forwarded<'h>(&self, headers: &'h Headers, resolved: &mut Resolved<'h>) {
        let elements = || headers.all("forwarded").rev().flat_map(elements_from_right).map(Element::parse);
        let nodes = elements().map(|element| Node::parse(element?.node?));
        let Some((client, place)) = self.walk(nodes) else { return };
        resolved.remote_ip = client.or(resolved.remote_ip);
        if let Some(element) = elements().nth(place).flatten() {
            resolved.scheme = element.proto.and_then(Scheme::parse);
            resolved.host = element.host.and_then(host);
        }
    }

    /// Goes past trusted nodes and returns the address of the one where it ended, if that has
    /// one, and its place. `None` where there are no nodes.
    fn walk(&self, nodes: impl Iterator<Item = Option<Node>>) -> Option<(Option<IpAddr>, usize)> {
        let mut end = None;
        for (place, node) in nodes.enumerate() {
            end = Some((node.and_then(Node::address), place));
            if !node.is_some_and(|node| self.xheaders.trusts(node)) {
                break;
            }
        }
        end
    }
}

/// The entries of a list field over all its lines, from the right.
fn entries<'h>(headers: &'h Headers, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.all(name).rev().flat_map(entries_from_right)
}

fn at_place<'h>(mut entries: impl Iterator<Item = &'h [u8]>, place: usize) -> Option<&'h [u8]> {
    let last = entries.next()?;
    match place.checked_sub(1) {
        Some(further) => Some(entries.nth(further).unwrap_or(last)),
        None => Some(last),
    }
}

fn only<'h>(mut lines: impl Iterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

fn node(entry: &[u8]) -> Option<Node> {
    Node::parse(unquoted(entry)?)
}

fn host(text: &[u8]) -> Option<&str> {
    std::str::from_utf8(text).ok().filter(|text| target::names_host(text.as_bytes()))
}

/// The two schemes that a request can come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`: plain.
    Http,
    /// `https`: over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// RFC 3986 section 3.1: schemes compare without case.
    fn parse(text: &[u8]) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
