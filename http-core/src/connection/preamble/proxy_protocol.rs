//! The PROXY protocol, versions 1 and 2, with which a proxy names the client before the first
//! request ("The PROXY protocol", HAProxy Technologies, revision of 2020/03/05).

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

const SIGNATURE_1: &[u8] = b"PROXY ";
const SIGNATURE_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Number of bytes of a version 2 header before its addresses: the signature, version and command,
/// family, length.
const FIXED_2: usize = 16;

/// A header of the PROXY protocol, which a proxy sends once, before everything else, including TLS.
///
/// If the protocol is enabled, a connection without it is refused. Any peer can forge a header, so
/// only proxies may be able to reach such a listener.
///
/// ```
/// use httpants_core::{Endpoints, ProxyHeader, ProxyHeaderError};
///
/// let received = b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\nGET / HTTP/1.1\r\n";
/// assert_eq!(ProxyHeader::parse(&received[..30]), Ok(None)); // more bytes are needed
///
/// let header = ProxyHeader::parse(received)?.unwrap();
/// assert!(received[header.len..].starts_with(b"GET / "));
/// let Endpoints::Inet { source, .. } = header.endpoints else { panic!() };
/// assert_eq!(source, "203.0.113.9:50000".parse()?);
///
/// assert_eq!(ProxyHeader::parse(b"GET / "), Err(ProxyHeaderError::Signature));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyHeader {
    /// Length of the header in bytes; the first request, or the TLS handshake, follows.
    pub len: usize,
    /// The addresses of the proxied connection.
    pub endpoints: Endpoints,
    /// Number of bytes of TLVs at the end of the header.
    pub(super) tlvs: usize,
}

/// The addresses of both ends of a proxied connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoints {
    /// The addresses of the connection itself: the proxy made it for its own purposes (`LOCAL`,
    /// such as a health check), or does not know the addresses (`UNKNOWN`, `AF_UNSPEC`).
    Kept,
    /// The addresses in the header.
    Inet {
        /// The client's address.
        source: SocketAddr,
        /// The address that the client connected to.
        destination: SocketAddr,
    },
    /// The client connected to the proxy by a unix socket, so it has no IP address.
    Unix,
}

impl ProxyHeader {
    /// Maximum length of a version 1 header in bytes: one line of 107, CR LF included.
    pub const LINE_LIMIT: usize = 107;

    /// Maximum length of a version 2 header in bytes: 4,096. The fixed part and the addresses take
    /// at most 232; the rest is for TLVs, which may contain names from the client's TLS
    /// certificate.
    pub const LIMIT: usize = 4096;

    /// Parses a header from the first bytes of a connection. Returns `None` if more are needed.
    ///
    /// Call it again with all bytes when more have arrived. Once the result is not `None`, it is
    /// the same for any longer input.
    ///
    /// The lengths of TLVs are checked, their checksum is not verified. After `LOCAL` and
    /// `AF_UNSPEC` the rest of the header is ignored.
    ///
    /// # Errors
    /// [`ProxyHeaderError`] if the bytes are not a header. There is no response to send: close the
    /// connection.
    pub fn parse(received: &[u8]) -> Result<Option<Self>, ProxyHeaderError> {
        if let Some(rest) = received.strip_prefix(SIGNATURE_1) {
            parse_1(rest)
        } else if let Some(rest) = received.strip_prefix(SIGNATURE_2) {
            parse_2(rest)
        } else if SIGNATURE_1.starts_with(received) || SIGNATURE_2.starts_with(received) {
            Ok(None)
        } else {
            Err(ProxyHeaderError::Signature)
        }
    }
}

/// Parses the human-readable header (section 2.1) after `PROXY `.
fn parse_1(rest: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    const LIMIT: usize = ProxyHeader::LINE_LIMIT - SIGNATURE_1.len();
    let full = rest.len() >= LIMIT;
    let line = rest.get(..LIMIT).unwrap_or(rest);
    let end = memchr::memchr2(b'\r', b'\n', line).and_then(|end| line.split_at_checked(end));
    match end {
        Some((line, [b'\r', b'\n', ..])) => {
            let len = SIGNATURE_1.len() + line.len() + 2;
            Ok(Some(ProxyHeader { len, endpoints: endpoints_1(line).ok_or(ProxyHeaderError::Line)?, tlvs: 0 }))
        }
        Some((_, [b'\r'])) | None if !full => Ok(None),
        Some((_, [b'\r'])) | None => Err(ProxyHeaderError::TooLong),
        Some(_) => Err(ProxyHeaderError::LineEnd),
    }
}

