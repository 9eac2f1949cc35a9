//! `policies PEER CASE ITERATIONS`: the work of httpants' `policies`, with other crates. Prints the
//! last result, which `in_memory.py` checks.

use std::borrow::Cow;
use std::fmt::Write;
use std::hint::black_box;
use std::ops::Bound;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cookie::{Cookie, CookieJar, Key, SameSite};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use headers::{
    AcceptRanges, CacheControl, ContentRange, ContentType, ETag, Expires, HeaderMap, HeaderMapExt, IfMatch,
    IfNoneMatch, IfRange, IfUnmodifiedSince, LastModified, Range,
};
use hyper::StatusCode;

use form::PIECE;

#[path = "../../../inputs/form.rs"]
mod form;

const URLENCODED: &str = include_str!("../../../inputs/urlencoded.txt");
const COOKIES: &str = include_str!("../../../inputs/cookies.txt");
const RANGES: &str = include_str!("../../../inputs/ranges.txt");
const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const LIFETIME: i64 = 30 * 24 * 60 * 60;
/// Size, modification time and inode of the file of the range requests.
const FILE: (u64, u64, u64) = (100 << 20, 1_700_000_000, 42);
/// The freshness of files, as in httpants' default.
const FRESH: Duration = Duration::from_secs(604_800);

/// Repeats the work; returns the last result.
fn repeat<T>(iterations: u64, mut work: impl FnMut() -> T) -> T {
    (1..iterations).for_each(|_| drop(black_box(work())));
    work()
}

/// Polls again whenever the future is pending, because the streams here are ready at the next poll.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
            return result;
        }
    }
}

/// Yields the pieces, pending once after each, like a socket that is read faster than the peer
/// sends: if the stream is always ready, multer first collects the whole body.
fn paused<E>(pieces: Vec<Bytes>) -> impl Stream<Item = Result<Bytes, E>> + Send {
    let mut pieces = pieces.into_iter();
    let mut pause = false;
    stream::poll_fn(move |_| {
        pause = !pause;
        if pause { Poll::Ready(pieces.next().map(Ok)) } else { Poll::Pending }
    })
}

fn multer(pieces: &[Bytes]) -> (usize, usize) {
    block_on(async {
        let boundary = multer::parse_boundary(black_box(form::CONTENT_TYPE)).expect("a good boundary");
        let mut form = multer::Multipart::new(paused::<multer::Error>(pieces.to_vec()), boundary);
        let (mut parts, mut bytes) = (0, 0);
        while let Some(mut field) = form.next_field().await.expect("a good form") {
            parts += usize::from(!black_box(field.name()).expect("a name").is_empty());
            while let Some(piece) = field.chunk().await.expect("a good form") {
                bytes += black_box(piece).len();
            }
        }
        (parts, bytes)
    })
}

fn actix_multipart(pieces: &[Bytes]) -> (usize, usize) {
    use actix_http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
    block_on(async {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(black_box(form::CONTENT_TYPE)));
        let mut form = actix_multipart::Multipart::new(&headers, paused(pieces.to_vec()));
        let (mut parts, mut bytes) = (0, 0);
        while let Some(mut field) = form.try_next().await.expect("a good form") {
            parts += usize::from(!black_box(field.name()).expect("a name").is_empty());
            while let Some(piece) = field.next().await {
                bytes += black_box(piece.expect("a good form")).len();
            }
        }
        (parts, bytes)
    })
}

fn multipart(peer: &str, iterations: u64) -> String {
    let content = Bytes::from(form::content());
    let starts = (0..content.len()).step_by(PIECE);
    let pieces: Vec<_> = starts.map(|at| content.slice(at..content.len().min(at + PIECE))).collect();
    let (parts, bytes) = match peer {
        "multer" => repeat(iterations, || multer(&pieces)),
        "actix-multipart" => repeat(iterations, || actix_multipart(&pieces)),
        _ => panic!("a peer of in_memory.py"),
    };
    format!("{parts} {bytes}")
}

fn urlencoded(peer: &str, iterations: u64) -> String {
    type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;
    let content = URLENCODED.trim_end().as_bytes();
    let parse = || form_urlencoded::parse(black_box(content));
    let owned = |(name, value): (Cow<str>, Cow<str>)| (name.into_owned().into(), value.into_owned().into());
    let variables = match peer {
        "form_urlencoded" => repeat(iterations, || parse().collect::<Pairs>()),
        "form_urlencoded-owned" => repeat(iterations, || parse().map(owned).collect::<Pairs>()),
        _ => panic!("a peer of in_memory.py"),
    };
    let mut text = String::new();
    variables.iter().for_each(|(name, value)| write!(text, "{name}\0{value}\0").expect("memory"));
    text
}

/// Returns the number of cookies, the verified value of one, and the field lines that set it again.
fn cookies(header: &str, key: &Key) -> (usize, String, Vec<String>) {
    let mut jar = CookieJar::new();
    for cookie in Cookie::split_parse(black_box(header)) {
        jar.add_original(cookie.expect("a good cookie").into_owned());
    }
    let count = jar.iter().map(black_box).count();
    let user = jar.signed(key).get("user").expect("a good signature").value().to_owned();
    let set = Cookie::build(("user", black_box("bob"))).http_only(true).same_site(SameSite::Lax).path("/");
    jar.signed_mut(key).add(set.max_age(cookie::time::Duration::seconds(LIFETIME)));
    let lines = jar.delta().map(Cookie::to_string).collect();
    (count, user, lines)
}

