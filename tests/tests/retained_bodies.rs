//! Tests of the memory of an application that keeps a body as the received `Bytes`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use allocation_counter::measure;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use httpants_core::{Config, Headers};
use httpants_driver::tower::TowerService;
use httpants_driver::{Body, BodyError, BodyPolicy, BoxError, Request, Server};
use httpants_testkit::memory::{Client, Memory};

/// Memory of a connection and its handler without a body, in bytes: receive buffer, queue, task.
const CONNECTION: usize = 256 << 10;
/// Memory of a piece in addition to its bytes: the `Bytes`, its reference count, and a place in a
/// growing collection of the application.
const PIECE: usize = 160;
const SEGMENTS: usize = 10_000;

/// The number of kept pieces, and of the body bytes in them.
#[derive(Clone, Default)]
struct Kept {
    pieces: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Kept {
    fn add(&self, piece: &[u8]) {
        self.pieces.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(piece.len(), Ordering::Relaxed);
    }

    fn pieces(&self) -> usize {
        self.pieces.load(Ordering::Relaxed)
    }

    fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// Reads the body and keeps the pieces.
async fn keep(body: &mut Body, kept: &Kept) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else { break };
        kept.add(&piece);
        pieces.push(piece);
    }
    pieces
}

/// Starts an application that keeps everything and never responds.
fn start(memory: &Memory, change: impl FnOnce(&mut Config)) -> Kept {
    let kept = Kept::default();
    let counted = kept.clone();
    let handler = move |mut request: Request| {
        let kept = counted.clone();
        async move {
            let _everything = keep(request.body_mut(), &kept).await;
            pending::<String>().await
        }
    };
    let server = Server::with_runtime(memory.clone(), handler).body_policy(|_| BodyPolicy::Stream);
    memory.start(server.config(change));
    memory.run();
    kept
}

/// Starts the same as a tower service, with http-body-util.
fn start_tower(memory: &Memory) -> Kept {
    let kept = Kept::default();
    let counted = kept.clone();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let kept = counted.clone();
        async move {
            let body = request.into_body().map_frame(move |frame| {
                frame.data_ref().into_iter().for_each(|data: &Bytes| kept.add(data));
                frame
            });
            let _everything = body.collect().await;
            pending::<()>().await;
            Ok::<_, BoxError>(http::Response::new(Full::new(Bytes::new()).map_err(|never| match never {})))
        }
    });
    memory.start(Server::with_runtime(memory.clone(), TowerService::new(service)));
    memory.run();
    kept
}

/// Returns the number of heap bytes after the actions of the client, minus those of an idle server.
fn held(memory: &Memory, act: impl FnOnce(&Client)) -> usize {
    let client = memory.connect();
    memory.run();
    let allocations = measure(|| act(&client));
    usize::try_from(allocations.bytes_current).unwrap()
}

fn post(memory: &Memory, client: &Client, fields: &str) {
    client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").as_bytes());
    memory.run();
}

/// Sends the segment this many times, each time separately.
fn drip(memory: &Memory, client: &Client, segment: &[u8], times: usize) {
    for _ in 0..times {
        client.send(segment);
        memory.run();
    }
}

#[track_caller]
fn check(name: &str, held: usize, kept: &Kept) {
    let (pieces, bytes) = (kept.pieces(), kept.bytes());
    let bound = 2 * bytes + pieces * PIECE + CONNECTION;
    println!("{name}: {held} of {bound} bytes for {bytes} bytes in {pieces} pieces");
    assert!(held <= bound, "{name}: {held} of {bound} bytes for {bytes} bytes in {pieces} pieces");
}

#[test]
fn kept_one_byte_segments_do_not_retain_receive_blocks() {
    for (name, tower) in [("pieces", false), ("collected", true)] {
        let memory = Memory::new();
        let kept = if tower { start_tower(&memory) } else { start(&memory, |_| {}) };
        let held = held(&memory, |client| {
            post(&memory, client, "Content-Length: 1000000\r\n");
            drip(&memory, client, b"x", SEGMENTS);
        });
        assert_eq!((kept.bytes(), kept.pieces()), (SEGMENTS, SEGMENTS), "{name}");
        check(name, held, &kept);
    }
}

#[test]
fn one_byte_chunks_of_one_read_are_joined() {
    for (name, tower) in [("pieces", false), ("collected", true)] {
        let memory = Memory::new();
        let kept = if tower { start_tower(&memory) } else { start(&memory, |_| {}) };
        let held = held(&memory, |client| {
            post(&memory, client, "Transfer-Encoding: chunked\r\n");
            // 30,000 bytes, and then 60,000, which are received in a few reads.
            for times in [SEGMENTS / 2, SEGMENTS] {
                drip(&memory, client, &b"1\r\nx\r\n".repeat(times), 1);
            }
        });
        assert_eq!(kept.bytes(), SEGMENTS * 3 / 2, "{name}");
        assert!(kept.pieces() <= 16, "{name}: {} pieces", kept.pieces());
        check(name, held, &kept);
    }
}

