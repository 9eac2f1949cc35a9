//! Tests of requests with a content coding, in memory.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

use std::sync::mpsc::channel;
use std::time::Duration;

use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder, ZstdEncoder};
use httpants_driver::{
    BodyError, BodyPolicy, ContentCoding, Decompression, Request, Response, Server, ServerErrorKind,
};
use httpants_testkit::memory::Memory;

const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

fn encode(coding: &str, content: &[u8]) -> Vec<u8> {
    let mut encoder: Box<dyn EncodeV2> = match coding {
        "gzip" | "x-gzip" => Box::new(GzipEncoder::new(Level::Default.into())),
        "br" => Box::new(BrotliEncoder::new(Default::default())),
        "zstd" => Box::new(ZstdEncoder::new(3)),
        other => panic!("{other} is no coding"),
    };
    let mut room = vec![0; content.len() + 1000];
    let mut output = WriteBuffer::new_initialized(&mut room);
    let mut input = PartialBuffer::new(content);
    encoder.encode(&mut input, &mut output).unwrap();
    assert!(input.unwritten().is_empty() && encoder.finish(&mut output).unwrap());
    output.written().to_vec()
}

/// Returns the remaining fields, and the body as returned by each of its methods.
async fn describe(mut request: Request) -> Result<Response, BodyError> {
    let fields = ["Content-Encoding", "Content-Length"].map(|name| request.headers().contains(name));
    assert_eq!(fields, [false; 2], "{:?}", request.headers());
    Ok(match request.path() {
        "/form" => {
            let post = request.post().get("name").unwrap_or("none").to_owned();
            Response::text(format!("{post} {}", request.files().len()))
        }
        "/json" => Response::text(request.json::<Vec<u32>>().await?.len().to_string()),
        "/pieces" => {
            let mut pieces = Vec::new();
            assert_eq!(request.body_mut().remaining().is_some(), request.headers().contains("buffered"));
            while let Some(piece) = request.body_mut().next().await {
                pieces.extend_from_slice(&piece?);
            }
            assert!(request.body_mut().next().await.is_none());
            Response::text(pieces)
        }
        _ => Response::text(request.text().await?),
    })
}

struct World {
    memory: Memory,
}

impl World {
    fn new(decompression: Decompression, max_size: u64) -> Self {
        let memory = Memory::new();
        let server = Server::with_runtime(memory.clone(), describe).decompress_requests(decompression);
        memory.start(server.max_body_size(max_size).body_policy(|head| match head.headers().text("policy") {
            Some("stream") => BodyPolicy::Stream,
            Some(limit) => BodyPolicy::StreamUpTo(limit.parse().unwrap()),
            None => BodyPolicy::Buffer,
        }));
        Self { memory }
    }

    /// Sends a request in pieces of `step` bytes; returns status, head and body of its response.
    fn post(&self, path: &str, fields: &str, content: &[u8], step: usize) -> (u16, String, String) {
        let client = self.memory.connect();
        let length = content.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n");
        client.send(head.as_bytes());
        for piece in content.chunks(step) {
            client.send(piece);
            self.memory.run();
        }
        self.memory.run();
        let received = String::from_utf8(client.take_received()).unwrap();
        let (head, body) = received.split_once("\r\n\r\n").unwrap();
        (head[9..12].parse().unwrap(), head.to_owned(), body.to_owned())
    }

    fn status(&self, fields: &str, content: &[u8]) -> u16 {
        self.post("/", fields, content, 1 << 20).0
    }
}

fn coded(coding: &str) -> String {
    format!("Content-Encoding: {coding}\r\n")
}

fn text() -> String {
    (0..3000).map(|number| format!("line {number} of a text\n")).collect()
}

#[test]
fn coded_requests_are_decoded_by_every_way_to_read() {
    let world = World::new(Decompression::default(), 10 << 20);
    for coding in CODINGS {
        let content = encode(coding, text().as_bytes());
        for (fields, path) in [
            ("Buffered: 1\r\n", "/"),
            ("Buffered: 1\r\n", "/pieces"),
            ("Policy: stream\r\n", "/"),
            ("Policy: stream\r\n", "/pieces"),
        ] {
            for step in [1, 100, 1 << 20] {
                let fields = format!("{fields}{}", coded(coding));
                let (status, _, body) = world.post(path, &fields, &content, step);
                assert_eq!(status, 200, "{coding} {fields} {step}: {body}");
                assert!(body == text(), "{coding} {fields} {step}");
            }
        }
    }
    let (status, _, body) = world.post("/", "Content-Encoding: identity, X-GZIP\r\n", &encode("gzip", b"hello"), 99);
    assert_eq!((status, &*body), (200, "hello"));
}

