//! `policies CASE ITERATIONS`: the core's functions on messages, which need no connection. Prints
//! the last result, which `in_memory.py` checks.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::cookies::{self, Cookies, KeyRing};
use httpants_core::files::{FileRequest, FileResponse, Metadata, Plan, Segment};
use httpants_core::forms::urlencoded::{self, Options};
use httpants_core::forms::{FormLimits, Multipart, MultipartEvent, Variables};
use httpants_core::{FieldLines, Headers, Method, UnixTime};

use form::PIECE;

#[path = "../../inputs/form.rs"]
mod form;

const URLENCODED: &str = include_str!("../../inputs/urlencoded.txt");
const COOKIES: &str = include_str!("../../inputs/cookies.txt");
const RANGES: &str = include_str!("../../inputs/ranges.txt");
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Size, modification time and inode of the file of the range requests.
const FILE: (u64, u64, u64) = (100 << 20, 1_700_000_000, 42);

/// Repeats the work; returns the last result.
fn repeat<T>(iterations: u64, mut work: impl FnMut() -> T) -> T {
    (1..iterations).for_each(|_| drop(black_box(work())));
    work()
}

fn now() -> UnixTime {
    black_box(UnixTime::from_secs(1_795_352_400))
}

fn multipart(pieces: &[Bytes]) -> (usize, usize) {
    let mut form = Multipart::for_content_type(black_box(form::CONTENT_TYPE).as_bytes(), &FormLimits::default())
        .expect("a good boundary");
    let (mut parts, mut bytes, mut is_complete) = (0, 0, false);
    let mut poll = |form: &mut Multipart| {
        while let Some(event) = form.poll_event().expect("a good form") {
            match event {
                MultipartEvent::PartStart(part) => parts += usize::from(!black_box(part).name().is_empty()),
                MultipartEvent::Data(data) => bytes += black_box(data).len(),
                MultipartEvent::PartEnd => {}
                MultipartEvent::End => is_complete = true,
                other => panic!("{other:?}"),
            }
        }
    };
    for piece in pieces {
        form.receive(piece.clone());
        poll(&mut form);
    }
    form.handle_eof();
    poll(&mut form);
    assert!(is_complete);
    (parts, bytes)
}

fn urlencoded(content: &[u8]) -> Variables {
    urlencoded::parse(black_box(content), &Options::default()).expect("a good form")
}

/// Returns the number of cookies, the verified value of one, and the field line that sets it again.
fn cookies(headers: &Headers, keys: &KeyRing) -> (usize, String, FieldLines) {
    let received = Cookies::new(black_box(headers));
    let count = received.iter().map(black_box).count();
    let user = received.get("user").and_then(|signed| keys.verify_text("user", signed, now()).ok());
    let mut fields = FieldLines::new();
    cookies::set(&mut fields, keys.cookie("user", black_box("bob"), now(), LIFETIME)).expect("a good cookie");
    (count, user.expect("a good signature"), fields)
}

fn check_cookies((count, user, fields): (usize, String, FieldLines), keys: &KeyRing) -> String {
    let line = fields.get("Set-Cookie").and_then(|line| str::from_utf8(line).ok()).expect("a cookie");
    let (pair, attributes) = line.split_once("; ").expect("attributes");
    let signed = pair.strip_prefix("user=").expect("the name");
    let set = keys.verify_text("user", signed.as_bytes(), now()).expect("a good signature");
    format!("{count} {user} {set} {attributes}")
}

fn plan(headers: &Headers) -> Plan {
    let request = FileRequest { method: &Method::GET, headers: black_box(headers) };
    let (len, modified, inode) = black_box(FILE);
    let metadata = Metadata::new(len, Some(UnixTime::from_secs(modified)), inode);
    Plan::new(request, &FileResponse::new(black_box("crete.mp4")), metadata, now(), [0; 16])
}

fn show(plan: &Plan) -> String {
    let [Segment::File { offset, len }] = plan.segments[..] else { panic!("one range of the file") };
    let mut text = format!("{} {offset} {len}\n", plan.status.as_u16());
    let mut lines: Vec<_> = plan.fields.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    lines.sort();
    lines.iter().for_each(|line| text.push_str(line));
    text
}

/// Returns field lines as they are received.
fn headers(lines: &str) -> Headers {
    Headers::parse(format!("{}\r\n\r\n", lines.trim_end().replace('\n', "\r\n")).as_bytes()).expect("good fields")
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, case, iterations] = &arguments[..] else { panic!("policies CASE ITERATIONS") };
    let iterations = iterations.parse().expect("a number");
    let result = match case.as_str() {
        "multipart-parser" => {
            let content = Bytes::from(form::content());
            let starts = (0..content.len()).step_by(PIECE);
            let pieces: Vec<_> = starts.map(|at| content.slice(at..content.len().min(at + PIECE))).collect();
            let (parts, bytes) = repeat(iterations, || multipart(&pieces));
            format!("{parts} {bytes}")
        }
        "urlencoded" => {
            let content = URLENCODED.trim_end().as_bytes();
            let mut text = String::new();
            for (name, value) in repeat(iterations, || urlencoded(content)).iter() {
                write!(text, "{name}\0{value}\0").expect("memory");
            }
            text
        }
        "cookies" => {
            let keys = KeyRing::new([SECRET]).expect("a secret");
            let signed = keys.sign("user", "alice", now(), LIFETIME);
            let headers = headers(&format!("Cookie: {}; user={signed}", COOKIES.trim_end()));
            check_cookies(repeat(iterations, || cookies(&headers, &keys)), &keys)
        }
        "ranges" => {
            let headers = headers(RANGES);
            show(&repeat(iterations, || plan(&headers)))
        }
        _ => panic!("a case that in_memory.py names"),
    };
    print!("{result}");
}
