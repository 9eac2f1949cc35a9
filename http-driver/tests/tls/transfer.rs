//! Tests of transfers: large bodies in both directions, slow peers, key updates.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use httpants_testkit::memory::{Faults, Memory};

use crate::application::{LARGE, folder, large, serve, serve_with};
use crate::authority::tls;
use crate::client::{Client, VERSIONS, config};

fn whole(response: &[u8]) {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(response.starts_with(b"HTTP/1.1 200 ") && response[end..] == large(), "{} bytes", response.len());
}

#[test]
fn large_bodies_are_transferred_in_both_directions() {
    for version in VERSIONS {
        for seed in 0..4 {
            let memory = Memory::with_faults(seed, if seed == 0 { Faults::default() } else { Faults::all() });
            serve(&memory, tls());
            let mut client = Client::with(&memory, &Arc::new(config(version, None)), "a.test").complete_handshake();
            client.write(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n");
            whole(&std::mem::take(&mut client.received));
            client
                .write(format!("POST /length HTTP/1.1\r\nHost: a.test\r\nContent-Length: {LARGE}\r\n\r\n").as_bytes());
            client.write(&large());
            assert!(client.text().ends_with(&format!("\r\n\r\n{LARGE}")));
        }
    }
}

#[test]
fn file_is_read_and_encrypted_piece_by_piece() {
    let (_folder, root) = folder();
    for send_files in [false, true] {
        let mut faults = Faults::all();
        faults.send_files = send_files;
        let memory = Memory::with_faults(7, faults);
        serve_with(&memory, tls(), |server| server.file_root(root.clone()));
        let mut client = Client::new(&memory).complete_handshake();
        client.write(b"GET /file HTTP/1.1\r\nHost: a.test\r\n\r\n");
        whole(&std::mem::take(&mut client.received));
        client.write(b"GET /file HTTP/1.1\r\nHost: a.test\r\nRange: bytes=1000000-1999999\r\n\r\n");
        assert!(
            client.received.starts_with(b"HTTP/1.1 206 ") && client.received.ends_with(&large()[1_000_000..2_000_000])
        );
    }
}

#[test]
fn slow_reader_takes_bounded_memory() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.wire.take_only(1000);
    client.write(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n");
    while client.received.len() < LARGE {
        // The client reads some more each second.
        memory.advance(Duration::from_secs(1));
        client.wire.take_only(100_000);
        memory.run();
        client.take();
        assert_eq!(client.error, None);
    }
    whole(&client.received);
}

/// Sent bytes of several records count before the last record was sent completely.
#[test]
fn client_reading_less_than_a_record_in_30_s_is_served() {
    for (taken, served) in [(10_000, true), (8_000, true), (100, false)] {
        let memory = Memory::new();
        let handle = serve(&memory, tls());
        let mut client = Client::new(&memory).complete_handshake();
        client.wire.take_only(1000);
        client.write(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n");
        for round in 0..20 {
            memory.advance(Duration::from_secs(15));
            // Between two deadlines, with and without readiness reported by the runtime.
            if round % 2 == 0 {
                client.wire.take_only(taken)
            } else {
                client.wire.take_only_unreported(taken)
            }
            memory.run();
            memory.advance(Duration::from_secs(10));
            client.take();
        }
        assert_eq!(handle.connections() == 1, served, "{taken} bytes each 25 s");
    }
}

#[test]
fn client_that_never_reads_is_dropped_at_its_timeout() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.wire.take_only(100_000);
    client.write(b"GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let polls = memory.polls();
    memory.advance(Duration::from_millis(29_999));
    assert_eq!(handle.connections(), 1);
    assert!(memory.polls() - polls < 10, "it waits instead of spinning");
    memory.advance(Duration::from_millis(1));
    assert_eq!(handle.connections(), 0);
    client.take();
    assert!(!client.is_closed, "a truncated response does not look complete");
}

/// Encrypted bytes that are not sent yet count as unsent: the connection lives until the write
/// timer, not until the idle timer.
#[test]
fn close_waits_for_the_last_encrypted_bytes() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.wire.take_only(10);
    client.write(b"GET /short HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    memory.advance(Duration::from_secs(29));
    assert_eq!(handle.connections(), 1);
    client.wire.take_only(usize::MAX);
    memory.run();
    client.take();
    assert!(client.text().ends_with("\r\n\r\n/short") && client.is_closed);
    let mut client = Client::new(&memory).complete_handshake();
    client.wire.take_only(10);
    client.write(b"GET /short HTTP/1.1\r\nHost: a.test\r\n\r\n");
    memory.advance(Duration::from_secs(30));
    assert!(client.wire.is_closed());
}

#[test]
fn pipelined_requests_get_responses_in_order() {
    for seed in 0..10 {
        let memory = Memory::with_faults(seed, Faults::all());
        serve(&memory, tls());
        let mut client = Client::new(&memory).complete_handshake();
        let requests: String = (0..100).map(|n| format!("GET /{n}. HTTP/1.1\r\nHost: a.test\r\n\r\n")).collect();
        client.write(requests.as_bytes());
        let responses = client.text();
        let mut rest = responses.as_str();
        for number in 0..100 {
            rest = rest.split_once(&format!("\r\n\r\n/{number}.")).unwrap().1;
        }
        assert_eq!(rest, "");
    }
}

/// Records of one byte, and requests that end within records.
#[test]
fn records_may_be_cut_anywhere() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    let mut flight = Vec::new();
    for byte in b"GET /one HTTP/1.1\r\nHost: a.test\r\n\r\nGET /two HTTP/1.1\r\nHost: a.test\r\n\r\n" {
        client.session.writer().write_all(&[*byte]).unwrap();
        flight.extend(client.flight());
    }
    for piece in flight.chunks(7) {
        client.wire.send(piece);
        memory.run();
    }
    client.take();
    let responses = client.text();
    assert!(responses.contains("\r\n\r\n/one") && responses.ends_with("\r\n\r\n/two"), "{responses}");
}

#[test]
fn key_updates_are_handled() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    for number in 0..10 {
        client.session.refresh_traffic_keys().unwrap();
        assert_eq!(client.content(&format!("/{number}")), format!("/{number}"));
    }
}

#[test]
fn continue_is_sent_over_tls() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.write(b"POST /length HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.text(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.write(b"12345");
    assert!(client.text().ends_with("\r\n\r\n5"));
}
