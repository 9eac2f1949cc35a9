//! The address, scheme and host of a client behind trusted proxies, from the X-Forwarded fields,
//! X-Real-IP and Forwarded; and the fields that a reverse proxy sends itself. For the PROXY
//! protocol, see [`ProxyHeader`](crate::ProxyHeader).

mod client;
mod forwarded;
mod upstream;
mod via;

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use self::forwarded::{Element, Node, elements_from_right, entries_from_right, unquoted};
use crate::message::headers::Headers;
use crate::wire::host;

pub use self::client::Client;
pub use self::upstream::{append_forwarded_for, remove_hop_by_hop};
pub use self::via::{ParsePseudonymError, Pseudonym, append_via};

/// The peers that are trusted proxies, and the fields that they write (`xheaders` in Pants).
///
/// A proxy forwards fields that it does not know, so a client can send all of these fields itself.
/// [`trusted`](Self::trusted) therefore reads only the fields that are selected: select those that
/// the proxy sets or appends to on every request.
///
/// | method | field | proxies that write it |
/// |---|---|---|
/// | `trusted(networks)` | `X-Forwarded-For`, walked from its right end | HAProxy (`option forwardfor`), AWS ALB, nginx (`$proxy_add_x_forwarded_for`), most others |
/// | [`x_real_ip`](Self::x_real_ip) | `X-Real-IP` instead | nginx (`proxy_set_header X-Real-IP $remote_addr`) |
/// | [`forwarded`](Self::forwarded) | `Forwarded` (RFC 7239) instead | HAProxy (`option forwarded`) |
/// | [`proto`](Self::proto) | `X-Forwarded-Proto`, too | AWS ALB, nginx if configured; not `option forwardfor` |
/// | [`host`](Self::host) | `X-Forwarded-Host`, too | only if configured |
///
/// ```
/// use httpants_core::proxy::XHeaders;
///
/// // X-Forwarded-For and X-Forwarded-Proto.
/// let balancers = XHeaders::trusted(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])?.proto();
/// // Only X-Real-IP, from nginx on a unix socket.
/// let nginx = XHeaders::trusted([])?.unix_peers().x_real_ip();
/// assert!(XHeaders::trusted(["10.0.0.0/33"]).is_err());
/// # Ok::<(), httpants_core::proxy::ParseNetworkError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum XHeaders {
    /// No peer is trusted: the peer is the client. The default.
    #[default]
    Off,
    /// Every peer is trusted, and the fields are read in the order of Pants: the address is that of
    /// `X-Real-IP`, otherwise the leftmost of `X-Forwarded-For`; the scheme is that of
    /// `X-Forwarded-Proto`. If none of these three is present, address and scheme are those of the
    /// leftmost element of `Forwarded`. The host is not read from any field. Any client can claim
    /// any address, even through a proxy that appends to these fields. Use this only if the server
    /// can be reached only through a proxy, and if that proxy replaces all of these fields.
    TrustAll,
    /// Peers with an address in certain networks are trusted, as set by
    /// [`trusted`](XHeaders::trusted) and the methods below.
    Trusted(TrustedProxies),
}

/// The proxies and fields of [`XHeaders::Trusted`], created by [`XHeaders::trusted`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    address: AddressField,
    proto: bool,
    host: bool,
    unix_peers: bool,
}

/// The field from which the client's address is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AddressField {
    XForwardedFor,
    XRealIp,
    Forwarded,
}

impl XHeaders {
    /// Trusts peers in these networks (`10.0.0.0/8`) and single addresses, and reads
    /// `X-Forwarded-For` from them. For a peer with an IPv4-mapped IPv6 address, the IPv4 address
    /// is compared.
    ///
    /// # Errors
    /// [`ParseNetworkError`] if one of them is neither a network nor an address.
    pub fn trusted<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, ParseNetworkError> {
        let networks: Result<_, _> =
            networks.into_iter().map(|text| network(text).ok_or_else(|| ParseNetworkError(text.to_owned()))).collect();
        let address = AddressField::XForwardedFor;
        Ok(Self::Trusted(TrustedProxies { networks: networks?, address, proto: false, host: false, unix_peers: false }))
    }

