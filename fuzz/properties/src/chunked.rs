//! The property of chunked content: sizes, extensions, trailers (RFC 9112 section 7.1).

use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use httpants_core::{CloseReason, Config, ProtocolError};

use crate::oracle::chunked::{self, End};
use crate::split;
use crate::visit::{Visit, visit};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Checks that chunked content is decoded correctly. The first byte chooses the limits, and whether
/// the rest is the content itself or a description of well-formed content; the second byte chooses
/// the cuts.
///
/// For all cuts, the content and its end are the same as for
/// [`oracle::chunked`](crate::oracle::chunked), and httparse parses the same sizes; well-formed
/// content is decoded to its original; refused content is malformed or exceeds a limit.
///
/// # Panics
/// If the property does not hold for `data`.
pub fn check(data: &[u8]) {
    let [choices, seed, rest @ ..] = data else { return };
    if choices & 1 == 1 {
        if let Ok(body) = Body::arbitrary(&mut Unstructured::new(rest)) {
            round_trip(&body, *seed);
        }
        return;
    }
    let mut config = Config::default();
    if choices & 2 == 2 {
        config.limits.chunk_overhead = 64;
        config.limits.max_body_size = 64;
        config.limits.fields = 2;
    }
    let visit = read(config.clone(), rest, *seed);
    compare(&config, &visit, rest);
    sizes_as_httparse(rest);
}

fn read(config: Config, body: &[u8], seed: u8) -> Visit {
    let config = Arc::new(config);
    let bytes = [HEAD, body].concat();
    split::same(&bytes, u64::from(seed), |cut| visit(&config, &bytes, cut, true))
}

fn compare(config: &Config, visit: &Visit, sent: &[u8]) {
    use ProtocolError as B;
    let first = &visit.received[0];
    let oracle = chunked::read(sent);
    let limit = config.limits.chunk_overhead as u64;
    let refused = match (visit.closed, &first.end) {
        (Some(CloseReason::Refused(fault)), None) => Some(fault),
        _ => None,
    };
    match (&first.end, oracle.end) {
        (Some(trailers), End::At(length)) => {
            assert!(first.content == oracle.content, "other content");
            assert!(overhead(&oracle, sent.len() - length) <= limit);
            let sent: Vec<_> = oracle.trailers.iter().filter(|(name, _)| !is_dropped(name)).collect();
            assert!(
                trailers.iter().map(|(n, v)| (n.as_bytes(), &v[..])).eq(sent.iter().map(|(n, v)| (&n[..], &v[..])))
            );
            return;
        }
        (Some(_), end) => panic!("an end that is none: {end:?}"),
        (None, _) => assert!(oracle.content.starts_with(&first.content) || first.content.starts_with(&oracle.content)),
    }
    match (refused, oracle.end) {
        // Limits.
        (Some(B::BodyTooLarge), _) => assert!(oracle.announced > config.limits.max_body_size, "{oracle:?}"),
        (Some(B::ChunkOverhead), End::At(length)) => {
            assert!(overhead(&oracle, sent.len() - length) > limit);
        }
        // Trailers that have used up the budget are refused before their end, and so is a size
        // line; the line end after its data is counted in advance.
        (Some(B::ChunkOverhead), _) => assert!(oracle.excess + oracle.left as u64 + 2 > limit),
        (Some(B::TooManyFields | B::HeadTooLong), _) => {}
        // The invalid byte is detected before the line has ended.
        (Some(B::ChunkSize | B::ChunkExtension | B::ChunkLineEnd), End::NeedMore) => {}
        (Some(_), End::Refused) => {}
        (Some(fault), end) => panic!("{fault:?} of a body that is well-formed: {end:?}"),
        (None, End::NeedMore) => assert_eq!(visit.closed, Some(CloseReason::Truncated)),
        // The trailer section is checked when it is complete.
        (None, End::Refused) => assert_eq!(visit.closed, Some(CloseReason::Truncated)),
        (None, End::At(_)) => panic!("not read to its end: {visit:?}"),
    }
}

/// Returns the overhead of a body that has ended, with `after` bytes after it: the framing beyond
/// the free allowance, and the trailer lines without the empty line.
fn overhead(body: &chunked::Body, after: usize) -> u64 {
    body.excess + (body.left - after - 2) as u64
}

/// Returns true for fields that RFC 9110 section 6.5.1 excludes from trailers.
pub(crate) fn is_dropped(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let of_routing = name.starts_with(b"x-forwarded-") || name.starts_with(b"proxy-") || name.starts_with(b"if-");
    let name = std::str::from_utf8(&name).unwrap();
    match name {
        // Of the names with these prefixes, only these.
        _ if of_routing => [
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "proxy-connection",
            "proxy-authorization",
            "proxy-authenticate",
            "if-match",
            "if-none-match",
            "if-modified-since",
            "if-unmodified-since",
            "if-range",
        ]
        .contains(&name),
        "content-length" | "transfer-encoding" | "trailer" | "te" | "connection" | "keep-alive" | "upgrade" => true,
        "host" | "forwarded" | "x-real-ip" | "via" | "max-forwards" | "expect" | "range" => true,
        "cache-control" | "pragma" | "authorization" | "www-authenticate" | "cookie" | "set-cookie" => true,
        "content-encoding" | "content-type" | "content-range" => true,
        "age" | "date" | "expires" | "location" | "retry-after" | "vary" | "warning" => true,
        _ => false,
    }
}