#[test]
fn coding_may_end_after_a_full_piece() {
    let world = World::new(Decompression::default(), 10 << 20);
    for coding in CODINGS {
        for size in [16_384, 32_768] {
            let content = "a".repeat(size);
            let coded_content = encode(coding, content.as_bytes());
            for cut in 1..12.min(coded_content.len()) {
                let step = coded_content.len() - cut;
                let (status, _, body) = world.post("/", &coded(coding), &coded_content, step);
                assert_eq!(status, 200, "{coding} {size} {cut}: {body}");
                assert!(body == content, "{coding} {size} {cut}");
            }
        }
    }
}

#[test]
fn request_without_a_body_is_not_changed() {
    let memory = Memory::new();
    let handler =
        async |request: Request| Response::text(request.headers().text("content-encoding").unwrap().to_owned());
    memory.start(Server::with_runtime(memory.clone(), handler).decompress_requests(Decompression::default()));
    for coding in ["gzip", "deflate"] {
        let client = memory.connect();
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", coded(coding)).as_bytes());
        memory.run();
        let received = String::from_utf8(client.take_received()).unwrap();
        assert!(received.starts_with("HTTP/1.1 200 ") && received.ends_with(coding), "{received}");
    }
}

#[test]
fn coded_forms_and_json_are_parsed() {
    let world = World::new(Decompression::default(), 10 << 20);
    let multipart = "--b\r\nContent-Disposition: form-data; name=name\r\n\r\nx y\r\n\
        --b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n123\r\n--b--\r\n";
    let large = format!("name=x+y&{}", "a=b&".repeat(10_000));
    for coding in CODINGS {
        for (path, content_type, content, expected) in [
            ("/form", "application/x-www-form-urlencoded", "name=x+y", "x y 0"),
            ("/form", "multipart/form-data; boundary=b", multipart, "x y 1"),
            ("/json", "application/json", "[1, 2, 3]", "3"),
        ] {
            let fields = format!("Content-Type: {content_type}\r\n{}", coded(coding));
            let (status, _, body) = world.post(path, &fields, &encode(coding, content.as_bytes()), 7);
            assert_eq!((status, &*body), (200, expected), "{coding} {content_type}");
        }
        // Larger than the memory limit of a form, after decoding.
        let fields = format!("Content-Type: application/x-www-form-urlencoded\r\n{}", coded(coding));
        assert_eq!(world.post("/form", &fields, &encode(coding, large.as_bytes()), 1 << 20).0, 413, "{coding}");
    }
}

#[test]
fn other_codings_are_415_before_the_body_is_sent() {
    let world = World::new(Decompression::default().codings([ContentCoding::Brotli, ContentCoding::Gzip]), 10 << 20);
    for coding in ["zstd", "deflate", "gzip, br", "gzip, gzip", "x-gzip2", "*"] {
        let (status, head, _) = world.post("/", &coded(coding), b"content", 99);
        assert_eq!(status, 415, "{coding}");
        assert!(head.contains("\r\nAccept-Encoding: br, gzip"), "{head}");
    }
    let client = world.memory.connect();
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\nContent-Encoding: x\r\n\r\n",
    );
    world.memory.run();
    assert!(client.take_received().starts_with(b"HTTP/1.1 415 "));
}

#[test]
fn other_codings_have_the_page_of_the_application() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), describe).decompress_requests(Decompression::default());
    memory.start(server.on_error(|error, request| {
        assert_eq!((error.kind(), request.is_some()), (&ServerErrorKind::ContentEncoding, true));
        Some(Response::html(format!("<p>{error}")))
    }));
    let client = memory.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Encoding: x\r\n\r\nx");
    memory.run();
    let received = String::from_utf8(client.take_received()).unwrap();
    assert!(received.starts_with("HTTP/1.1 415 "), "{received}");
    assert!(received.contains("\r\nAccept-Encoding: zstd, br, gzip\r\n"), "{received}");
    assert!(received.ends_with("\r\n\r\n<p>unsupported Content-Encoding (RFC 9110 15.5.16)"), "{received}");
}

