//! Tests of the timeout flags.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::demo::{Demo, PATIENCE};
use crate::process::wait_until;
use crate::runtimes::RUNTIMES;
use crate::tls::Certified;

/// Runs an action, and checks its duration, with tolerance for a busy machine.
fn assert_takes(seconds: f64, action: impl FnOnce()) {
    let started = Instant::now();
    action();
    let took = started.elapsed();
    // The server's clock started slightly before ours.
    assert!(took >= Duration::from_secs_f64(seconds * 0.9), "{took:?}");
    assert!(took < Duration::from_secs_f64(seconds + 8.0), "{took:?}");
}

#[test]
fn head_timeout_closes_with_408() {
    let demo = Demo::start(&["--head-timeout", "0.3"]);
    let mut client = demo.connect();
    client.send("GET / HTTP/1.1\r\nHost:");
    assert_takes(0.3, || assert_eq!(client.response().status, 408));
    assert!(client.is_at_end());
}

#[test]
fn accept_timeout_closes_silent_connection() {
    for flags in [&["--head-timeout", "0.3"][..], &["--accept-timeout", "0.3"]] {
        let demo = Demo::start(flags);
        let mut client = demo.connect();
        assert_takes(0.3, || assert!(client.is_at_end(), "{flags:?}"));
    }
    let demo = Demo::start(&["--head-timeout", "0.3", "--accept-timeout", "20"]);
    let mut client = demo.connect();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(client.get("/plaintext").status, 200);
}

#[test]
fn handshake_timeout_closes_silent_tls_connection() {
    let certified = Certified::new();
    let demo = certified.start(&["--handshake-timeout", "0.3", "--head-timeout", "60"]);
    let mut client = demo.connect();
    assert_takes(0.3, || assert!(client.is_at_end()));
}

#[test]
fn linger_timeout_closes_the_connection() {
    let demo = Demo::start(&["--linger-timeout", "0.3"]);
    let mut client = demo.connect();
    client.send("nonsense\r\n\r\n");
    assert_eq!(client.response().status, 400);
    // The server has ended its stream and waits for the client to do so.
    assert_takes(0.0, || wait_until("it is closed", || demo.process().sockets() == 1));
}

/// Begins an upload that is refused because of its size, and continues until the connection is
/// closed, at most for this time.
fn upload_after_a_refusal(demo: &Demo, at_most: Duration) {
    let mut client = demo.connect();
    client.send("POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    assert_eq!(client.response().status, 413);
    let refused = Instant::now();
    while refused.elapsed() < at_most && client.try_send([b'x'; 100]).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn linger_timeout_cuts_off_a_refused_upload() {
    let demo = Demo::start(&["--linger-timeout", "1"]);
    assert_takes(1.0, || upload_after_a_refusal(&demo, PATIENCE));
    // Without the flag it may continue for longer than an ordinary linger.
    let demo = Demo::start(&[]);
    assert_takes(4.0, || upload_after_a_refusal(&demo, Duration::from_secs(4)));
}

#[test]
fn body_rate_closes_slow_upload_with_408() {
    // The rate applies after 10 seconds, which no flag changes.
    let demo = Demo::start(&["--body-rate", "1000000"]);
    let mut client = demo.connect();
    client.send("POST /echo-len HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    assert_takes(10.0, || {
        for _ in 0..9 {
            std::thread::sleep(Duration::from_secs(1));
            client.send("slow");
        }
        assert_eq!(client.response().status, 408);
    });
}

#[test]
fn idle_timeout_closes_the_connection() {
    let demo = Demo::start(&["--idle-timeout", "0.3"]);
    let mut client = demo.connect();
    assert_eq!(client.get("/plaintext").status, 200);
    assert_takes(0.3, || assert!(client.is_at_end()));
}

#[test]
fn body_timeout_closes_with_408() {
    let demo = Demo::start(&["--body-timeout", "0.3"]);
    for path in ["/any", "/echo-len"] {
        let mut client = demo.connect();
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"));
        assert_takes(0.3, || assert_eq!(client.response().status, 408, "{path}"));
        assert!(client.is_at_end());
    }
}

#[test]
fn write_timeout_resets_the_connection() {
    let demo = Demo::start(&["--write-timeout", "0.3"]);
    let mut client = demo.connect();
    client.send("GET /stream?chunks=1000&size=1000000 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.await_response();
    wait_until("it is dropped", || demo.process().sockets() == 1);
    // Bytes in flight are still received, but not all of the response.
    assert!(client.try_response("GET").is_err());
    assert_eq!(demo.get("/plaintext").status, 200);
}

/// Reads slowly, without pause: the socket never has enough free space for the kernel to report it
/// as writable.
fn read_slowly(mut client: impl Read + Write) {
    client.write_all(b"GET /stream?chunks=9&size=1000000 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut buffer = vec![0; 20_000];
    let mut received = 0;
    while received < 9_000_000 {
        let count = client.read(&mut buffer).unwrap();
        assert!(count > 0, "cut off at {received}");
        received += count;
        std::thread::sleep(Duration::from_millis(12));
    }
}

#[test]
fn slow_reader_is_served() {
    let certified = Certified::new();
    std::thread::scope(|scope| {
        for runtime in RUNTIMES {
            let flags = ["--write-timeout", "0.3", "--runtime", runtime];
            let (demo, secured) = (Demo::start(&flags), certified.start(&flags));
            let plain = TcpStream::connect(demo.address()).unwrap();
            let tls = certified.stream(&secured);
            scope.spawn(move || (read_slowly(plain), drop(demo)));
            scope.spawn(move || (read_slowly(tls), drop(secured)));
        }
    });
}

#[test]
fn half_closed_client_gets_its_response() {
    let demo = Demo::start(&[]);
    for (path, length) in [("/slow?ms=300", 4), ("/stream?chunks=3&size=10000&delay=100", 30_000)] {
        let mut client = demo.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client.half_close();
        let response = client.response();
        assert_eq!((response.status, response.body.len()), (200, length), "{path}");
        assert!(client.is_at_end());
    }
}

#[test]
fn half_closed_timeout_drops_a_disconnected_client() {
    for runtime in ["tokio", "smol", "async-std"] {
        let demo = Demo::start(&["--runtime", runtime, "--half-closed-timeout", "0.3"]);
        let sockets = demo.process().sockets();
        for path in ["/slow?ms=60000", "/stream?chunks=2&size=1&delay=60000"] {
            let mut client = demo.connect();
            client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
            wait_until("it is accepted", || demo.process().sockets() > sockets);
            drop(client);
            assert_takes(0.0, || wait_until("it is dropped", || demo.process().sockets() == sockets));
        }
        // A client that only ended its sending side gets the response.
        let mut client = demo.connect();
        client.send("GET /slow?ms=60000 HTTP/1.1\r\nHost: a\r\n\r\n");
        client.half_close();
        assert_takes(0.3, || assert_eq!(client.response().status, 503));
        assert!(client.is_at_end());
    }
}