    /// Reads the address from `X-Real-IP` instead of `X-Forwarded-For`. The proxy must replace this
    /// field if the client sent it. Like the methods below, this has no effect on
    /// [`Off`](Self::Off) and [`TrustAll`](Self::TrustAll).
    #[must_use]
    pub fn x_real_ip(self) -> Self {
        self.with(|proxies| proxies.address = AddressField::XRealIp)
    }

    /// Reads the address and the scheme from `Forwarded` (RFC 7239) instead of `X-Forwarded-For`,
    /// and with [`host`](Self::host) also the host.
    #[must_use]
    pub fn forwarded(self) -> Self {
        self.with(|proxies| proxies.address = AddressField::Forwarded)
    }

    /// Reads the scheme from `X-Forwarded-Proto`.
    #[must_use]
    pub fn proto(self) -> Self {
        self.with(|proxies| proxies.proto = true)
    }

    /// Reads the host from `X-Forwarded-Host`. Use it only if the proxy sets this field:
    /// applications build links from the host, and many proxies forward the value that the client
    /// sent.
    #[must_use]
    pub fn host(self) -> Self {
        self.with(|proxies| proxies.host = true)
    }

    /// Trusts peers on unix sockets, which have no address, in addition to the networks. For a
    /// proxy on a unix socket only, no network is needed: the file mode of the socket determines
    /// who may connect.
    ///
    /// ```
    /// use httpants_core::proxy::XHeaders;
    ///
    /// // nginx: proxy_pass http://unix:/run/app.sock:/;
    /// //        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    /// //        proxy_set_header X-Forwarded-Proto $scheme;
    /// //        proxy_set_header Host $host;
    /// let nginx = XHeaders::trusted([])?.unix_peers().proto();
    /// # drop(nginx);
    /// # Ok::<(), httpants_core::proxy::ParseNetworkError>(())
    /// ```
    #[must_use]
    pub fn unix_peers(self) -> Self {
        self.with(|proxies| proxies.unix_peers = true)
    }

    fn with(mut self, change: impl FnOnce(&mut TrustedProxies)) -> Self {
        if let Self::Trusted(proxies) = &mut self {
            change(proxies);
        }
        self
    }
}

fn network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    // Mapped addresses are converted to IPv4 before the comparison, so a mapped network must be
    // converted, too.
    let mapped = |address: Ipv6Addr, prefix: u8| Ipv4Net::new(address.to_ipv4_mapped()?, prefix.checked_sub(96)?).ok();
    match network {
        IpNet::V6(v6) => Some(mapped(v6.addr(), v6.prefix_len()).map_or(network, IpNet::V4)),
        IpNet::V4(_) => Some(network),
    }
}

/// The error of text that is neither a network nor an address. It is an error of the caller, never
/// of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseNetworkError(String);

impl fmt::Display for ParseNetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a trusted proxy must be a network like 10.0.0.0/8, or one address, and `{}` is neither", self.0)
    }
}

impl core::error::Error for ParseNetworkError {}

/// The policy that determines which information of proxies about the client is trusted.
///
/// ```
/// use httpants_core::Headers;
/// use httpants_core::proxy::{ProxyPolicy, Scheme, XHeaders};
///
/// let mut policy = ProxyPolicy::default();
/// policy.xheaders = XHeaders::trusted(["10.0.0.0/8"])?.proto();
///
/// // The client claimed to be 127.0.0.1; the proxies 10.0.0.2 and 10.0.0.1 appended addresses.
/// let headers = Headers::parse(
///     b"X-Forwarded-For: 127.0.0.1, 203.0.113.9, 10.0.0.2\r\nX-Forwarded-Proto: https\r\n\r\n",
/// )?;
/// let resolved = policy.resolve(Some("10.0.0.1".parse()?), &headers);
/// assert_eq!(resolved.remote_ip, Some("203.0.113.9".parse()?));
/// assert_eq!(resolved.scheme, Some(Scheme::Https));
///
/// // The same from a peer that is not trusted.
/// let resolved = policy.resolve(Some("198.51.100.1".parse()?), &headers);
/// assert_eq!(resolved.remote_ip, Some("198.51.100.1".parse()?));
/// assert_eq!(resolved.scheme, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ProxyPolicy {
    /// The trusted proxies, and the fields that they write. Default [`XHeaders::Off`].
    pub xheaders: XHeaders,
}

