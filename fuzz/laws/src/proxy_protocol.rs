//! The PROXY protocol, versions 1 and 2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use httpants_core::proxy::{BadProxyHeader, Endpoints, ProxyHeader};
use httpants_core::{Address, BadRequest, CloseReason, Config};
use ppp::HeaderResult;

use crate::shown;
use crate::split;
use crate::visit::visit;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The first byte chooses whether the rest is what a proxy sends or describes a header; the
/// second chooses the cuts.
///
/// A prefix of a header is the beginning of one, and its verdict stays once it is known; where
/// the crate ppp accepts a header too, it says the same; what is written is read; on a
/// connection the request behind it comes from where it says, however all of it is cut.
///
/// # Panics
/// Where this does not hold.
pub fn law(data: &[u8]) {
    let [choices, seed, rest @ ..] = data else { return };
    if choices & 1 == 0 {
        return read(rest, *seed);
    }
    let Ok(header) = Header::arbitrary(&mut Unstructured::new(rest)) else { return };
    let bytes = header.write();
    let parsed = ProxyHeader::parse(&bytes).unwrap().unwrap();
    assert_eq!((parsed.len, parsed.endpoints), (bytes.len(), header.endpoints()), "{header:?}");
    read(&bytes, *seed);
}

fn read(bytes: &[u8], seed: u8) {
    let verdict = prefixes(bytes);
    if let Ok(Some(header)) = verdict {
        same_as_ppp(bytes, &header);
    }
    on_a_connection(bytes, seed, verdict);
}

/// The verdict, once known, does not change with more bytes; it is known at the limits.
fn prefixes(bytes: &[u8]) -> Result<Option<ProxyHeader>, BadProxyHeader> {
    let mut known = None;
    for length in 0..=bytes.len().min(ProxyHeader::LIMIT + 10) {
        let verdict = ProxyHeader::parse(&bytes[..length]);
        match (&known, &verdict) {
            (None, Ok(None)) => {
                assert!(length < ProxyHeader::LIMIT);
                assert!(length < ProxyHeader::LINE_LIMIT || !bytes.starts_with(b"PROXY "));
            }
            (None, _) => {
                if let Ok(Some(header)) = verdict {
                    assert_eq!(header.len, length, "known late");
                }
                if let Err(fault) = verdict {
                    shown::display(&fault);
                }
                known = Some(verdict);
            }
            (Some(known), later) => assert_eq!(known, later, "{length} bytes of {}", bytes.escape_ascii()),
        }
    }
    known.unwrap_or(Ok(None))
}

/// What ppp reads in it.
fn same_as_ppp(bytes: &[u8], header: &ProxyHeader) {
    let theirs = match HeaderResult::parse(&bytes[..header.len]) {
        HeaderResult::V1(Ok(theirs)) => match theirs.addresses {
            ppp::v1::Addresses::Tcp4(tcp) => {
                inet(tcp.source_address, tcp.source_port, tcp.destination_address, tcp.destination_port)
            }
            ppp::v1::Addresses::Tcp6(tcp) => {
                inet(tcp.source_address, tcp.source_port, tcp.destination_address, tcp.destination_port)
            }
            ppp::v1::Addresses::Unknown => Endpoints::Kept,
        },
        HeaderResult::V2(Ok(theirs)) if theirs.command == ppp::v2::Command::Local => Endpoints::Kept,
        HeaderResult::V2(Ok(theirs)) => match theirs.addresses {
            ppp::v2::Addresses::IPv4(ip) => {
                inet(ip.source_address, ip.source_port, ip.destination_address, ip.destination_port)
            }
            ppp::v2::Addresses::IPv6(ip) => {
                inet(ip.source_address, ip.source_port, ip.destination_address, ip.destination_port)
            }
            ppp::v2::Addresses::Unix(_) => Endpoints::Unix,
            ppp::v2::Addresses::Unspecified => Endpoints::Kept,
        },
        other => {
            let reason = only_we_accept(&bytes[..header.len]);
            return assert!(reason.is_some(), "{other:?} for ppp of {}", bytes.escape_ascii());
        }
    };
    assert_eq!(header.endpoints, theirs, "{}", bytes.escape_ascii());
}

