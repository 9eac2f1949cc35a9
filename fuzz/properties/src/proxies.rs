//! The property of X-Real-IP, X-Forwarded-For, -Proto, -Host and Forwarded (RFC 7239) from trusted
//! peers.

use std::net::IpAddr;

use arbitrary::{Arbitrary, Result, Unstructured};
use http::HeaderMap;
use httpants_core::Headers;
use httpants_core::proxy::{ProxyPolicy, Resolved, Scheme, XHeaders};
use httpants_core::proxy::{append_forwarded_for, append_via, remove_hop_by_hop};

/// The trusted proxies, in cases with trusted proxies.
const TRUSTED: [&str; 3] = ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"];

/// Checks the resolved client. The data describes a policy, a peer and a chain of proxies, or ends
/// with the header fields.
///
/// Fields of a peer that is not trusted are ignored. For the fields of a trusted chain, the result
/// has the address, scheme and host that a simple walk over the chain finds, and claims of the
/// client to the left of them change nothing. For all fields, the address is the peer's or one in
/// the fields, and the host is valid.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
    let mut u = Unstructured::new(data);
    let Ok(case) = Case::arbitrary(&mut u) else { return };
    case.chain.resolves_as_a_plain_walk(&case);
    case.anything(u.take_rest());
}

#[derive(Debug, Arbitrary)]
struct Case {
    everybody: bool,
    off: bool,
    switches: [bool; 5],
    peer: Option<Hop>,
    chain: Chain,
}

/// A client or proxy in the chain.
#[derive(Clone, Debug)]
enum Hop {
    Trusted(IpAddr),
    Other(IpAddr),
    Hidden(&'static str),
    Nonsense(&'static str),
}

impl<'a> Arbitrary<'a> for Hop {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let octet: u8 = u.arbitrary()?;
        Ok(match u.int_in_range(0..=8u8)? {
            0..=2 => Self::Trusted([10, 0, 0, octet].into()),
            3 => Self::Trusted([0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(octet)].into()),
            4 | 5 => Self::Other([198, 51, 100, octet].into()),
            6 => Self::Other([0x2001, 0xdb9, 0, 0, 0, 0, 0, u16::from(octet)].into()),
            7 => Self::Hidden(["unknown", "_gateway", "Unknown", "_a.b-c"][usize::from(octet % 4)]),
            _ => {
                Self::Nonsense(["localhost", "10.0.0", "1.2.3.4.5", "[::1", "10.0.0.1:x", "_"][usize::from(octet % 6)])
            }
        })
    }
}

impl Hop {
    fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Trusted(address) | Self::Other(address) => Some(*address),
            _ => None,
        }
    }

    /// Returns the text that a proxy would write.
    fn text(&self, port: Option<u16>) -> String {
        match (self, port) {
            (Self::Trusted(IpAddr::V6(v6)) | Self::Other(IpAddr::V6(v6)), Some(port)) => format!("[{v6}]:{port}"),
            (Self::Trusted(address) | Self::Other(address), None) => address.to_string(),
            (Self::Trusted(address) | Self::Other(address), Some(port)) => format!("{address}:{port}"),
            (Self::Hidden(text) | Self::Nonsense(text), _) => (*text).to_owned(),
        }
    }
}

/// The elements that the proxies appended, beginning with that of the client.
#[derive(Debug, Arbitrary)]
struct Chain {
    forwarded: bool,
    hops: Vec<Node>,
    claim: u8,
}

#[derive(Debug, Arbitrary)]
struct Node {
    hop: Hop,
    port: Option<u16>,
    https: bool,
    new_line: bool,
}

impl Case {
    /// Returns a policy that reads the selected fields.
    fn policy(&self, [unix_peers, x_real_ip, forwarded, proto, host]: [bool; 5]) -> ProxyPolicy {
        let change = |on: bool, change: fn(XHeaders) -> XHeaders| if on { change } else { std::convert::identity };
        let mut policy = ProxyPolicy::default();
        policy.xheaders = match (self.off, self.everybody) {
            (true, _) => XHeaders::Off,
            (false, true) => XHeaders::TrustAll,
            (false, false) => XHeaders::trusted(TRUSTED).unwrap(),
        };
        for change in [
            change(unix_peers, XHeaders::unix_peers),
            change(x_real_ip, XHeaders::x_real_ip),
            change(forwarded, XHeaders::forwarded),
            change(proto, XHeaders::proto),
            change(host, XHeaders::host),
        ] {
            policy.xheaders = change(policy.xheaders);
        }
        policy
    }