/// Checks that both parse the same size, if both accept the line. Only httparse accepts sizes after
/// blanks or with more than 16 digits, and extensions of any bytes; only the core refuses LF in a
/// line.
fn sizes_as_httparse(line: &[u8]) {
    let Ok(httparse::Status::Complete((length, size))) = httparse::parse_chunk_size(line) else { return };
    let mut body = line[..length].to_vec();
    let there = size.min(100) as usize;
    body.extend(std::iter::repeat_n(b'x', there));
    let ours = chunked::read(&body);
    if ours.end != End::Refused {
        assert!(ours.content.len() == there, "{} is {size} for httparse", line[..length].escape_ascii());
    }
}

/// A well-formed body.
#[derive(Debug, Arbitrary)]
struct Body {
    chunks: Vec<Chunk>,
    last_zeros: u8,
    last_extension: Extension,
    trailers: Vec<(Name, Value)>,
    after: bool,
}

#[derive(Debug, Arbitrary)]
struct Chunk {
    content: Vec<u8>,
    zeros: u8,
    upper: bool,
    extension: Extension,
}

#[derive(Debug, Arbitrary)]
enum Extension {
    None,
    Name(Name),
    Token(Name, Name),
    Quoted(Name, Value, u8),
}

#[derive(Debug, Arbitrary)]
struct Name(u16);

#[derive(Debug, Arbitrary)]
struct Value(Vec<u8>);

impl Name {
    fn bytes(&self) -> Vec<u8> {
        const BYTES: &[u8] = b"abXY09!#$%&'*+-.^_`|~";
        let of = |number: u16| BYTES[usize::from(number) % BYTES.len()];
        vec![of(self.0), of(self.0 >> 4), of(self.0 >> 9)]
    }
}

impl Value {
    fn bytes(&self) -> Vec<u8> {
        let visible = self.0.iter().copied().filter(|&byte| byte == b'\t' || byte >= b' ' && byte != 0x7f);
        crate::oracle::trim(&visible.take(40).collect::<Vec<_>>()).to_vec()
    }
}

impl Extension {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Name(name) => out.extend([b";", &name.bytes()[..]].concat()),
            Self::Token(name, value) => out.extend([b" ;\t", &name.bytes()[..], b" = ", &value.bytes()].concat()),
            Self::Quoted(name, value, escape) => {
                out.extend([b";", &name.bytes()[..], b"=\""].concat());
                for byte in value.bytes() {
                    if byte == b'"' || byte == b'\\' || byte % 8 == escape % 8 {
                        out.push(b'\\');
                    }
                    out.push(byte);
                }
                out.push(b'"');
            }
        }
    }
}

impl Body {
    fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for chunk in self.chunks.iter().filter(|chunk| !chunk.content.is_empty()) {
            let digits = format!("{:x}", chunk.content.len());
            let digits = if chunk.upper { digits.to_uppercase() } else { digits };
            out.extend("0".repeat(usize::from(chunk.zeros).min(16 - digits.len())).bytes().chain(digits.bytes()));
            chunk.extension.write(&mut out);
            out.extend([b"\r\n", &chunk.content[..], b"\r\n"].concat());
        }
        out.extend("0".repeat(1 + usize::from(self.last_zeros) % 16).bytes());
        self.last_extension.write(&mut out);
        out.extend(b"\r\n");
        for (name, value) in &self.trailers {
            out.extend([&name.bytes()[..], b":", &value.bytes(), b"\r\n"].concat());
        }
        out.extend(b"\r\n");
        out
    }
}

/// Checks that an encoded body is decoded to its original.
fn round_trip(body: &Body, seed: u8) {
    let mut config = Config::default();
    config.limits.fields = 10_000;
    config.limits.chunk_overhead = usize::from(u16::MAX);
    let mut sent = body.write();
    let length = sent.len();
    if body.after {
        sent.extend(b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let visit = read(config.clone(), &sent, seed);
    assert_eq!(chunked::read(&sent).end, End::At(length));
    compare(&config, &visit, &sent);
    let content: Vec<u8> = body.chunks.iter().flat_map(|chunk| chunk.content.clone()).collect();
    if length - content.len() <= config.limits.chunk_overhead {
        assert!(visit.received[0].content == content && visit.received[0].end.is_some(), "{body:?}");
        assert_eq!(visit.received.len(), 1 + usize::from(body.after));
    }
}