/// The client of a request according to the trusted fields of its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resolved<'h> {
    /// The client's address (`remote_ip` in Pants): that of the peer, unless a trusted peer sent
    /// another one. `None` for a peer without an address. IPv4-mapped IPv6 addresses are converted
    /// to IPv4.
    pub remote_ip: Option<IpAddr>,
    /// The client's scheme (`scheme` in Pants); `None` if it is that of the connection.
    pub scheme: Option<Scheme>,
    /// The host that the client requested, with its port if any; `None` if it is that of the
    /// request.
    pub host: Option<&'h str>,
}

impl ProxyPolicy {
    /// Determines the client of a request that was received from `peer`, which is `None` for a peer
    /// on a unix socket.
    ///
    /// If the peer is not trusted, no field is read. If it is, only the selected fields are read:
    ///
    /// - `X-Forwarded-For` and `Forwarded` are walked from the right end, over all lines, past
    ///   trusted addresses. The first address that is not trusted is the client; the entries to its
    ///   left were sent by the client and are ignored. If all are trusted, the leftmost one is the
    ///   client.
    /// - If the walk reaches an entry that is not an address, the peer's address is used. The same
    ///   holds for `unknown` and identifiers such as `_gateway`, which are in no network, for more
    ///   than one `X-Real-IP`, and if the field is missing.
    /// - The scheme is that of `X-Forwarded-Proto`: `http` or `https`, and `ws` and `wss` for the
    ///   same transports. If it is a list, each proxy has appended to it as to `X-Forwarded-For`,
    ///   so the element at the same distance from the right as the end of the walk is used. A
    ///   shorter list was replaced by a proxy, and its last element, which the peer has written, is
    ///   used. `X-Forwarded-Host` is read in the same way.
    /// - Scheme and host of `Forwarded` are those of the element where the walk ended, and take
    ///   precedence over the X-Forwarded fields. An element that does not follow the grammar ends
    ///   the walk and is not used.
    ///
    /// The time is linear in the size of the head, and nothing is copied. Names must match exactly:
    /// `X_Forwarded_For` is another field.
    #[must_use]
    pub fn resolve<'h>(&self, peer: Option<IpAddr>, headers: &'h Headers) -> Resolved<'h> {
        let peer = peer.map(|address| address.to_canonical());
        let mut resolved = Resolved { remote_ip: peer, scheme: None, host: None };
        match &self.xheaders {
            XHeaders::TrustAll => read_as_pants(headers, &mut resolved),
            XHeaders::Trusted(proxies) if proxies.trusts_peer(peer) => proxies.read(headers, &mut resolved),
            XHeaders::Off | XHeaders::Trusted(_) => {}
        }
        resolved
    }
}

impl TrustedProxies {
    fn trusts_peer(&self, peer: Option<IpAddr>) -> bool {
        peer.map_or(self.unix_peers, |address| self.trusts(Node::Address(address)))
    }

    fn trusts(&self, node: Node) -> bool {
        node.address().is_some_and(|address| self.networks.iter().any(|network| network.contains(&address)))
    }

    fn read<'h>(&self, headers: &'h Headers, resolved: &mut Resolved<'h>) {
        let trusts = |node| self.trusts(node);
        let place = match self.address {
            AddressField::XForwardedFor => read_x_forwarded_for(headers, trusts, resolved),
            AddressField::XRealIp => read_x_real_ip(headers, resolved),
            AddressField::Forwarded => read_forwarded(headers, trusts, resolved),
        };
        if self.proto && resolved.scheme.is_none() {
            resolved.scheme = nth_entry(entries(headers, "x-forwarded-proto"), place).and_then(Scheme::parse);
        }
        if !self.host {
            resolved.host = None;
        } else if resolved.host.is_none() {
            resolved.host = nth_entry(entries(headers, "x-forwarded-host"), place).and_then(host);
        }
    }
}