fn check_cookies((count, user, lines): (usize, String, Vec<String>), key: &Key) -> String {
    let [line] = &lines[..] else { panic!("one line") };
    let set = Cookie::parse(line.clone()).expect("a good cookie");
    let set = CookieJar::new().signed(key).verify(set).expect("a good signature");
    let (_, attributes) = line.split_once("; ").expect("attributes");
    format!("{count} {user} {} {attributes}", set.value())
}

fn signed_cookies(iterations: u64) -> String {
    let key = Key::from(SECRET.as_bytes());
    let mut jar = CookieJar::new();
    jar.signed_mut(&key).add(("user", "alice"));
    let signed = jar.get("user").expect("the cookie").stripped().to_string();
    let header = format!("{}; {signed}", COOKIES.trim_end());
    check_cookies(repeat(iterations, || cookies(&header, &key)), &key)
}

/// The response to a request for a file: status, fields, and the range of the file.
struct Plan {
    status: StatusCode,
    fields: HeaderMap,
    offset: u64,
    len: u64,
}

fn plan(headers: &HeaderMap, range: impl Fn(&HeaderMap, u64) -> Option<(u64, u64)>) -> Plan {
    let (len, modified, inode) = black_box(FILE);
    let etag: ETag = format!("\"{inode:x}-{len:x}-{modified:x}.0\"").parse().expect("a good tag");
    let modified = UNIX_EPOCH + Duration::from_secs(modified);
    let mut plan = Plan { status: StatusCode::OK, fields: HeaderMap::with_capacity(8), offset: 0, len };
    let fails = headers.typed_get::<IfMatch>().is_some_and(|condition| !condition.precondition_passes(&etag))
        || headers.typed_get::<IfUnmodifiedSince>().is_some_and(|condition| !condition.precondition_passes(modified));
    if fails {
        plan.status = StatusCode::PRECONDITION_FAILED;
        return plan;
    }
    plan.fields.typed_insert(ContentType::from(mime_guess::from_path(black_box("crete.mp4")).first_or_octet_stream()));
    plan.fields.typed_insert(LastModified::from(modified));
    plan.fields.typed_insert(etag.clone());
    plan.fields.typed_insert(AcceptRanges::bytes());
    plan.fields.typed_insert(CacheControl::new().with_max_age(FRESH));
    plan.fields.typed_insert(Expires::from(now() + FRESH));
    if headers.typed_get::<IfNoneMatch>().is_some_and(|condition| !condition.precondition_passes(&etag)) {
        plan.status = StatusCode::NOT_MODIFIED;
        return plan;
    }
    let if_range = headers.typed_get::<IfRange>();
    let is_current = if_range.is_none_or(|tag| !tag.is_modified(Some(&etag), Some(&LastModified::from(modified))));
    if is_current && let Some((first, last)) = range(headers, len) {
        plan.status = StatusCode::PARTIAL_CONTENT;
        plan.fields.typed_insert(ContentRange::bytes(first..=last, len).expect("a good range"));
        (plan.offset, plan.len) = (first, last + 1 - first);
    }
    plan
}

fn now() -> SystemTime {
    black_box(UNIX_EPOCH + Duration::from_secs(1_795_352_400))
}

/// Returns the requested single range, parsed by the `headers` crate.
fn typed_range(headers: &HeaderMap, len: u64) -> Option<(u64, u64)> {
    let range = headers.typed_get::<Range>()?;
    let mut ranges = range.satisfiable_ranges(len);
    match (ranges.next()?, ranges.next()) {
        ((Bound::Included(first), Bound::Included(last)), None) => Some((first, last)),
        ((Bound::Included(first), Bound::Unbounded), None) => Some((first, len - 1)),
        _ => None,
    }
}

/// Returns the same, parsed by `http-range-header`, which tower-http uses.
fn validated_range(headers: &HeaderMap, len: u64) -> Option<(u64, u64)> {
    let range = headers.get(hyper::header::RANGE)?.to_str().ok()?;
    match &http_range_header::parse_range_header(range).ok()?.validate(len).ok()?[..] {
        [range] => Some((*range.start(), *range.end())),
        _ => None,
    }
}

fn ranges(peer: &str, iterations: u64) -> String {
    let mut headers = HeaderMap::new();
    for (name, value) in RANGES.lines().filter_map(|line| line.split_once(": ")) {
        let name = headers::HeaderName::try_from(name).expect("a good name");
        headers.append(name, headers::HeaderValue::from_static(value));
    }
    let headers = black_box(headers);
    let plan = match peer {
        "headers" => repeat(iterations, || plan(&headers, typed_range)),
        "http-range-header" => repeat(iterations, || plan(&headers, validated_range)),
        _ => panic!("a peer of in_memory.py"),
    };
    let mut text = format!("{} {} {}\n", plan.status.as_u16(), plan.offset, plan.len);
    let mut lines: Vec<_> = plan.fields.iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
    lines.sort();
    lines.iter().for_each(|line| text.push_str(line));
    text
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, peer, case, iterations] = &arguments[..] else { panic!("policies PEER CASE ITERATIONS") };
    let iterations = iterations.parse().expect("a number");
    let result = match case.as_str() {
        "multipart-parser" => multipart(peer, iterations),
        "urlencoded" => urlencoded(peer, iterations),
        "cookies" => signed_cookies(iterations),
        "ranges" => ranges(peer, iterations),
        _ => panic!("a case of in_memory.py"),
    };
    print!("{result}");
}