/// Why ppp refuses what we accept.
fn only_we_accept(header: &[u8]) -> Option<&'static str> {
    match header {
        [.., b'\r', b'\n'] if header.starts_with(b"PROXY UNKNOWN") => {
            Some("what follows on an UNKNOWN line is ignored, also where it is no UTF-8 or too few words")
        }
        [b'\r', ..] if header.get(12) == Some(&0x20) => Some("the family of a LOCAL header is ignored"),
        _ => None,
    }
}

fn inet(source: impl Into<IpAddr>, port: u16, destination: impl Into<IpAddr>, other: u16) -> Endpoints {
    Endpoints::Inet {
        source: SocketAddr::new(source.into(), port),
        destination: SocketAddr::new(destination.into(), other),
    }
}

/// The header is taken off, and the request behind it comes from where it says.
fn on_a_connection(bytes: &[u8], seed: u8, verdict: Result<Option<ProxyHeader>, BadProxyHeader>) {
    let mut config = Config::default();
    config.proxy_protocol = true;
    let config = Arc::new(config);
    let length = if let Ok(Some(header)) = verdict { header.len } else { bytes.len() };
    let sent = [&bytes[..length], REQUEST].concat();
    let verdict = ProxyHeader::parse(&sent);
    let visit = split::same(&sent, u64::from(seed), |cut| visit(&config, &sent, cut, true));
    match verdict {
        Ok(None) => assert_eq!(visit.closed, Some(CloseReason::Truncated)),
        Err(_) => {
            assert_eq!(visit.closed, Some(CloseReason::Refused(BadRequest::ProxyHeader)));
            assert!(visit.out.is_empty() && visit.received.is_empty());
        }
        Ok(Some(header)) if header.len == length => {
            let [received] = &visit.received[..] else { panic!("{visit:?}") };
            let expected = match header.endpoints {
                Endpoints::Kept => Address::Unknown,
                Endpoints::Inet { source, .. } => source.into(),
                _ => Address::Unix,
            };
            assert_eq!(received.request.peer().remote, expected);
            assert_eq!(received.request.remote_ip(), expected.ip());
        }
        // The header took some of the request.
        Ok(Some(_)) => {}
    }
}

/// A header that a proxy could send.
#[derive(Debug, Arbitrary)]
struct Header {
    version_2: bool,
    local: bool,
    datagram: bool,
    addresses: Addresses,
    ports: (u16, u16),
    additions: Vec<(u8, Vec<u8>)>,
}

#[derive(Debug, Arbitrary)]
enum Addresses {
    Unknown,
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
    Unix(u8),
}

impl Header {
    fn endpoints(&self) -> Endpoints {
        let (from, to) = self.ports;
        match self.addresses {
            _ if self.version_2 && self.local => Endpoints::Kept,
            Addresses::V4(source, destination) => inet(source, from, destination, to),
            Addresses::V6(source, destination) => inet(source, from, destination, to),
            Addresses::Unix(_) if self.version_2 => Endpoints::Unix,
            _ => Endpoints::Kept,
        }
    }

    fn write(&self) -> Vec<u8> {
        let (from, to) = self.ports;
        if !self.version_2 {
            return match self.addresses {
                Addresses::V4(source, destination) => format!("PROXY TCP4 {source} {destination} {from} {to}\r\n"),
                Addresses::V6(source, destination) => format!("PROXY TCP6 {source} {destination} {from} {to}\r\n"),
                _ => "PROXY UNKNOWN\r\n".into(),
            }
            .into_bytes();
        }
        let ports = [from.to_be_bytes(), to.to_be_bytes()].concat();
        let (family, mut block) = match self.addresses {
            Addresses::Unknown => (0, vec![]),
            Addresses::V4(source, destination) => {
                (0x10, [&source.octets()[..], &destination.octets(), &ports].concat())
            }
            Addresses::V6(source, destination) => {
                (0x20, [&source.octets()[..], &destination.octets(), &ports].concat())
            }
            Addresses::Unix(byte) => (0x30, vec![byte; 216]),
        };
        for (kind, value) in self.additions.iter().take(20) {
            let value = &value[..value.len().min(100)];
            block.push(*kind);
            block.extend_from_slice(&(value.len() as u16).to_be_bytes());
            block.extend_from_slice(value);
        }
        let protocol = if family == 0 { 0 } else { 1 + u8::from(self.datagram) };
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        bytes.extend([0x20 | u8::from(!self.local), family | protocol]);
        bytes.extend((block.len() as u16).to_be_bytes());
        bytes.extend(block);
        bytes
    }
}