fn endpoints_1(line: &[u8]) -> Option<Endpoints> {
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    match line.split_at_checked(end)? {
        // The rest of this line must be ignored.
        (b"UNKNOWN", _) => Some(Endpoints::Kept),
        (b"TCP4", [b' ', words @ ..]) => inet_1::<Ipv4Addr>(core::str::from_utf8(words).ok()?),
        (b"TCP6", [b' ', words @ ..]) => inet_1::<Ipv6Addr>(core::str::from_utf8(words).ok()?),
        _ => None,
    }
}

fn inet_1<A: FromStr + Into<IpAddr>>(words: &str) -> Option<Endpoints> {
    let mut words = words.split(' ');
    let mut address = || words.next()?.parse::<A>().ok().map(Into::into);
    let (source, destination) = (address()?, address()?);
    let (source_port, destination_port) = (port_1(words.next()?)?, port_1(words.next()?)?);
    words.next().is_none().then_some(Endpoints::Inet {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

/// Parses a decimal number without a sign or leading zeros.
fn port_1(word: &str) -> Option<u16> {
    match word.as_bytes() {
        [b'0'] => Some(0),
        [b'1'..=b'9', ..] => word.parse().ok(),
        _ => None,
    }
}

/// Parses the binary header (section 2.2) after its signature.
fn parse_2(rest: &[u8]) -> Result<Option<ProxyHeader>, ProxyHeaderError> {
    let Some((&[version_and_command, family, high, low], rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    if version_and_command >> 4 != 2 {
        return Err(ProxyHeaderError::Version);
    }
    let local = match version_and_command & 0x0f {
        0 => true,
        1 => false,
        _ => return Err(ProxyHeaderError::Command),
    };
    let size = usize::from(u16::from_be_bytes([high, low]));
    let len = FIXED_2 + size;
    if len > ProxyHeader::LIMIT {
        return Err(ProxyHeaderError::TooLong);
    }
    // The family and the rest of a LOCAL header must be ignored.
    let addresses_size = if local { 0 } else { addresses_size(family).ok_or(ProxyHeaderError::Family)? };
    if size < addresses_size {
        return Err(ProxyHeaderError::AddressLength);
    }
    let Some((addresses, additions)) = rest.get(..size).and_then(|block| block.split_at_checked(addresses_size)) else {
        return Ok(None);
    };
    let endpoints = endpoints_2(addresses);
    let tlvs = if endpoints == Endpoints::Kept { 0 } else { check_additions(additions)? };
    Ok(Some(ProxyHeader { len, endpoints, tlvs }))
}

/// Returns the length in bytes of the two addresses of a family; `None` if the combination of
/// family and transport is not specified. Datagrams are allowed: clients use them for HTTP/3.
fn addresses_size(family: u8) -> Option<usize> {
    match family {
        0x00 => Some(0),
        0x11 | 0x12 => Some(12),
        0x21 | 0x22 => Some(36),
        0x31 | 0x32 => Some(216),
        _ => None,
    }
}

/// Parses the addresses. The block of each family has a different size, which identifies the
/// family.
fn endpoints_2(addresses: &[u8]) -> Endpoints {
    if let Ok(block) = <&[u8; 12]>::try_from(addresses) {
        let &[a, b, c, d, e, f, g, h, ports @ ..] = block;
        inet_2([a, b, c, d], [e, f, g, h], ports)
    } else if let Some((source, rest)) = addresses.split_first_chunk::<16>()
        && let Some((destination, rest)) = rest.split_first_chunk::<16>()
        && let Ok(ports) = <[u8; 4]>::try_from(rest)
    {
        inet_2(*source, *destination, ports)
    } else if addresses.is_empty() {
        Endpoints::Kept
    } else {
        Endpoints::Unix
    }
}

fn inet_2(source: impl Into<IpAddr>, destination: impl Into<IpAddr>, [a, b, c, d]: [u8; 4]) -> Endpoints {
    Endpoints::Inet {
        source: SocketAddr::new(source.into(), u16::from_be_bytes([a, b])),
        destination: SocketAddr::new(destination.into(), u16::from_be_bytes([c, d])),
    }
}

/// Checks the TLVs ("additional fields" in section 2.2): a type, a length of two bytes, and that
/// many bytes, repeated to the end. Returns their total length in bytes.
fn check_additions(mut additions: &[u8]) -> Result<usize, ProxyHeaderError> {
    let count = additions.len();
    while !additions.is_empty() {
        let (&[_, high, low], rest) = additions.split_first_chunk::<3>().ok_or(ProxyHeaderError::Addition)?;
        let size = usize::from(u16::from_be_bytes([high, low]));
        additions = rest.get(size..).ok_or(ProxyHeaderError::Addition)?;
    }
    Ok(count)
}

/// The error of bytes at the start of a connection that are not a PROXY protocol header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeaderError {
    /// The bytes begin with the signature of neither version.
    Signature,
    /// Version 1: more than 107 bytes; version 2: more than 4,096.
    TooLong,
    /// Version 1: a line that does not end with CR LF.
    LineEnd,
    /// Version 1: a line with a protocol other than TCP4, TCP6 and UNKNOWN, or without exactly two
    /// addresses of that protocol and two ports, each after one space.
    Line,
    /// A version of the binary header other than 2.
    Version,
    /// Version 2: a command other than LOCAL and PROXY.
    Command,
    /// Version 2: a family and transport that are not specified.
    Family,
    /// Version 2: fewer bytes than the family's addresses take.
    AddressLength,
    /// Version 2: a TLV that extends beyond the end of the header.
    Addition,
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signature => "the connection must begin with a header of the PROXY protocol",
            Self::TooLong => {
                "a header of the PROXY protocol must not exceed 107 bytes in version 1, 4,096 in version 2"
            }
            Self::LineEnd => "a PROXY line must end with CR LF",
            Self::Line => "a PROXY line must be TCP4 or TCP6 with two addresses and two ports, or UNKNOWN",
            Self::Version => "the version of a binary PROXY header must be 2",
            Self::Command => "the command of a binary PROXY header must be LOCAL or PROXY",
            Self::Family => "the family of a binary PROXY header must be a specified one",
            Self::AddressLength => "a binary PROXY header must have room for the addresses of its family",
            Self::Addition => "the additions of a binary PROXY header must end where it ends",
        })
    }
}

impl core::error::Error for ProxyHeaderError {}

#[cfg(test)]
mod tests {
    use super::*;
    use ProxyHeaderError::{Addition, AddressLength, Command, Family, Line, LineEnd, Signature, TooLong, Version};

    type Verdict = Result<Option<ProxyHeader>, ProxyHeaderError>;

    /// Returns the verdict on the input, and asserts that every prefix needs more or gets the same.
    fn parse(input: &[u8]) -> Verdict {
        let whole = ProxyHeader::parse(input);
        for cut in 0..input.len() {
            let verdict = ProxyHeader::parse(&input[..cut]);
            assert!(verdict == Ok(None) || verdict == whole, "{} at {cut}: {verdict:?}", input.escape_ascii());
            if let Ok(Some(header)) = verdict {
                assert!(header.len <= cut);
            }
        }
        whole
    }

    fn endpoints(input: &[u8]) -> Endpoints {
        // Bytes after the header must not change the result.
        let header = parse(&[input, b"\r\n\0GET"].concat()).unwrap().unwrap();
        assert_eq!(parse(input), Ok(Some(header)));
        assert_eq!(header.len, input.len());
        header.endpoints
    }

    fn inet(source: &str, destination: &str) -> Endpoints {
        Endpoints::Inet { source: source.parse().unwrap(), destination: destination.parse().unwrap() }
    }

    fn v2(version_and_command: u8, family: u8, block: &[u8]) -> Vec<u8> {
        let size = u16::try_from(block.len()).unwrap().to_be_bytes();
        [SIGNATURE_2, &[version_and_command, family], &size, block].concat()
    }

    const INET: &[u8] = &[203, 0, 113, 9, 10, 0, 0, 1, 0xc3, 0x50, 0x01, 0xbb];

    fn inet6() -> Vec<u8> {
        let octets = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
        [&octets("2001:db8::9")[..], &octets("::1"), &[0xff, 0xff, 0, 0]].concat()
    }

    #[test]
    fn version_1_lines_are_parsed() {
        let of = |line: &str| endpoints(line.as_bytes());
        let four = inet("203.0.113.9:50000", "10.0.0.1:443");
        assert_eq!(of("PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\n"), four);
        assert_eq!(of("PROXY TCP4 255.255.255.255 0.0.0.0 65535 0\r\n"), inet("255.255.255.255:65535", "0.0.0.0:0"));
        assert_eq!(of("PROXY TCP6 2001:DB8::9 ::1 1 2\r\n"), inet("[2001:db8::9]:1", "[::1]:2"));
        assert_eq!(of("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), inet("[::ffff:192.0.2.1]:1", "[::1]:2"));
        for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN \r\n", "PROXY UNKNOWN ffff::1 x  y \0\r\n"] {
            assert_eq!(of(line), Endpoints::Kept, "{line:?}");
        }
        assert_eq!(endpoints(b"PROXY UNKNOWN \xff\r\n"), Endpoints::Kept);
        let long = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY UNKNOWN {long} {long} 65535 65535\r\n");
        assert_eq!(longest.len(), ProxyHeader::LINE_LIMIT);
        assert_eq!(of(&longest), Endpoints::Kept);
    }

    #[test]
    fn invalid_version_1_lines_are_errors() {
        for rest in [
            "",
            " ",
            "TCP4",
            "TCP5 1.1.1.1 2.2.2.2 1 2",
            "tcp4 1.1.1.1 2.2.2.2 1 2",
            "UNKNOWNX",
            "unknown",
            "UDP4 1.1.1.1 2.2.2.2 1 2",
            "TCP4 1.1.1.1 2.2.2.2 1",
            "TCP4 1.1.1.1 2.2.2.2 1 2 ",
            "TCP4 1.1.1.1 2.2.2.2 1 2 3",
            "TCP4  1.1.1.1 2.2.2.2 1 2",
            " TCP4 1.1.1.1 2.2.2.2 1 2",
            "TCP4\t1.1.1.1 2.2.2.2 1 2",
            "TCP4 1.1.1.1  2.2.2.2 1 2",
            "TCP4 1.1.1.1 2.2.2.2 1  2",
            "TCP4 ::1 ::2 1 2",
            "TCP6 1.1.1.1 2.2.2.2 1 2",
            "TCP4 1.1.1.1 ::2 1 2",
            "TCP4 01.1.1.1 2.2.2.2 1 2",
            "TCP4 1.1.1 2.2.2.2 1 2",
            "TCP4 256.1.1.1 2.2.2.2 1 2",
            "TCP4 1.1.1.1 2.2.2.2 65536 2",
            "TCP4 1.1.1.1 2.2.2.2 1 65536",
            "TCP4 1.1.1.1 2.2.2.2 01 2",
            "TCP4 1.1.1.1 2.2.2.2 00 2",
            "TCP4 1.1.1.1 2.2.2.2 +1 2",
            "TCP4 1.1.1.1 2.2.2.2 -1 2",
            "TCP4 1.1.1.1 2.2.2.2 1 x",
            "TCP4 1.1.1.1 2.2.2.2 1 2\0",
            "TCP6 [::1] [::2] 1 2",
            "TCP6 ::1%lo ::2 1 2",
            "TCP6 1:2:3:4:5:6:7:8:9 ::2 1 2",
            "TCP4 \u{e9} 2.2.2.2 1 2",
        ] {
            assert_eq!(parse(format!("PROXY {rest}\r\n").as_bytes()), Err(Line), "{rest:?}");
        }
        assert_eq!(parse(b"PROXY TCP4 \xff 2.2.2.2 1 2\r\n"), Err(Line));
        for line in
            ["PROXY UNKNOWN\n", "PROXY \n\r\n", "PROXY UNKNOWN\r \r\n", "PROXY UNKNOWN\r\r\n", "PROXY UNKNOWN a\rb\r\n"]
        {
            assert_eq!(parse(line.as_bytes()), Err(LineEnd), "{line:?}");
        }
    }

    #[test]
    fn version_1_line_is_limited_to_107_bytes() {
        let line = |n: usize, end: &str| format!("PROXY UNKNOWN {}{end}", "x".repeat(n - 14 - end.len()));
        assert_eq!(endpoints(line(107, "\r\n").as_bytes()), Endpoints::Kept);
        assert_eq!(parse(line(108, "\r\n").as_bytes()), Err(TooLong));
        assert_eq!(parse(line(106, "").as_bytes()), Ok(None));
        assert_eq!(parse(line(107, "").as_bytes()), Err(TooLong));
        assert_eq!(parse(line(106, "\r").as_bytes()), Ok(None));
        assert_eq!(parse(line(107, "\r").as_bytes()), Err(TooLong));
        assert_eq!(parse(line(107, "\n").as_bytes()), Err(LineEnd));
        assert_eq!(parse(line(5000, "").as_bytes()), Err(TooLong));
    }

    #[test]
    fn header_starts_with_one_of_the_signatures() {
        for start in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"PROXX",
            b"PROXY\t",
            b"PROXY\r\n",
            b"proxy ",
            b" PROXY ",
            b"\n",
            b"\r\n\r\nGET",
            b"\r\n\r\n\0\r\nQUIT\r",
        ] {
            assert_eq!(parse(start), Err(Signature), "{}", start.escape_ascii());
        }
        for start in [SIGNATURE_1, SIGNATURE_2] {
            assert_eq!(parse(start), Ok(None));
        }
    }

    #[test]
    fn version_2_headers_are_parsed() {
        let four = inet("203.0.113.9:50000", "10.0.0.1:443");
        let six = inet("[2001:db8::9]:65535", "[::1]:0");
        for transport in [1, 2] {
            assert_eq!(endpoints(&v2(0x21, 0x10 | transport, INET)), four);
            assert_eq!(endpoints(&v2(0x21, 0x20 | transport, &inet6())), six);
            assert_eq!(endpoints(&v2(0x21, 0x30 | transport, &[b'/'; 216])), Endpoints::Unix);
        }
        // LOCAL keeps the peer's address, whatever else the header contains; so does AF_UNSPEC.
        for family in 0..=255 {
            for block in [&b""[..], b"x", INET, &[0xff; 300]] {
                assert_eq!(endpoints(&v2(0x20, family, block)), Endpoints::Kept);
            }
        }
        assert_eq!(endpoints(&v2(0x21, 0x00, b"")), Endpoints::Kept);
        assert_eq!(endpoints(&v2(0x21, 0x00, b"anything")), Endpoints::Kept);
    }

    #[test]
    fn invalid_version_2_headers_are_errors() {
        for byte in (0..=255).filter(|byte| byte >> 4 != 2) {
            assert_eq!(parse(&v2(byte, 0x11, INET)), Err(Version));
        }
        for command in 0x22..=0x2f {
            assert_eq!(parse(&v2(command, 0x11, INET)), Err(Command));
        }
        for family in (0..=255).filter(|family| ![0, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32].contains(family)) {
            assert_eq!(parse(&v2(0x21, family, &[0; 216])), Err(Family));
        }
        for (family, least) in [(0x11, 12), (0x12, 12), (0x21, 36), (0x22, 36), (0x31, 216), (0x32, 216)] {
            for size in 0..least {
                assert_eq!(parse(&v2(0x21, family, &vec![0; size])), Err(AddressLength), "{family} {size}");
            }
            assert!(parse(&v2(0x21, family, &vec![0; least])).unwrap().is_some());
        }
    }

    #[test]
    fn tlvs_end_with_the_header() {
        let with =
            |additions: &[u8]| parse(&[&v2(0x21, 0x11, &[INET, additions].concat())[..], b"\0\0\0\0\0\0"].concat());
        for good in [&b""[..], b"\x04\0\0", b"\x04\0\x01x", b"\x01\0\x02h2\x04\0\0\xee\0\x03abc"] {
            assert!(with(good).unwrap().is_some(), "{}", good.escape_ascii());
        }
        for bad in [
            &b"\x04"[..],
            b"\x04\0",
            b"\x04\0\x01",
            b"\x04\0\x02x",
            b"\x04\xff\xffx",
            b"\x01\0\x02h2\x04",
            b"\x01\0\x02h2\x04\0\x01",
        ] {
            assert_eq!(with(bad), Err(Addition), "{}", bad.escape_ascii());
        }
        assert_eq!(parse(&v2(0x21, 0x31, &[0; 217])), Err(Addition));
        assert_eq!(parse(&v2(0x21, 0x21, &[&inet6()[..], b"x"].concat())), Err(Addition));
    }

    #[test]
    fn version_2_header_is_limited_to_4096_bytes() {
        let of_len = |len: usize| {
            let padding = len - FIXED_2 - INET.len() - 3;
            let size = u16::try_from(padding).unwrap().to_be_bytes();
            v2(0x21, 0x11, &[INET, &[4], &size, &vec![0; padding]].concat())
        };
        assert_eq!(endpoints(&of_len(4096)), inet("203.0.113.9:50000", "10.0.0.1:443"));
        assert_eq!(parse(&of_len(4097)), Err(TooLong));
        // Refused without waiting for all of its bytes.
        assert_eq!(parse(&of_len(4097)[..16]), Err(TooLong));
        assert_eq!(parse(&[SIGNATURE_2, b"\x20\0\xff\xff"].concat()), Err(TooLong));
    }

    #[test]
    fn changed_bytes_have_the_same_verdict_at_every_cut() {
        let line = b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\nGET";
        let binary = [&v2(0x21, 0x11, &[INET, b"\x04\0\x01x"].concat())[..], b"GET"].concat();
        for input in [&line[..], &binary] {
            for at in 0..input.len() {
                for byte in 0..=255 {
                    let mut changed = input.to_vec();
                    changed[at] = byte;
                    let _ = parse(&changed);
                }
            }
        }
    }
}