/// Bytes sent while the application is busy are received in few pieces.
#[test]
fn queued_segments_are_joined() {
    let memory = Memory::new();
    let kept = start(&memory, |_| {});
    let held = held(&memory, |client| {
        post(&memory, client, "Content-Length: 1000000\r\n");
        (0..SEGMENTS).for_each(|_| client.send(b"x"));
        memory.run();
    });
    assert_eq!(kept.bytes(), SEGMENTS);
    assert!(kept.pieces() <= 4, "{} pieces", kept.pieces());
    check("waiting", held, &kept);
}

#[test]
fn kept_segments_retain_at_most_twice_their_bytes() {
    for size in [2, 7, 100, 1000, 8000, 20_000, 32_767, 32_768, 40_000, 65_536, 100_000] {
        let memory = Memory::new();
        let kept = start(&memory, |config| config.limits.max_body_size = 1 << 30);
        let times = (4_000_000 / size).min(2000);
        let held = held(&memory, |client| {
            post(&memory, client, "Content-Length: 1000000000\r\n");
            drip(&memory, client, &vec![b'x'; size], times);
        });
        assert_eq!(kept.bytes(), size * times);
        check(&format!("segments of {size} bytes"), held, &kept);
    }
}

/// A receive buffer may be larger than `body_buffer`: with a larger `recv_buffer`, and after a
/// large head.
#[test]
fn segments_of_large_blocks_retain_at_most_twice_their_bytes() {
    let memory = Memory::new();
    let kept = start(&memory, |config| {
        config.limits.recv_buffer = 1 << 20;
        config.limits.max_body_size = 1 << 30;
    });
    let held = held(&memory, |client| {
        post(&memory, client, "Content-Length: 100000000\r\n");
        drip(&memory, client, &[b'x'; 40_000], 50);
    });
    assert_eq!(kept.bytes(), 2_000_000);
    // The connection's own buffer is larger, too.
    check("recv_buffer", held.saturating_sub(1 << 20), &kept);
}

#[test]
fn kept_trailers_do_not_retain_receive_blocks() {
    let memory = Memory::new();
    let trailers: Arc<Mutex<Vec<Headers>>> = Arc::default();
    let kept = Arc::clone(&trailers);
    let handler = move |mut request: Request| {
        let kept = Arc::clone(&kept);
        async move {
            while request.body_mut().next().await.is_some() {}
            kept.lock().unwrap().extend(request.body_mut().trailers());
            "done"
        }
    };
    let server = Server::with_runtime(memory.clone(), handler).body_policy(|_| BodyPolicy::Stream);
    memory.start(server);
    memory.run();
    let held = held(&memory, |client| {
        for _ in 0..20 {
            post(&memory, client, "Transfer-Encoding: chunked\r\n");
            drip(&memory, client, &[b"EA60\r\n".to_vec(), vec![b'x'; 60_000], b"\r\n".to_vec()].concat(), 1);
            drip(&memory, client, b"0\r\nX-Checksum: 1\r\n\r\n", 1);
            drop(client.take_received());
        }
    });
    assert_eq!(trailers.lock().unwrap().iter().filter(|fields| fields.get("x-checksum").is_some()).count(), 20);
    let bound = CONNECTION + 20 * 1024;
    println!("trailers: {held} of {bound} bytes");
    assert!(held <= bound, "{held} of {bound} bytes");
}

/// One handler reads one piece only, another one none.
#[test]
fn unread_body_retains_only_the_read_ahead() {
    for reads in [0, 1] {
        let memory = Memory::new();
        let handler = move |mut request: Request| async move {
            for _ in 0..reads {
                let _: Option<Result<Bytes, BodyError>> = request.body_mut().next().await;
            }
            pending::<String>().await
        };
        let server = Server::with_runtime(memory.clone(), handler).body_policy(|_| BodyPolicy::Stream);
        memory.start(server.config(|config| config.timeouts.body = None));
        memory.run();
        let mut most = 0;
        let held = held(&memory, |client| {
            post(&memory, client, "Content-Length: 1000000\r\n");
            for _ in 0..20 {
                drip(&memory, client, b"x", SEGMENTS);
                most = most.max(client.unread());
            }
        });
        // The in-memory pipe holds what the server leaves unread.
        let bound = CONNECTION + 2 * (64 << 10) + 2 * most;
        println!("undrained after {reads} reads: {held} of {bound} bytes, {most} unread");
        assert!(most >= 20 * SEGMENTS - (64 << 10) - 1 && held <= bound, "{held} of {bound} bytes, {most} unread");
    }
}