    fn peer(&self) -> Option<IpAddr> {
        self.peer.as_ref().and_then(Hop::address)
    }

    fn trusts(&self, hop: &Hop) -> bool {
        !self.off && (self.everybody && !matches!(hop, Hop::Nonsense(_)) || matches!(hop, Hop::Trusted(_)))
    }

    fn trusts_peer(&self, unix_peers: bool) -> bool {
        match self.peer() {
            Some(_) => !self.off && (self.everybody || matches!(self.peer, Some(Hop::Trusted(_)))),
            None => !self.off && (self.everybody || unix_peers),
        }
    }

    /// Checks arbitrary header fields.
    fn anything(&self, section: &[u8]) {
        let policy = self.policy(self.switches);
        let [unix_peers, .., host] = self.switches;
        let Ok(headers) = Headers::parse(&[section, b"\r\n"].concat()) else { return };
        passed_on(&headers, self.peer());
        let resolved = policy.resolve(self.peer(), &headers);
        if !self.trusts_peer(unix_peers) {
            return assert_eq!((resolved.remote_ip, resolved.scheme, resolved.host), (self.peer(), None, None));
        }
        let text = String::from_utf8_lossy(section).to_ascii_lowercase();
        if resolved.remote_ip != self.peer() {
            let address = resolved.remote_ip.expect("an address stays one");
            // Compares addresses, not their text.
            let words = text.split(|c: char| !c.is_ascii_hexdigit() && c != ':' && c != '.');
            let written = words.flat_map(|word| [Some(word), word.rsplit_once(':').map(|(word, _)| word)]).flatten();
            let mut written =
                written.filter_map(|word| word.trim_start_matches(':').parse().or_else(|_| word.parse()).ok());
            assert!(
                written.any(|known: IpAddr| known.to_canonical() == address) || text.contains("::"),
                "{address} of {text:?}"
            );
        }
        if let Some(named) = resolved.host {
            assert!(host && !self.everybody && text.contains(&named.to_ascii_lowercase()));
            assert!(crate::oracle::head::is_host(named.as_bytes()) && !named.is_empty(), "{named}");
        }
        if let Some(scheme) = resolved.scheme {
            let names = if scheme == Scheme::Https { ["https", "wss"] } else { ["http", "ws"] };
            assert!(names.iter().any(|name| text.contains(name)));
        }
    }
}

impl Chain {
    fn resolves_as_a_plain_walk(&self, case: &Case) {
        let [unix_peers, ..] = case.switches;
        let policy = case.policy([unix_peers, false, self.forwarded, true, true]);
        let expected = self.walk(case, unix_peers);
        let section = self.write("");
        // It fails if there are more lines than a request can have.
        let Ok(headers) = Headers::parse(section.as_bytes()) else { return };
        let resolved = policy.resolve(case.peer(), &headers);
        assert_eq!((resolved.remote_ip, resolved.scheme, resolved.host), expected, "{section:?} from {:?}", case.peer);
        self.claims_change_nothing(case, &policy, &resolved);
    }

    /// Walks the chain from the nearest proxy, by RFC 7239 section 5.2 and the meaning of
    /// X-Forwarded-For.
    fn walk(&self, case: &Case, unix_peers: bool) -> (Option<IpAddr>, Option<Scheme>, Option<&'static str>) {
        let mut found = (case.peer(), None, None);
        if !case.trusts_peer(unix_peers) {
            return found;
        }
        for node in self.hops.iter().rev() {
            let scheme = if node.https { Scheme::Https } else { Scheme::Http };
            let address = node.hop.address().or(case.peer());
            // If every peer is trusted, no host is read.
            found = (address, Some(scheme), (!case.everybody).then(|| host(node)));
            if !case.trusts(&node.hop) {
                break;
            }
        }
        found
    }

