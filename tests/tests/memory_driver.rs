//! Tests of the memory of one connection with its driver: the limit of the core, a constant for the
//! driver, and the limits of forms for bodies.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::future::poll_fn;
use std::pin::Pin;

use allocation_counter::measure;
use futures_io::AsyncRead;
use httpants_core::{Config, forms};
use httpants_driver::{BodyError, BodyPolicy, Request, Response, Server, Upgraded};
use httpants_testkit::memory::{Client, Memory};

/// The driver's own memory: the task, the exchange and the handler's future; and the test client's
/// unread bytes.
const DRIVER: usize = 32 << 10;
const PIECE: usize = 16 << 10;
const PIPE: usize = 4 * PIECE;

/// Returns the maximum number of heap bytes during the actions of a client, minus those of an idle
/// server.
fn peak(client: impl FnOnce(&Memory, Client)) -> usize {
    let memory = Memory::new();
    let directory = tempfile::tempdir().unwrap();
    let handler = async |request: Request| match request.path() {
        "/endless" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            while responder.send(vec![b'x'; PIECE]).await.is_ok() {}
            responder.finish().await
        }
        _ => {
            let count = request.post().len() + request.files().iter().count();
            request.responder().send_response(count.to_string(), 200, "text/plain")
        }
    };
    let server = Server::with_runtime(memory.clone(), handler).upload_directory(directory.path());
    memory.start(server);
    memory.run();
    let held = measure(|| client(&memory, memory.connect()));
    usize::try_from(held.bytes_max).unwrap()
}

/// Sends as much as the server accepts.
fn send(memory: &Memory, client: &Client, bytes: &[u8]) {
    for piece in bytes.chunks(PIECE) {
        if client.unread() > 0 {
            return;
        }
        client.send(piece);
        memory.run();
    }
}

fn post(memory: &Memory, client: &Client, path: &str, content_type: &str, content: &[u8]) -> String {
    let length = content.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n");
    send(memory, client, head.as_bytes());
    send(memory, client, content);
    String::from_utf8(client.take_received()).unwrap()
}

#[track_caller]
fn check(name: &str, peak: usize, content: usize) {
    let bound = Config::default().limits.memory_bound() + DRIVER + PIPE + content;
    println!("{name}: {peak} of {bound} bytes");
    assert!(peak <= bound, "{name}: {peak} of {bound} bytes");
}

#[test]
fn client_that_never_reads_stays_within_the_bound() {
    for path in ["/plaintext", "/endless"] {
        let requests = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").repeat(30_000);
        let peak = peak(|memory, client| {
            client.take_only(0);
            send(memory, &client, requests.as_bytes());
            assert!(client.unread() > 0, "all was read");
        });
        check(path, peak, PIECE);
    }
}

/// Returns the number of heap bytes that a request allocates after the first requests have filled
/// the caches.
fn allocated_by(server: Server<Memory, impl httpants_driver::Handler>, memory: &Memory, request: &[u8]) -> u64 {
    const REQUESTS: u64 = 20;
    memory.start(server);
    let client = memory.connect();
    let exchange = || {
        for piece in request.chunks(64 << 10) {
            client.send(piece);
            memory.run();
        }
        assert!(client.take_received().starts_with(b"HTTP/1.1 200 "));
    };
    (0..5).for_each(|_| exchange());
    measure(|| (0..REQUESTS).for_each(|_| exchange())).bytes_total / REQUESTS
}

/// The last piece of a body holds the receive buffer until the handler has taken it.
#[test]
fn streamed_body_reuses_receive_buffers() {
    let memory = Memory::new();
    let handler = async |mut request: Request| {
        let mut length = 0;
        while let Some(piece) = request.body_mut().next().await {
            length += piece?.len();
        }
        Ok::<_, BodyError>(length.to_string())
    };
    let server = Server::with_runtime(memory.clone(), handler).body_policy(|_| BodyPolicy::Stream);
    let body = vec![b'x'; 1 << 20];
    let request =
        [format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), &body].concat();
    let allocated = allocated_by(server, &memory, &request);
    println!("{allocated} bytes for each streamed body");
    assert!(allocated < 16 << 10, "{allocated} bytes");
}

#[test]
fn plain_request_allocates_only_what_the_client_receives() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), async |_: Request| "Hello, World!");
    let allocated = allocated_by(server, &memory, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    println!("{allocated} bytes for each request");
    assert!(allocated < 250, "{allocated} bytes");
}

