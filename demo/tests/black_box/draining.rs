//! Tests of graceful shutdown: running requests are finished, and responses are complete.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tungstenite::Message;
use tungstenite::protocol::frame::coding::CloseCode;

use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::process::wait_until;
use crate::runtimes::RUNTIMES;
use crate::websocket::{HANDSHAKE, assert_closes};

#[test]
fn sigterm_without_requests_ends_at_once() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut demo = Demo::start(&[]);
        let mut idle = demo.connect();
        assert_eq!(idle.get("/plaintext").status, 200);
        demo.signal(signal);
        assert!(idle.is_at_end());
        assert_eq!(demo.exit().code(), Some(0));
    }
}

#[test]
fn drain_finishes_running_requests_with_connection_close() {
    let mut demo = Demo::start(&[]);
    let (mut slow, mut stream) = (demo.connect(), demo.connect());
    stream.send("GET /stream?chunks=20&size=10000&delay=100 HTTP/1.1\r\nHost: a\r\n\r\n");
    stream.await_response();
    slow.begin_slow(2000);
    demo.terminate();
    demo.await_refusal();
    assert!(demo.is_running());
    let response = slow.response();
    assert_eq!((response.text(), response.header("Connection")), ("slow", Some("close")));
    assert!(slow.is_at_end());
    assert_eq!(stream.response().body.len(), 200_000);
    assert_eq!(demo.exit().code(), Some(0));
}