    /// Checks that the client's claims are not read if the walk ended before them.
    fn claims_change_nothing(&self, case: &Case, policy: &ProxyPolicy, known: &Resolved<'_>) {
        if self.hops.iter().all(|node| case.trusts(&node.hop)) {
            return;
        }
        const CLAIMS: [&str; 6] = ["203.0.113.9", "10.0.0.1, 203.0.113.9", "\"", "for=\"", "x=\", for=1", ",,;\\"];
        let section = self.write(CLAIMS[usize::from(self.claim) % CLAIMS.len()]);
        let Ok(headers) = Headers::parse(section.as_bytes()) else { return };
        let resolved = policy.resolve(case.peer(), &headers);
        assert_eq!(
            (resolved.remote_ip, resolved.scheme, resolved.host),
            (known.remote_ip, known.scheme, known.host),
            "{section:?}"
        );
    }

    fn write(&self, claim: &str) -> String {
        let names: &[&str] =
            if self.forwarded { &["Forwarded"] } else { &["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"] };
        let mut section = String::new();
        for (kind, name) in names.iter().enumerate() {
            // The claim is in the field that is walked; the client cannot know the length of the
            // others.
            let mut line = if kind == 0 { claim.to_owned() } else { String::new() };
            for node in &self.hops {
                if node.new_line && !line.is_empty() {
                    section.push_str(&format!("{name}: {line}\r\n"));
                    line.clear();
                }
                if !line.is_empty() {
                    line.push_str(", ");
                }
                let scheme = match (node.https, node.new_line) {
                    (true, false) => "https",
                    (true, true) => "wss",
                    (false, false) => "HTTP",
                    (false, true) => "ws",
                };
                match (self.forwarded, kind) {
                    (true, _) => {
                        let text = node.hop.text(node.port);
                        line.push_str(&format!("for=\"{text}\";proto={scheme};host={};ext=\"a,b;c\"", host(node)));
                    }
                    (false, 0) => line.push_str(&node.hop.text(node.port)),
                    (false, 1) => line.push_str(scheme),
                    (false, _) => line.push_str(host(node)),
                }
            }
            if !line.is_empty() {
                section.push_str(&format!("{name}: {line}\r\n"));
            }
        }
        section + "\r\n"
    }
}

/// Checks the fields that a proxy forwards: no hop-by-hop fields; all others in order, except those
/// that Connection lists; and the lists of addresses and of proxies end with the peer and the
/// proxy.
fn passed_on(headers: &Headers, peer: Option<IpAddr>) {
    let mut fields = HeaderMap::from(headers);
    remove_hop_by_hop(&mut fields);
    for name in ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"] {
        assert!(!fields.contains_key(name), "{name}");
    }
    let options: Vec<u8> = headers.all("connection").collect::<Vec<_>>().join(&b',').to_ascii_lowercase();
    let options = String::from_utf8_lossy(&options);
    let named = |name: &str| options.split(',').any(|option| option.trim_matches([' ', '\t']) == name);
    for name in HeaderMap::from(headers).keys() {
        let left: Vec<_> = fields.get_all(name).iter().map(http::HeaderValue::as_bytes).collect();
        let kept = left == headers.all(name.as_str()).collect::<Vec<_>>();
        match name.as_str() {
            "host" | "content-length" | "cookie" | "authorization" | "x-forwarded-for" | "forwarded" => assert!(kept),
            _ => assert!(kept || left.is_empty()),
        }
        assert!(kept || named(name.as_str()) || is_hop_by_hop(name.as_str()), "{name} is lost");
    }
    append_via(&mut fields, http::Version::HTTP_11, &"edge:80".parse().unwrap());
    let via = fields.get_all("via").iter().collect::<Vec<_>>();
    assert!(matches!(via[..], [via] if via.as_bytes().ends_with(b"1.1 edge:80")));
    if let Some(peer) = peer {
        append_forwarded_for(&mut fields, peer);
        let list = fields.get_all("x-forwarded-for").iter().collect::<Vec<_>>();
        assert!(matches!(list[..], [list] if list.as_bytes().ends_with(peer.to_canonical().to_string().as_bytes())));
    }
}

fn is_hop_by_hop(name: &str) -> bool {
    const OTHERS: [&str; 8] = [
        "connection",
        "keep-alive",
        "te",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
        "trailer",
        "proxy-connection",
    ];
    OTHERS.contains(&name) || name.starts_with("proxy-auth")
}

fn host(node: &Node) -> &'static str {
    if node.port.is_some_and(|port| port % 2 == 0) { "a.example:80" } else { "b.example" }
}
