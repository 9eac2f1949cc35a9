//! Tests of compressed responses, in memory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliDecoder, DecodeV2, GzipDecoder, ZstdDecoder};
use futures_core::Stream;
use httpants_driver::{
    Compression, CompressionLevel, ContentCoding, Event, Events, FileRoot, Request, Response, Server,
};
use httpants_testkit::memory::{Client, Memory};

const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

/// A received response.
struct ReceivedResponse {
    head: String,
    body: Vec<u8>,
}

impl ReceivedResponse {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let value = lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        assert!(lines.all(|(known, _)| !known.eq_ignore_ascii_case(name)), "{name} twice in {}", self.head);
        value
    }

    fn decoded(&self) -> String {
        let body = match self.field("Content-Encoding") {
            Some(coding) => decode(coding, &self.body),
            None => self.body.clone(),
        };
        String::from_utf8(body).unwrap()
    }
}

fn decoder(coding: &str) -> Box<dyn DecodeV2> {
    match coding {
        "gzip" => Box::new(GzipDecoder::new()),
        "br" => Box::new(BrotliDecoder::new()),
        "zstd" => Box::new(ZstdDecoder::new()),
        other => panic!("{other} is no coding"),
    }
}

/// Decodes these bytes as far as possible; returns the decoded bytes, and whether the content has
/// ended.
fn decode_piece(decoder: &mut dyn DecodeV2, bytes: &[u8]) -> (Vec<u8>, bool) {
    let (mut input, mut decoded) = (PartialBuffer::new(bytes), Vec::new());
    loop {
        let mut room = vec![0; 8 << 10];
        let mut output = WriteBuffer::new_initialized(&mut room);
        let ended = decoder.decode(&mut input, &mut output).unwrap();
        let count = output.written_len();
        decoded.extend_from_slice(&room[..count]);
        if ended || input.unwritten().is_empty() && count < room.len() {
            assert!(input.unwritten().is_empty(), "bytes after the end");
            return (decoded, ended);
        }
    }
}

fn decode(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let (decoded, ended) = decode_piece(&mut *decoder(coding), bytes);
    assert!(ended, "{coding} does not end");
    decoded
}

/// Removes chunk framing; returns the content, and whether the last chunk was received.
fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(at) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..at]).unwrap(), 16).unwrap();
        if size == 0 {
            assert_eq!(&rest[at..], b"\r\n\r\n");
            return (body, true);
        }
        body.extend_from_slice(&rest[at + 2..at + 2 + size]);
        rest = &rest[at + 2 + size + 2..];
    }
    (body, false)
}

struct World {
    memory: Memory,
}

impl World {
    fn new(compression: Option<Compression>, respond: impl Fn(&Request) -> Response + 'static) -> Self {
        let memory = Memory::new();
        let handler = move |request: Request| {
            let response = respond(&request);
            async { response }
        };
        let server = Server::with_runtime(memory.clone(), handler);
        memory.start(match compression {
            Some(compression) => server.compression(compression),
            None => server,
        });
        Self { memory }
    }