#[test]
fn bodies_are_not_decoded_by_default() {
    let memory = Memory::new();
    memory.start(Server::with_runtime(memory.clone(), async |mut request: Request| {
        let coding = request.headers().text("content-encoding").unwrap_or("none").to_owned();
        Ok::<_, BodyError>(format!("{coding} {}", request.bytes().await?.len()))
    }));
    let client = memory.connect();
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\nhello");
    memory.run();
    assert!(client.take_received().ends_with(b"\r\n\r\ngzip 5"));
}

#[test]
fn invalid_coded_bodies_and_trailing_bytes_are_400() {
    let world = World::new(Decompression::default(), 10 << 20);
    for coding in CODINGS {
        let content = encode(coding, b"some content that is coded");
        for policy in ["", "Policy: stream\r\n"] {
            let fields = format!("{policy}{}", coded(coding));
            assert_eq!(world.status(&fields, &content), 200);
            for length in 1..content.len() {
                assert_eq!(world.status(&fields, &content[..length]), 400, "{coding}: the first {length} bytes");
            }
            assert_eq!(world.status(&fields, &[&content[..], b"x"].concat()), 400, "{coding}: a byte after it");
            assert_eq!(world.status(&fields, b"this is not coded at all"), 400, "{coding}");
            // The next request is served: the body was received as a whole.
            let twice = world.status(&fields, &[&content[..], &content].concat());
            assert_eq!(twice, if coding == "br" { 400 } else { 200 }, "{coding}: two members or frames");
        }
    }
    let mut damaged = encode("gzip", b"some content that is coded");
    let checksum = damaged.len() - 8;
    damaged[checksum] ^= 1;
    assert_eq!(world.status(&coded("gzip"), &damaged), 400);
    // A large window of brotli, and one of 128 MiB of zstd.
    assert_eq!(world.status(&coded("br"), &[0x11, 0x1e, 0, 0]), 400);
    assert_eq!(world.status(&coded("zstd"), &[0x28, 0xb5, 0x2f, 0xfd, 0, 0x88, 1, 0, 0]), 400);
}

#[test]
fn decoded_bodies_have_a_limit_in_bytes() {
    let world = World::new(Decompression::default(), 5000);
    for coding in CODINGS {
        for (policy, limit) in [("", 5000), ("Policy: stream\r\n", 5000), ("Policy: 9000\r\n", 9000)] {
            let fields = format!("{policy}{}", coded(coding));
            assert_eq!(world.status(&fields, &encode(coding, &vec![b'x'; limit])), 200, "{fields}");
            let (status, head, _) = world.post("/", &fields, &encode(coding, &vec![b'x'; limit + 1]), 10);
            assert_eq!(status, 413, "{fields}");
            assert!(!policy.is_empty() || head.contains("\r\nConnection: close"), "{head}");
        }
    }
}

#[test]
fn decoded_bodies_have_a_limit_of_their_ratio() {
    for coding in CODINGS {
        let world = World::new(Decompression::default().max_ratio(10), 10 << 20);
        let fields = coded(coding);
        assert_eq!(world.status(&fields, &encode(coding, &vec![b'x'; 1 << 20])), 200, "{coding}: up to 1 MiB");
        assert_eq!(world.status(&fields, &encode(coding, &vec![b'x'; (1 << 20) + 1])), 413, "{coding}");
        let world = World::new(Decompression::default().max_ratio(u64::MAX), 10 << 20);
        assert_eq!(world.status(&fields, &encode(coding, &vec![b'x'; 2 << 20])), 200, "{coding}");
    }
}

/// With such blocks, a decoder that builds its tables for each block would take a minute here; this
/// one takes a second or two.
#[test]
fn blocks_without_content_do_not_occupy_the_thread() {
    /// Length of the coded body in bytes. Eight empty blocks take five bytes.
    const LENGTH: usize = 2 << 20;
    let (sender, ended) = channel();
    std::thread::spawn(move || {
        let blocks = [0x02, 0x08, 0x20, 0x80, 0x00].repeat(LENGTH / 5);
        let coded = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &*blocks, &[3, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
        let world = World::new(Decompression::default(), 10 << 20);
        sender.send(world.post("/", "Content-Encoding: gzip\r\n", &coded, coded.len())).unwrap();
    });
    let (status, _, body) = ended.recv_timeout(Duration::from_secs(40)).expect("it takes too long");
    assert_eq!((status, &*body), (200, ""));
}
