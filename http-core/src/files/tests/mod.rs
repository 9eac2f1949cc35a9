//! Tests of complete plans against independent implementations of the RFC.

mod fields;
mod preconditions;
mod ranges;

use core::time::Duration;

use http::{Method, StatusCode};

use super::{FileRequest, FileResponse, Metadata, Plan, Segment};
use crate::{Headers, UnixTime};

/// The example date of the RFC in seconds, and as a date.
const MODIFIED: u64 = 784_111_777;
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const EARLIER: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";
const WALL: UnixTime = UnixTime::from_secs(MODIFIED + 1_000_000);
const LEN: u64 = 100;
const ENTROPY: [u8; 16] = [0xab; 16];

fn modified(seconds: u64, nanoseconds: u32) -> UnixTime {
    UnixTime(Duration::new(seconds, nanoseconds))
}

fn metadata(len: u64) -> Metadata {
    Metadata::new(len, Some(modified(MODIFIED, 5)), 0x2a)
}

/// Returns the plan for these field lines, each of which ends with CRLF.
fn plan(method: &Method, lines: &str, response: &FileResponse<'_>, metadata: Metadata) -> Plan {
    let headers = Headers::parse(format!("{lines}\r\n").as_bytes()).unwrap();
    let plan = Plan::new(FileRequest { method, headers: &headers }, response, metadata, WALL, ENTROPY);
    check(&plan, method, metadata.len);
    plan
}

fn get(lines: &str) -> Plan {
    plan(&Method::GET, lines, &FileResponse::new("a.txt"), metadata(LEN))
}

fn text<'a>(plan: &'a Plan, name: &str) -> Option<&'a str> {
    plan.field(name).map(|value| value.to_str().unwrap())
}

/// Asserts the invariants of every plan.
fn check(plan: &Plan, method: &Method, len: u64) {
    let sum: u64 = plan.segments.iter().map(Segment::len).sum();
    match (method, plan.status) {
        (_, StatusCode::NOT_MODIFIED) => assert_eq!((plan.content_length, sum), (None, 0)),
        (&Method::HEAD, _) => assert_eq!(sum, 0),
        _ => assert_eq!(plan.content_length, Some(sum)),
    }
    for segment in &plan.segments {
        assert!(segment.len() > 0);
        if let Segment::File { offset, len: piece } = *segment {
            assert!(offset + piece <= len, "{segment:?}");
        }
    }
    for name in ["content-length", "transfer-encoding", "connection", "date"] {
        assert_eq!(plan.field(name), None);
    }
    let whole = plan.status == 200 && method == Method::GET;
    assert!(!whole || plan.content_length == Some(len));
}

/// Returns a file whose bytes depend on their position.
fn content(len: u64) -> Vec<u8> {
    (0..len).map(|at| (at ^ (at >> 8).wrapping_mul(31)) as u8).collect()
}

/// Returns the bytes that a driver sends.
fn sent(plan: &Plan, file: &[u8]) -> Vec<u8> {
    let mut sent = Vec::new();
    for segment in &plan.segments {
        match segment {
            Segment::Bytes(bytes) => sent.extend_from_slice(bytes),
            Segment::File { offset, len } => sent.extend_from_slice(&file[*offset as usize..(*offset + *len) as usize]),
        }
    }
    sent
}

/// A small deterministic generator of numbers.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}