    fn send(&self, method: &str, fields: &str) -> Client {
        let client = self.memory.connect();
        client.send(format!("{method} /path HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
        self.memory.run();
        client
    }

    /// Sends a request; returns its whole response.
    fn ask(&self, method: &str, fields: &str) -> ReceivedResponse {
        let received = self.send(method, fields).take_received();
        let at = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(received[..at + 2].to_vec()).unwrap();
        let mut got = ReceivedResponse { head, body: received[at + 4..].to_vec() };
        if got.field("Transfer-Encoding").is_some() && method != "HEAD" {
            let (body, whole) = unchunk(&got.body);
            assert!(whole, "{}", got.head);
            got.body = body;
        }
        got
    }
}

fn text() -> String {
    (0..400).map(|number| format!("line {number} of a text\n")).collect()
}

fn page(_: &Request) -> Response {
    Response::text(text()).with_header("ETag", "\"1\"").with_header("Accept-Ranges", "bytes")
}

fn accept(coding: &str) -> String {
    format!("Accept-Encoding: {coding}\r\n")
}

#[test]
fn whole_responses_are_compressed_as_the_client_accepts() {
    for level in [CompressionLevel::Fastest, CompressionLevel::Default, CompressionLevel::Best] {
        let world = World::new(Some(Compression::default().level(level)), page);
        for coding in CODINGS {
            let got = world.ask("GET", &accept(coding));
            assert_eq!(got.field("Content-Encoding"), Some(coding));
            assert_eq!(got.field("Vary"), Some("Accept-Encoding"));
            assert_eq!((got.field("ETag"), got.field("Accept-Ranges")), (Some("W/\"1\""), None));
            assert_eq!(got.field("Content-Length"), Some(&*got.body.len().to_string()), "{}", got.head);
            assert!(got.body.len() < text().len() / 3, "{coding}: {} bytes", got.body.len());
            assert_eq!(got.decoded(), text());
        }
    }
    let world = World::new(Some(Compression::default()), page);
    for (fields, coding) in [
        ("gzip, deflate, br, zstd", Some("zstd")),
        ("gzip, deflate, br", Some("br")),
        ("br;q=0.1, x-gzip", Some("gzip")),
        ("deflate", None),
        ("gzip;q=0", None),
        ("identity, gzip;q=0.5", None),
    ] {
        let got = world.ask("GET", &accept(fields));
        assert_eq!((got.field("Content-Encoding"), got.decoded()), (coding, text()), "{fields}");
        assert_eq!(got.field("Vary"), Some("Accept-Encoding"), "also where it is not compressed");
    }
    let plain = world.ask("GET", "");
    assert_eq!((plain.field("ETag"), plain.field("Accept-Ranges")), (Some("\"1\""), Some("bytes")));
    let only = World::new(Some(Compression::default().codings([ContentCoding::Gzip])), page);
    assert_eq!(only.ask("GET", &accept("zstd, br")).field("Content-Encoding"), None);
    assert_eq!(only.ask("GET", &accept("*")).field("Content-Encoding"), Some("gzip"));
}

#[test]
fn nothing_is_compressed_by_default() {
    let world = World::new(None, page);
    let got = world.ask("GET", &accept("gzip, br, zstd"));
    assert_eq!((got.decoded(), got.field("Vary"), got.field("ETag")), (text(), None, Some("\"1\"")));
}

#[test]
fn ineligible_responses_are_not_compressed() {
    type Make = fn() -> Response;
    let cases: [(&str, Make); 23] = [
        ("small", || Response::text("x".repeat(1023))),
        ("empty", || Response::text("")),
        ("image", || Response::bytes("image/png", text())),
        ("no type", || Response::new(200)),
        ("coded", || Response::text(text()).with_header("Content-Encoding", "x")),
        ("identity", || Response::text(text()).with_header("Content-Encoding", "identity")),
        ("no-transform", || Response::text(text()).with_header("Cache-Control", "private, No-Transform")),
        ("ranged", || Response::text(text()).with_status(206).with_header("Content-Range", "bytes 0-8/9")),
        ("digest", || Response::text(text()).with_header("Repr-Digest", "sha-256=:AA==:")),
        ("204", || Response::text(text()).with_status(204)),
        ("205", || Response::text(text()).with_status(205)),
        ("small 304", || Response::new(304).with_header("Content-Length", "1023")),
        ("image 304", || Response::new(304).with_header("Content-Type", "image/png")),
        ("coded 304", || Response::new(304).with_header("Content-Encoding", "gzip")),
        ("digest 304", || Response::new(304).with_header("Repr-Digest", "sha-256=:AA==:")),
        ("old digest", || Response::text(text()).with_header("Digest", "SHA-256=AA==")),
        ("content digest", || Response::text(text()).with_header("Content-Digest", "sha-256=:AA==:")),
        ("MD5", || Response::text(text()).with_header("Content-MD5", "AA==")),
        ("digest in trailers", || {
            let typed = Response::stream(Pieces(vec!["a"])).with_header("Content-Type", "text/x");
            typed.with_header("Trailer", "Server-Timing, content-digest")
        }),
        ("unsatisfiable", || Response::text(text()).with_status(416).with_header("Content-Range", "bytes */9")),
        ("short stream", || {
            Response::stream(Pieces(vec!["short"]))
                .with_header("Content-Type", "text/x")
                .with_header("Content-Length", "5")
        }),
        ("typeless stream", || Response::stream(Pieces(vec!["a"]))),
        ("file", || Response::file(FileRoot::open(".").unwrap().file("Cargo.toml"))),
    ];
    for (what, make) in cases {
        let plain = World::new(None, move |_| make()).ask("GET", &accept("gzip"));
        let got = World::new(Some(Compression::default()), move |_| make()).ask("GET", &accept("gzip"));
        assert_eq!((&got.head, &got.body), (&plain.head, &plain.body), "{what}");
    }
    // Random bytes do not become smaller.
    let mut state = 1_u64;
    let random: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
    .take(2000)
    .collect();
    let world = World::new(Some(Compression::default()), move |_| Response::bytes("text/x", random.clone()));
    let got = world.ask("GET", &accept("gzip"));
    assert_eq!((got.field("Content-Encoding"), got.field("Vary")), (None, Some("Accept-Encoding")));
}

#[test]
fn vary_is_kept_and_not_repeated() {
    for (own, expected) in [("Accept, accept-encoding", 1), ("*", 1), ("Accept", 2)] {
        let world = World::new(Some(Compression::default()), move |_| Response::text(text()).with_header("Vary", own));
        let head = world.ask("GET", &accept("br")).head;
        assert_eq!(head.matches("Vary: ").count(), expected, "{head}");
        assert!(head.contains(&format!("Vary: {own}\r\n")), "{head}");
    }
}

#[test]
fn head_has_the_fields_of_get() {
    let world = World::new(Some(Compression::default()), page);
    for coding in CODINGS {
        let (get, head) = (world.ask("GET", &accept(coding)), world.ask("HEAD", &accept(coding)));
        assert_eq!((get.head, head.body), (head.head, vec![]));
    }
    // A Content-Length without a body, as from a handler that handles HEAD: the length of the coded
    // body is unknown.
    let world = World::new(Some(Compression::default()), |_| Response::text("").with_header("Content-Length", "5000"));
    let head = world.ask("HEAD", &accept("gzip"));
    assert_eq!((head.field("Content-Encoding"), head.field("Content-Length")), (Some("gzip"), None));
    let small = World::new(Some(Compression::default()), |_| Response::text("").with_header("Content-Length", "50"));
    assert_eq!(small.ask("HEAD", &accept("gzip")).field("Content-Length"), Some("50"));
}

#[test]
fn not_modified_confirms_the_tag_that_the_client_has() {
    let not_modified = |_: &Request| Response::new(304).with_header("ETag", "\"1\"");
    let world = World::new(Some(Compression::default()), not_modified);
    for (known, tag, vary) in [
        ("W/\"1\"", "W/\"1\"", Some("Accept-Encoding")),
        ("\"0\", W/\"1\"", "W/\"1\"", Some("Accept-Encoding")),
        ("\"1\"", "\"1\"", Some("Accept-Encoding")),
        ("W/\"2\"", "\"1\"", Some("Accept-Encoding")),
    ] {
        let got = world.ask("GET", &format!("If-None-Match: {known}\r\n"));
        assert_eq!((got.field("ETag"), got.field("Vary")), (Some(tag), vary), "{known}");
    }
    // Without an entity tag, and with the fields that RFC 9110 section 15.4.5 lists.
    let listed = "Cache-Control: max-age=5\r\nContent-Location: /a\r\nExpires: 0\r\nVary: Accept\r\n";
    let world = World::new(Some(Compression::default()), |_| {
        let response = Response::text(text()).with_status(304).with_header("Cache-Control", "max-age=5");
        response.with_header("Content-Location", "/a").with_header("Expires", "0").with_header("Vary", "Accept")
    });
    for method in ["GET", "HEAD"] {
        let head = world.ask(method, "If-Modified-Since: Sun, 22 Nov 2026 13:00:00 GMT\r\n").head;
        assert!(head.contains(listed) && head.contains("\r\nVary: Accept-Encoding\r\n"), "{head}");
        assert!(head.contains("\r\nDate: ") && !head.contains("Content-Encoding"), "{head}");
    }
    let filtered = Compression::default().filter(|request, _| request.path() == "/other");
    let world = World::new(Some(filtered), |_| Response::text("").with_status(304));
    assert_eq!(world.ask("GET", "").field("Vary"), None);
}

/// A stream of these pieces.
struct Pieces(Vec<&'static str>);

impl Stream for Pieces {
    type Item = Result<Bytes, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = if self.0.is_empty() { None } else { Some(self.0.remove(0)) };
        Poll::Ready(next.map(|piece| if piece == "error" { Err(piece) } else { Ok(Bytes::from(piece)) }))
    }
}

#[test]
fn large_responses_are_compressed_while_they_are_sent() {
    let content: String = (0..200_000).map(|number| format!("{number} ")).collect();
    for streamed in [false, true] {
        let kept: &'static str = content.clone().leak();
        let world = World::new(Some(Compression::default()), move |_| match streamed {
            true => Response::stream(Pieces(vec!["", kept, "", "end"])).with_header("Content-Type", "text/plain"),
            false => Response::text(format!("{kept}end")),
        });
        for coding in CODINGS {
            let got = world.ask("GET", &accept(coding));
            assert_eq!((got.field("Content-Encoding"), got.field("Content-Length")), (Some(coding), None));
            assert!(got.decoded() == format!("{content}end"), "{coding}");
            assert!(got.body.len() < content.len() / 2);
        }
    }
}

#[test]
fn stream_that_fails_does_not_end_its_coding() {
    for coding in CODINGS {
        let world = World::new(Some(Compression::default()), |_| {
            Response::stream(Pieces(vec!["one", "error"])).with_header("Content-Type", "text/plain")
        });
        let client = world.send("GET", &accept(coding));
        let received = client.take_received();
        let at = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        let (body, whole) = unchunk(&received[at + 4..]);
        let (decoded, ended) = decode_piece(&mut *decoder(coding), &body);
        assert_eq!((&*decoded, ended, whole), (&b"one"[..], false, false), "{coding}");
        assert!(client.is_ended() || client.is_reset());
    }
}

#[test]
fn bodies_of_another_length_than_announced_are_not_completed() {
    let pieces = || Pieces(vec!["one", "two"]);
    for (length, is_whole) in [("5", false), ("6", true), ("7", false)] {
        let world = World::new(Some(Compression::default().min_size(1)), move |_| {
            let response = Response::stream(pieces()).with_header("Content-Length", length);
            response.with_header("Content-Type", "text/plain")
        });
        for coding in CODINGS {
            let client = world.send("GET", &accept(coding));
            let received = client.take_received();
            let at = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
            assert_eq!(unchunk(&received[at + 4..]).1, is_whole, "{coding} {length}");
            assert_eq!(client.is_ended() || client.is_reset(), !is_whole, "{coding} {length}");
        }
    }
    let world = World::new(Some(Compression::default()), |_| Response::text(text()).with_header("Content-Length", "9"));
    assert!(world.ask("GET", &accept("gzip")).head.starts_with("HTTP/1.1 500 "));
}

/// A stream of events that the test provides.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<(Vec<Event>, Option<Waker>)>>);

impl Stream for Source {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut given = self.0.lock().unwrap();
        given.1 = Some(context.waker().clone());
        given.0.pop().map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
    }
}

#[test]
fn each_event_and_comment_can_be_decoded_when_it_arrives() {
    for coding in CODINGS {
        let source = Source::default();
        let given = source.clone();
        let world = World::new(Some(Compression::default()), move |_| {
            Events::new(given.clone()).heartbeat(Duration::from_secs(1)).into()
        });
        let client = world.send("GET", &accept(coding));
        let head = String::from_utf8(client.take_received()).unwrap();
        assert!(head.ends_with("\r\n\r\n") && head.contains(&format!("\r\nContent-Encoding: {coding}\r\n")), "{head}");
        let mut decoder = decoder(coding);
        for number in 0..20 {
            let mut given = source.0.lock().unwrap();
            given.0.push(Event::new(number.to_string()));
            given.1.take().unwrap().wake();
            drop(given);
            world.memory.run();
            let (piece, _) = unchunk(&client.take_received());
            let (decoded, ended) = decode_piece(&mut *decoder, &piece);
            assert_eq!((decoded, ended), (format!("data: {number}\n\n").into_bytes(), false), "{coding}");
            world.memory.advance(Duration::from_secs(1));
            let (piece, _) = unchunk(&client.take_received());
            assert_eq!(decode_piece(&mut *decoder, &piece).0, b":\n\n", "{coding}");
        }
    }
}

/// With compression, the turn of a stream ends earlier.
#[test]
fn shutdown_ends_compressed_events_that_are_always_ready() {
    let (source, memory) = (Source::default(), Memory::new());
    let given = source.clone();
    let server = Server::with_runtime(memory.clone(), move |_: Request| {
        let events = Events::new(given.clone());
        async { Response::from(events) }
    });
    let handle = memory.start(server.compression(Compression::default()));
    let client = memory.connect();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", accept("gzip")).as_bytes());
    memory.run();
    assert!(client.take_received().ends_with(b"\r\n\r\n"));
    source.0.lock().unwrap().0.extend(std::iter::repeat_n(Event::new("again"), 10_000));
    handle.shutdown(Duration::from_secs(3600));
    memory.run();
    let (content, whole) = unchunk(&client.take_received());
    let count = String::from_utf8(decode("gzip", &content)).unwrap().matches("data: again\n\n").count();
    assert!(whole && client.is_ended() && (1..100).contains(&count), "{count} events");
}

#[test]
fn zstd_window_is_within_8_mb() {
    for level in [CompressionLevel::Fastest, CompressionLevel::Default, CompressionLevel::Best] {
        let content: &'static str = "ten bytes!".repeat(1_200_000).leak();
        let world = World::new(Some(Compression::default().level(level)), move |_| Response::text(content));
        let got = world.ask("GET", &accept("zstd"));
        // RFC 8878 section 3.1.1.1: magic number, descriptor without Single_Segment, window.
        assert_eq!((&got.body[..4], got.body[4] & 0x20), (&[0x28, 0xb5, 0x2f, 0xfd][..], 0));
        let (exponent, mantissa) = (u32::from(got.body[5] >> 3), u64::from(got.body[5] & 7));
        let base = 1_u64 << (10 + exponent);
        assert!(base + base / 8 * mantissa <= 8 << 20, "window {}", base + base / 8 * mantissa);
        assert!(got.decoded() == content);
    }
}

#[test]
fn application_chooses_which_responses_are_compressed() {
    let compression = Compression::default().min_size(1).filter(|request, response| {
        assert!(!request.headers().contains("panic"));
        request.path() == "/path" && response.status == 418
    });
    let world = World::new(Some(compression), |request| {
        let status = if request.headers().contains("teapot") { 418 } else { 200 };
        Response::bytes("image/x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").with_status(status)
    });
    let got = world.ask("GET", &format!("Teapot: 1\r\n{}", accept("gzip")));
    assert_eq!((got.field("Content-Encoding"), got.decoded().len()), (Some("gzip"), 51));
    let other = world.ask("GET", &accept("gzip"));
    assert_eq!((other.field("Content-Encoding"), other.field("Vary")), (None, None));
    assert!(world.ask("GET", &format!("Panic: 1\r\n{}", accept("gzip"))).head.starts_with("HTTP/1.1 500 "));
}