/// An idle connection holds its task and the pipe of the test; the state that it shares with
/// handlers is reused by others.
#[test]
fn idle_connections_hold_little_memory() {
    let mut clients = Vec::new();
    let held = {
        let memory = Memory::new();
        memory.start(Server::with_runtime(memory.clone(), async |_: Request| "Hello, World!"));
        let mut exchange = || {
            let client = memory.connect();
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            memory.run();
            assert!(client.take_received().ends_with(b"Hello, World!"));
            clients.push(client);
        };
        (0..28).for_each(|_| exchange());
        measure(|| (0..100).for_each(|_| exchange())).bytes_current / 100
    };
    println!("{held} bytes of an idle connection and its client");
    assert!(held < 1600, "{held} bytes");
}

/// It holds neither head nor body of the request, nor the bytes received after them.
#[test]
fn upgraded_streams_keep_no_buffer_of_their_connection() {
    const STREAMS: usize = 50;
    let memory = Memory::new();
    let handler = async |_: Request| {
        Response::upgrade("echo", async |mut stream: Upgraded| {
            let mut buffer = [0; 64];
            while let Ok(1..) = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await {}
        })
    };
    memory.start(Server::with_runtime(memory.clone(), handler));
    let fields = "Host: a\r\nConnection: upgrade\r\nUpgrade: echo\r\nContent-Length: 100000\r\n";
    let head = format!("GET / HTTP/1.1\r\n{fields}A: {}\r\n\r\n", "a".repeat(30_000));
    let request = [head.as_bytes(), &[b'x'; 100_000], b"first bytes"].concat();
    let mut clients = Vec::new();
    let mut open = |count| {
        for _ in 0..count {
            let client = memory.connect();
            for piece in request.chunks(1000) {
                client.send(piece);
                memory.run();
            }
            assert!(client.take_received().starts_with(b"HTTP/1.1 101 "));
            clients.push(client);
        }
    };
    // The first connections fill the cache of buffers.
    open(70);
    let held = measure(|| open(STREAMS));
    let each = usize::try_from(held.bytes_current).unwrap() / STREAMS;
    println!("{each} bytes for each upgraded stream");
    assert!(each < 8 << 10, "{each} bytes");
}

#[test]
fn raw_bodies_stay_within_their_limits() {
    let content = vec![b'x'; 10 << 20];
    let limits = forms::FormLimits::default();
    let whole = peak(|memory, client| {
        assert!(post(memory, &client, "/", "image/png", &content).ends_with("\r\n\r\n0"));
    });
    // The part that stays in memory, and two batches.
    check("raw", whole, 3 * limits.memory as usize);
}

fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

/// The buffer of text grows by doubling, and is copied from the previous one. Text that is not
/// UTF-8 is stored as bytes; the text with replacement characters is created only if the
/// application asks for it.
#[test]
fn forms_stay_within_their_limits() {
    let limits = forms::FormLimits::default();
    let (total, field) = (limits.total_memory as usize, limits.text_field as usize);
    let form = |part: &[u8], times: usize| [&part.repeat(times)[..], b"--b--\r\n"].concat();
    for (name, content, most) in [
        ("a file", form(&part("name=f; filename=x", &vec![b'x'; 9 << 20]), 1), 3 * limits.memory as usize),
        ("files that stay in memory", form(&part("name=f; filename=x", &vec![b'x'; 10_000]), 900), total),
        ("text", form(&part("name=a", &vec![b'x'; field]), 9), 3 * total),
        ("text that is not UTF-8", form(&part("name=a", &vec![b'\xff'; field]), 9), 4 * total),
        ("1,000 parts", form(&part("name=a", b"x"), 1000), total),
        ("a part's head", form(&part(&format!("name=a; filename={}", "x".repeat(16_000)), b""), 600), 3 * total),
        ("a text's head", form(&part(&format!("name={}", "x".repeat(16_000)), b""), 600), 4 * total),
    ] {
        let peak = peak(|memory, client| {
            let response = post(memory, &client, "/", "multipart/form-data; boundary=b", &content);
            assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        });
        check(name, peak, most);
    }
    let type_ = "application/x-www-form-urlencoded";
    for (name, content, most) in [
        ("one variable", [b"a=", &vec![b'x'; (10 << 20) - 2][..]].concat(), 3 * total),
        ("escaped", [b"a=", &b"%41".repeat(3_000_000)[..]].concat(), 3 * total),
        ("not UTF-8", [b"a=", &vec![b'\xff'; (10 << 20) - 2][..]].concat(), 4 * total),
        ("1,000 variables", b"a=x&".repeat(1000), 3 * total),
    ] {
        let peak = peak(|memory, client| {
            assert!(post(memory, &client, "/", type_, &content).starts_with("HTTP/1.1 200 "));
        });
        check(name, peak, most);
    }
}
