//! The property of the PROXY protocol, versions 1 and 2.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use httpants_core::{Address, CloseReason, Config, Endpoints, ProtocolError, ProxyHeader, ProxyHeaderError};
use ppp::{HeaderResult, PartialResult};

use crate::shown;
use crate::split;
use crate::visit::visit;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Checks the parser of PROXY headers. The first byte chooses whether the rest is sent by a proxy
/// or describes a header; the second byte chooses the cuts.
///
/// A prefix of a header needs more bytes, and the verdict does not change once it is known. The
/// crate ppp has the same verdict, and needs more bytes as long as the core does, except for the
/// listed reasons. An encoded header is parsed to its original. On a connection, the request after
/// the header has the addresses in it, for all cuts.
///
/// # Panics
/// If the property does not hold.
pub fn check(data: &[u8]) {
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
        (0..header.len).for_each(|length| awaited_by_ppp(&bytes[..length], bytes));
    }
    on_a_connection(bytes, seed, verdict);
}

/// Checks that the verdict, once known, does not change with more bytes, and that it is known at
/// the limits.
fn prefixes(bytes: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
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
                same_as_ppp(&bytes[..length], verdict);
                known = Some(verdict);
            }
            (Some(known), later) => assert_eq!(known, later, "{length} bytes of {}", bytes.escape_ascii()),
        }
    }
    known.unwrap_or(Ok(None))
}

/// The verdict of ppp.
#[derive(Debug, PartialEq)]
enum Theirs {
    Header(Endpoints),
    NeedMore,
    Refused,
}

fn ppp(bytes: &[u8]) -> Theirs {
    let theirs = HeaderResult::parse(bytes);
    if theirs.is_incomplete() {
        return Theirs::NeedMore;
    }
    Theirs::Header(match theirs {
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
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => return Theirs::Refused,
    })
}

/// Compares with ppp, for the bytes up to the one at which the core's verdict is known.
fn same_as_ppp(read: &[u8], verdict: Result<Option<ProxyHeader>, ProxyHeaderError>) {
    match (verdict, ppp(read)) {
        (Ok(Some(header)), Theirs::Header(endpoints)) => assert_eq!(header.endpoints, endpoints),
        (Err(_), Theirs::Refused) => {}
        (Ok(_), theirs) => {
            assert!(only_we_accept(read, &theirs).is_some(), "{theirs:?} for ppp of {}", read.escape_ascii());
        }
        (Err(fault), theirs) => {
            let reason = only_we_refuse(fault, read, &theirs);
            assert!(reason.is_some(), "{fault:?}, but for ppp {theirs:?}: {}", read.escape_ascii());
        }
    }
}

/// Returns the reason why ppp does not accept a header that the core accepts.
fn only_we_accept(header: &[u8], theirs: &Theirs) -> Option<&'static str> {
    let is_unknown = header.starts_with(b"PROXY UNKNOWN");
    Some(match theirs {
        Theirs::Refused if is_unknown && std::str::from_utf8(header).is_err() => {
            "what follows on an UNKNOWN line is ignored, be it UTF-8 or not"
        }
        Theirs::NeedMore if is_unknown && spaces(header) > 5 => {
            "and be it more than two addresses and two ports, where ppp does not find the end"
        }
        Theirs::Refused if is_local(header) => "the family of a LOCAL header is ignored",
        _ => return None,
    })
}

/// Returns the reason why ppp does not refuse, or not yet, bytes that the core refuses.
fn only_we_refuse(fault: ProxyHeaderError, read: &[u8], theirs: &Theirs) -> Option<&'static str> {
    let waits = *theirs == Theirs::NeedMore;
    let is_line = read.starts_with(b"PROXY ");
    Some(match fault {
        ProxyHeaderError::Signature if waits && read == b"PROXY\r" => "for ppp a CR ends a word",
        ProxyHeaderError::LineEnd => "for ppp a CR ends a word, and an LF after a blank the line",
        ProxyHeaderError::TooLong if waits && is_line && read.len() == 107 && read.ends_with(b"\r") => {
            "ppp counts the bytes of a line that has a CR when the LF is there"
        }
        ProxyHeaderError::TooLong if waits && !is_line => "a limit of ours",
        ProxyHeaderError::Line if waits && spaces(read) < 4 => {
            "ppp awaits missing words, also after the end of the line"
        }
        ProxyHeaderError::Line if !waits && read.windows(2).any(|pair| pair == b" +") => "for ppp a port has a sign",
        ProxyHeaderError::Family if read[13] >> 4 < 4 && read[13] & 0x0f < 3 => {
            "ppp takes each family with each transport, also where there is none"
        }
        ProxyHeaderError::Addition if !waits => "ppp reads additions when they are asked for",
        _ => return None,
    })
}

/// Checks a prefix of a header that the core accepts.
fn awaited_by_ppp(prefix: &[u8], header: &[u8]) {
    let reason = match ppp(prefix) {
        Theirs::NeedMore => return,
        Theirs::Header(_) => None,
        Theirs::Refused if prefix.starts_with(b"PROXY UNKNOWN") && std::str::from_utf8(prefix).is_err() => {
            Some("bytes that are ignored are no UTF-8, or not yet")
        }
        Theirs::Refused if prefix.ends_with(b" ") && spaces(prefix) == 5 => Some("for ppp the last port is missing"),
        Theirs::Refused if is_local(prefix) => Some("the family of a LOCAL header is ignored"),
        Theirs::Refused => None,
    };
    assert!(reason.is_some(), "ppp gives {} up, of {}", prefix.escape_ascii(), header.escape_ascii());
}

fn spaces(line: &[u8]) -> usize {
    line.iter().filter(|&&byte| byte == b' ').count()
}

fn is_local(header: &[u8]) -> bool {
    header.starts_with(b"\r") && header.get(12) == Some(&0x20)
}

fn inet(source: impl Into<IpAddr>, port: u16, destination: impl Into<IpAddr>, other: u16) -> Endpoints {
    Endpoints::Inet {
        source: SocketAddr::new(source.into(), port),
        destination: SocketAddr::new(destination.into(), other),
    }
}

/// Checks that a connection removes the header, and that the request after it has the addresses in
/// the header.
fn on_a_connection(bytes: &[u8], seed: u8, verdict: Result<Option<ProxyHeader>, ProxyHeaderError>) {
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
            assert_eq!(visit.closed, Some(CloseReason::Refused(ProtocolError::ProxyHeader)));
            assert!(visit.out.is_empty() && visit.received.is_empty());
        }
        Ok(Some(header)) if header.len == length => {
            let [received] = &visit.received[..] else { panic!("{visit:?}") };
            let expected = match header.endpoints {
                Endpoints::Kept => Address::Unknown,
                Endpoints::Inet { source, .. } => source.into(),
                _ => Address::Unix,
            };
            assert_eq!(received.request.connection_info().remote_addr, expected);
        }
        // The header includes a part of the request.
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