/// The process is stopped while the requests and the signal arrive, so that the kernel has all of
/// them before the server sees any.
#[test]
fn drain_serves_requests_and_connections_that_the_kernel_has() {
    for runtime in RUNTIMES {
        for workers in ["1", "2"] {
            let mut demo = Demo::start(&["--runtime", runtime, "--workers", workers]);
            let mut clients: Vec<_> = (0..20).map(|_| demo.connect()).collect();
            for client in clients.iter_mut().take(10) {
                assert_eq!(client.get("/plaintext").status, 200);
            }
            demo.signal(Signal::STOP);
            clients.extend((0..10).map(|_| demo.connect()));
            clients.iter_mut().for_each(|client| client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n"));
            demo.terminate();
            demo.signal(Signal::CONT);
            for (number, client) in clients.iter_mut().enumerate() {
                let response = client.try_response("GET").ok().flatten().map(|response| response.status);
                assert_eq!(response, Some(200), "client {number} on {runtime} with {workers} workers");
            }
            drop(clients);
            assert_eq!(demo.exit().code(), Some(0));
        }
    }
}

#[test]
fn drain_serves_partially_received_request() {
    let mut demo = Demo::start(&[]);
    let mut client = demo.connect();
    // Both requests were received in one read, so the second begins when the first is finished.
    client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n");
    assert_eq!(client.response().status, 200);
    demo.terminate();
    demo.await_refusal();
    client.send("\r\n");
    let response = client.response();
    assert_eq!((response.status, response.header("Connection")), (503, Some("close")));
    assert_eq!(demo.exit().code(), Some(0));
}

#[test]
fn drain_delay_fails_the_health_check_and_serves_on() {
    for runtime in RUNTIMES {
        let mut demo = Demo::start(&["--runtime", runtime, "--workers", "2", "--drain-delay", "600"]);
        let mut client = demo.connect();
        assert_eq!(client.get("/healthz").text(), "ok");
        demo.terminate();
        wait_until("/healthz fails", || demo.get("/healthz").status == 503);
        let response = client.get("/plaintext");
        assert_eq!((response.text(), response.header("Connection")), ("Hello, World!", None));
        assert_eq!(demo.get("/plaintext").status, 200);
        // The signal ends the delay, and not the grace period.
        client.begin_slow(500);
        demo.terminate();
        demo.await_refusal();
        assert_eq!(client.response().text(), "slow");
        assert_eq!(demo.exit().code(), Some(0));

        let mut demo = Demo::start(&["--runtime", runtime, "--workers", "2", "--drain-delay", "0.3"]);
        demo.terminate();
        assert_eq!(demo.exit().code(), Some(0), "the delay ends by itself");
    }
}

#[test]
fn second_signal_ends_at_once() {
    let mut demo = Demo::start(&[]);
    let mut client = demo.connect();
    client.begin_slow(60_000);
    demo.terminate();
    demo.await_refusal();
    assert!(demo.is_running());
    let second = Instant::now();
    demo.terminate();
    demo.exit();
    assert!(second.elapsed() < Duration::from_secs(10));
    // The connection was dropped without a response: ended or reset.
    assert!(!matches!(client.try_response("GET"), Ok(Some(_))));
}

#[test]
fn websockets_are_closed_with_going_away() {
    for runtime in RUNTIMES {
        let mut demo = Demo::start(&["--runtime", runtime, "--workers", "2"]);
        let mut sockets: Vec<_> = (0..4).map(|_| crate::websocket::connect(&demo)).collect();
        sockets[0].send(Message::text("echoed")).unwrap();
        assert_eq!(sockets[0].read().unwrap(), Message::text("echoed"));
        demo.terminate();
        for socket in &mut sockets {
            assert_closes(socket, CloseCode::Away, runtime);
        }
        assert_eq!(demo.exit().code(), Some(0));
    }
}

#[test]
fn unclosed_websocket_delays_shutdown_by_at_most_1_s() {
    for signals in [1, 2] {
        let mut demo = Demo::start(&[]);
        let mut client = demo.connect();
        client.send(HANDSHAKE);
        assert_eq!(client.response().status, 101);
        let first = Instant::now();
        demo.terminate();
        assert_eq!(client.bytes(4), b"\x88\x02\x03\xe9");
        assert!(demo.is_running());
        if signals == 2 {
            demo.terminate();
        }
        assert_eq!(demo.exit().code(), Some(0));
        let (took, held) = (first.elapsed(), Duration::from_secs(1));
        assert_eq!(took < held, signals == 2, "{took:?}");
        assert!(took < held * 10, "{took:?}");
    }
}

/// The results of one client under load.
#[derive(Debug, Default)]
struct Seen {
    whole: usize,
    closed: usize,
    broken: Vec<String>,
}

impl Seen {
    fn and(mut self, other: Self) -> Self {
        self.whole += other.whole;
        self.closed += other.closed;
        self.broken.extend(other.broken);
        self
    }
}

/// Sends requests until connections are refused.
fn load(address: SocketAddr, request: &[u8], length: usize, responses: &AtomicUsize) -> Seen {
    let mut seen = Seen::default();
    while let Ok(stream) = TcpStream::connect(address) {
        let mut client = Client::tcp(stream);
        loop {
            // The server may close while the request is in transit, before it responds.
            let sent = client.try_send(request);
            match client.try_response("GET") {
                Ok(Some(response)) if response.status == 200 && response.body.len() == length => {
                    seen.whole += 1;
                    responses.fetch_add(1, Ordering::Relaxed);
                }
                Ok(Some(response)) => seen.broken.push(format!("{} with {}", response.status, response.body.len())),
                Ok(None) => break seen.closed += 1,
                Err(error) if is_close(&error) => break seen.closed += 1,
                Err(error) => break seen.broken.push(format!("{error}; sent: {sent:?}")),
            }
        }
    }
    seen
}

/// Returns whether the connection ended before the first byte of a response; within a response the
/// error is `UnexpectedEof`.
fn is_close(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}

#[test]
fn drain_under_load_breaks_no_response() {
    let echo = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(200_000));
    let kinds = [
        ("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n", 13),
        ("GET /stream?chunks=20&size=20000 HTTP/1.1\r\nHost: a\r\n\r\n", 400_000),
        ("GET /slow?ms=5 HTTP/1.1\r\nHost: a\r\n\r\n", 4),
        ("GET /plaintext HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 13),
        (&*echo, 200_000),
    ];
    for workers in ["1", "2"] {
        let mut demo = Demo::start(&["--workers", workers]);
        let address = demo.address();
        let responses = &AtomicUsize::new(0);
        let seen = thread::scope(|scope| {
            let clients = kinds.iter().cycle().take(kinds.len() * 8);
            let clients: Vec<_> = clients
                .map(|&(request, length)| scope.spawn(move || load(address, request.as_bytes(), length, responses)))
                .collect();
            let deadline = Instant::now() + PATIENCE;
            while responses.load(Ordering::Relaxed) < 1000 && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
            demo.terminate();
            clients.into_iter().map(|client| client.join().unwrap()).fold(Seen::default(), Seen::and)
        });
        assert_eq!(seen.broken, Vec::<String>::new());
        assert!(seen.whole >= 1000, "{seen:?}");
        assert_eq!(demo.exit().code(), Some(0));
    }
}
