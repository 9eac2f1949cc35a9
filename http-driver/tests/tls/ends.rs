//! Tests of the end of connections: nothing truncated looks complete, and nothing complete is lost.

use std::io::ErrorKind;
use std::time::Duration;

use httpants_testkit::memory::{Faults, Memory};

use crate::application::{ENDS, folder, large, serve, serve_with};
use crate::authority::tls;
use crate::client::Client;

#[test]
fn close_notify_follows_the_last_response() {
    for request in ["GET /end HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "GET /end HTTP/1.0\r\n\r\n"] {
        for seed in 0..20 {
            let memory = Memory::with_faults(seed, if seed == 0 { Faults::default() } else { Faults::all() });
            serve(&memory, tls());
            let mut client = Client::new(&memory).complete_handshake();
            client.write(request.as_bytes());
            assert!(client.text().ends_with("\r\n\r\n/end"));
            assert!(client.is_closed && client.wire.is_ended() && !client.wire.is_reset());
        }
    }
}

#[test]
fn close_notify_follows_a_refusal() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.write(b"nonsense\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 400 "));
    assert!(client.is_closed && !client.wire.is_closed(), "it lingers");
    client.send_close_notify();
    assert!(client.wire.is_closed());
}

#[test]
fn close_notify_of_an_idle_client_is_returned() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    assert_eq!(client.content("/one"), "/one");
    client.send_close_notify();
    assert!(client.is_closed && client.wire.is_closed());
    assert_eq!(handle.connections(), 0);
}

#[test]
fn client_that_sent_close_notify_gets_its_response() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    std::io::Write::write_all(&mut client.session.writer(), b"GET /last HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    client.send_close_notify();
    assert!(client.text().ends_with("\r\n\r\n/last"));
    assert!(client.is_closed);
}

/// Bytes after `close_notify` are not part of the stream (RFC 8446 section 6.1).
#[test]
fn bytes_after_close_notify_are_ignored() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.session.send_close_notify();
    let mut flight = client.flight();
    flight.extend([23, 3, 3, 0, 40].into_iter().chain([7; 40]).chain([0xFF; 50_000]));
    client.wire.send(&flight);
    memory.run();
    client.take();
    assert!(client.is_closed && client.error.is_none());
    assert_eq!(handle.connections(), 0);
}

#[test]
fn body_cut_off_without_close_notify_is_refused() {
    for (framing, sent) in [("Content-Length: 10", "12345"), ("Transfer-Encoding: chunked", "5\r\n12345\r\n")] {
        let memory = Memory::new();
        let handle = serve(&memory, tls());
        let mut client = Client::new(&memory).complete_handshake();
        client.write(format!("POST /length HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n{sent}").as_bytes());
        client.wire.end();
        memory.run();
        client.take();
        assert_eq!(client.text(), "");
        assert_eq!(handle.connections(), 0);
    }
}

#[test]
fn whole_request_without_close_notify_is_served() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    std::io::Write::write_all(
        &mut client.session.writer(),
        b"POST /length HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\n\r\n12345",
    )
    .unwrap();
    let flight = client.flight();
    client.wire.send(&flight);
    client.wire.end();
    memory.run();
    client.take();
    assert!(client.text().ends_with("\r\n\r\n5"));
}

#[test]
fn response_is_finished_without_close_notify() {
    let ((_folder, root), memory) = (folder(), Memory::new());
    serve_with(&memory, tls(), |server| server.file_root(root));
    let mut client = Client::new(&memory).complete_handshake();
    client.wire.take_only(1000);
    client.write(b"GET /file HTTP/1.1\r\nHost: a.test\r\n\r\n");
    client.wire.end();
    memory.run();
    client.wire.take_only(usize::MAX);
    memory.run();
    client.take();
    assert!(client.received.ends_with(&large()) && client.is_closed);
}

#[test]
fn aborted_response_has_no_close_notify() {
    for (version, is_reset) in [("1.1", false), ("1.0", true)] {
        let memory = Memory::new();
        serve(&memory, tls());
        let mut client = Client::new(&memory).complete_handshake();
        client.write(format!("GET /half HTTP/{version}\r\nHost: a.test\r\n\r\n").as_bytes());
        let text = client.text();
        assert!(text.contains("half") && !text.ends_with("0\r\n\r\n"), "{text}");
        // A chunked response marks its end; a connection whose response is delimited by its end is
        // reset.
        assert_eq!((client.wire.is_reset(), client.is_closed), (is_reset, !is_reset), "{version}");
    }
}

#[test]
fn changed_byte_ends_the_connection_with_an_alert() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    assert_eq!(client.content("/one"), "/one");
    std::io::Write::write_all(&mut client.session.writer(), b"GET /two HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    let mut flight = client.flight();
    flight[20] ^= 1;
    client.wire.send(&flight);
    memory.run();
    client.take();
    let alert = rustls::AlertDescription::BadRecordMac;
    assert_eq!((client.error.take(), client.text()), (Some(rustls::Error::AlertReceived(alert)), String::new()));
    assert_eq!(handle.connections(), 0);
}

#[test]
fn upgraded_stream_is_encrypted_in_both_directions() {
    for seed in 0..20 {
        let memory = Memory::with_faults(seed, Faults::all());
        let handle = serve(&memory, tls());
        let mut client = Client::new(&memory).complete_handshake();
        client.write(b"GET /upgrade HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly ");
        assert!(client.text().ends_with("\r\n\r\nearly "));
        let bytes = vec![b'x'; 200_000];
        client.write(&bytes);
        assert!(std::mem::take(&mut client.received) == bytes);
        client.send_close_notify();
        assert!(client.is_closed);
        assert_eq!(handle.connections(), 0);
    }
}

#[test]
fn upgraded_stream_reports_a_missing_close_notify() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    client.write(b"GET /upgrade HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    client.wire.end();
    memory.run();
    assert!(ENDS.lock().unwrap().contains(&Some(ErrorKind::UnexpectedEof)));
}

#[test]
fn idle_tls_connection_ends_at_its_timeout() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).complete_handshake();
    assert_eq!(client.content("/one"), "/one");
    let polls = memory.polls();
    memory.advance(Duration::from_secs(74));
    assert!(!client.wire.is_closed());
    assert!(memory.polls() - polls < 5, "it sleeps");
    memory.advance(Duration::from_secs(1));
    client.take();
    assert!(client.wire.is_ended() && client.is_closed);
    memory.advance(Duration::from_secs(2));
    assert!(client.wire.is_closed(), "whether the client ends its stream or not");
}
