//! Tests of many, slow and aborted connections.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Attack, open, raise_limit, reset, slowest};
use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::process::wait_until;

/// Errors of a read without data: a timeout, or an interruption because the process was stopped for
/// a while.
const NOT_YET: [ErrorKind; 3] = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];

/// Sends bytes one at a time with pauses until a response is received; returns the duration.
fn send_slowly(stream: &mut TcpStream, bytes: &[u8], pause: Duration) -> Duration {
    let started = Instant::now();
    stream.set_read_timeout(Some(pause)).unwrap();
    for byte in bytes.iter().cycle() {
        // A closed connection is detected below.
        let _ = stream.write_all(&[*byte]);
        match stream.peek(&mut [0]) {
            Err(error) if NOT_YET.contains(&error.kind()) => {}
            other => {
                other.unwrap();
                break;
            }
        }
        assert!(started.elapsed() < PATIENCE, "it accepts bytes forever");
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    started.elapsed()
}

#[test]
fn slow_head_is_408_at_its_deadline() {
    let demo = Demo::start(&["--head-timeout", "0.5"]);
    let attack = Attack::begin("a head with one byte every 50 ms", &demo);
    let mut stream = open(&demo);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ").unwrap();
    let took = send_slowly(&mut stream, b"y", Duration::from_millis(50));
    let mut client = Client::tcp(stream);
    assert_eq!(client.response().status, 408);
    assert!(client.is_at_end());
    assert!(took > Duration::from_millis(400) && took < Duration::from_secs(8), "{took:?}");
    drop(client);
    attack.end("408 at the deadline (0.5 s here), then closed", 512, Duration::ZERO);
}

#[test]
#[ignore = "takes 10 s"]
fn slow_body_below_the_rate_is_408() {
    let demo = Demo::start(&[]);
    let attack = Attack::begin("a body with one byte every 100 ms", &demo);
    let mut stream = open(&demo);
    stream.write_all(b"POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n").unwrap();
    let took = send_slowly(&mut stream, b"x", Duration::from_millis(100));
    assert_eq!(Client::tcp(stream).response().status, 408);
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(20), "{took:?}");
    attack.end("408 after 10 s below 256 B/s, then closed", 512, Duration::from_secs(2));
}

#[test]
fn other_clients_are_served_beside_2000_slow_heads() {
    raise_limit();
    let demo = Demo::start(&["--head-timeout", "6"]);
    let attack = Attack::begin("2,000 connections with half a head", &demo);
    let mut flood: Vec<_> = (0..2000).map(|_| open(&demo)).collect();
    flood.iter_mut().for_each(|stream| stream.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap());
    attack.holds(2000);
    let waited = slowest(&demo, 200);
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    let others = flood.split_off(1000);
    for stream in flood {
        assert_eq!(Client::tcp(stream).response().status, 408);
    }
    drop(others);
    let did = format!("408 at the deadline; the slowest of 200 others got its response in {waited:?}");
    attack.end(&did, 2000 * 16, Duration::from_secs(2));
}

fn connect_and_close(mut stream: TcpStream, count: u32) {
    match count % 4 {
        0 => {}
        1 => stream.write_all(b"GET /").unwrap(),
        2 => stream.write_all(b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n").unwrap(),
        _ => {
            stream.write_all(b"POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx").unwrap();
            reset(stream);
        }
    }
}

#[test]
fn short_connections_leave_no_descriptor() {
    let demo = Demo::start(&[]);
    let attack = Attack::begin("5,000 short connections, 100 at a time", &demo);
    // Memory depends on the number of simultaneous connections, so that is limited here. A client
    // that does not wait opens connections faster than a busy server closes them: of 5,000, up to
    // 600 were open at once on smol, and 2,900 on async-std, where one thread accepts for all
    // threads.
    for _ in 0..50 {
        (0..100).for_each(|count| connect_and_close(open(&demo), count));
        attack.await_release();
    }
    attack.end("closed with them", 4096, Duration::from_secs(2));
}

#[test]
fn reset_at_any_byte_leaves_no_descriptor() {
    let demo = Demo::start(&[]);
    let attack = Attack::begin("a reset after each byte of a request and of its response", &demo);
    let request =
        b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n";
    for cut in 0..=request.len() {
        let mut stream = open(&demo);
        stream.write_all(&request[..cut]).unwrap();
        reset(stream);
    }
    for path in ["/plaintext", "/file/1m", "/stream?chunks=1000&size=10000"] {
        for read in [1, 100, 5000] {
            let mut stream = open(&demo);
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
            let mut start = vec![0; read.min(150)];
            stream.read_exact(&mut start).unwrap();
            reset(stream);
        }
    }
    attack.end("closed with them", 2048, Duration::from_secs(2));
}

#[test]
fn clients_that_never_read_are_reset() {
    let demo = Demo::start(&["--write-timeout", "0.5"]);
    let attack = Attack::begin("50 clients that request 1 GB each and never read", &demo);
    let mut flood: Vec<_> = (0..50).map(|_| open(&demo)).collect();
    for stream in &mut flood {
        stream.write_all(b"GET /stream?chunks=16000&size=65536 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    }
    attack.holds(50);
    attack.end("reset at the write deadline (0.5 s here)", 50 * 256 + 1024, Duration::from_secs(1));
    drop(flood);
}

#[test]
fn pipelining_client_that_never_reads_is_reset() {
    let demo = Demo::start(&["--write-timeout", "0.5"]);
    let attack = Attack::begin("100,000 pipelined requests of a client that never reads", &demo);
    let mut stream = open(&demo);
    let batch = b"GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1000);
    attack.holds(1);
    let sent = (0..100).take_while(|_| stream.write_all(&batch).is_ok()).count();
    assert!(sent > 1, "only {sent} batches were taken");
    wait_until("it is dropped", || attack.process.descriptors().len() <= attack.descriptors);
    let mut responses = Vec::new();
    assert!(stream.read_to_end(&mut responses).is_err(), "the end looks regular");
    let count = responses.windows(5).filter(|start| start == b"HTTP/").count();
    assert!(count < 50_000, "{count} responses");
    attack.end(
        "stops reading when responses are not sent, reset at the write deadline (0.5 s here)",
        1024,
        Duration::from_secs(1),
    );
}