/// Reads the fields in the order of Pants, see [`XHeaders::TrustAll`].
fn read_as_pants<'h>(headers: &'h Headers, resolved: &mut Resolved<'h>) {
    let named = ["x-real-ip", "x-forwarded-for", "x-forwarded-proto"].map(|name| headers.contains(name));
    if named == [false; 3] {
        read_forwarded(headers, |_| true, resolved);
        resolved.host = None;
        return;
    }
    let peer = resolved.remote_ip;
    let place = read_x_forwarded_for(headers, |_| true, resolved);
    if let [true, ..] = named {
        resolved.remote_ip = peer;
        read_x_real_ip(headers, resolved);
    }
    resolved.scheme = nth_entry(entries(headers, "x-forwarded-proto"), place).and_then(Scheme::parse);
}

/// Returns the position, from the right, where the walk ended.
fn read_x_forwarded_for(headers: &Headers, trusts: impl Fn(Node) -> bool, resolved: &mut Resolved<'_>) -> usize {
    let nodes = entries(headers, "x-forwarded-for").map(node);
    let (client, place) = walk(nodes, trusts);
    resolved.remote_ip = client.or(resolved.remote_ip);
    place
}

/// Returns the position of the peer's own entries, which are the last ones.
fn read_x_real_ip(headers: &Headers, resolved: &mut Resolved<'_>) -> usize {
    let client = single(headers.all("x-real-ip")).and_then(node).and_then(Node::address);
    resolved.remote_ip = client.or(resolved.remote_ip);
    0
}

/// Returns the position, from the right, where the walk ended.
fn read_forwarded<'h>(headers: &'h Headers, trusts: impl Fn(Node) -> bool, resolved: &mut Resolved<'h>) -> usize {
    let elements = || headers.all("forwarded").rev().flat_map(elements_from_right).map(Element::parse);
    let (client, place) = walk(elements().map(|element| Node::parse(element?.node?)), trusts);
    resolved.remote_ip = client.or(resolved.remote_ip);
    if let Some(element) = elements().nth(place).flatten() {
        resolved.scheme = element.proto.and_then(Scheme::parse);
        resolved.host = element.host.and_then(host);
    }
    place
}

/// Walks past trusted nodes. Returns the address of the node where the walk ended, if it has one,
/// and its position.
fn walk(nodes: impl Iterator<Item = Option<Node>>, trusts: impl Fn(Node) -> bool) -> (Option<IpAddr>, usize) {
    let mut end = (None, 0);
    for (place, node) in nodes.enumerate() {
        end = (node.and_then(Node::address), place);
        if !node.is_some_and(&trusts) {
            break;
        }
    }
    end
}

/// Returns the entries of a list field over all its lines, from the right.
fn entries<'h>(headers: &'h Headers, name: &'static str) -> impl Iterator<Item = &'h [u8]> {
    headers.all(name).rev().flat_map(entries_from_right)
}

fn nth_entry<'h>(mut entries: impl Iterator<Item = &'h [u8]>, place: usize) -> Option<&'h [u8]> {
    let last = entries.next()?;
    match place.checked_sub(1) {
        Some(further) => Some(entries.nth(further).unwrap_or(last)),
        None => Some(last),
    }
}

fn single<'h>(mut lines: impl Iterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    let line = lines.next()?;
    lines.next().is_none().then_some(line)
}

fn node(entry: &[u8]) -> Option<Node> {
    Node::parse(unquoted(entry)?)
}

fn host(text: &[u8]) -> Option<&str> {
    core::str::from_utf8(text).ok().filter(|text| host::names_host(text.as_bytes()))
}

/// The scheme of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `http`: plain.
    Http,
    /// `https`: over TLS.
    Https,
}

impl Scheme {
    /// Returns `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Parses a scheme, compared without case (RFC 3986 section 3.1). For a request that upgrades
    /// to WebSocket, some proxies send `ws` or `wss`, which use the same transports as `http` and
    /// `https`.
    fn parse(text: &[u8]) -> Option<Self> {
        [("http", Self::Http), ("https", Self::Https), ("ws", Self::Http), ("wss", Self::Https)]
            .into_iter()
            .find_map(|(name, scheme)| text.eq_ignore_ascii_case(name.as_bytes()).then_some(scheme))
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
