//! How connections end: nothing cut off looks whole, and nothing whole is lost.

use std::io::ErrorKind;
use std::time::Duration;

use httpants_testkit::memory::{Faults, Memory};

use crate::application::{ENDS, folder, large, serve, serve_with};
use crate::authority::tls;
use crate::client::Client;

#[test]
fn the_last_answer_comes_before_the_end_and_the_end_is_announced() {
    for request in ["GET /end HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", "GET /end HTTP/1.0\r\n\r\n"] {
        for seed in 0..20 {
            let memory = Memory::with_faults(seed, if seed == 0 { Faults::default() } else { Faults::all() });
            serve(&memory, tls());
            let mut client = Client::new(&memory).shake();
            client.write(request.as_bytes());
            assert!(client.text().ends_with("\r\n\r\n/end"));
            assert!(client.is_closed && client.wire.is_ended() && !client.wire.is_reset());
        }
    }
}

#[test]
fn a_refusal_is_announced_too() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
    client.write(b"nonsense\r\n\r\n");
    assert!(client.text().starts_with("HTTP/1.1 400 "));
    assert!(client.is_closed && !client.wire.is_closed(), "it lingers");
    client.say_end();
    assert!(client.wire.is_closed());
}

#[test]
fn an_idle_client_that_announces_its_end_is_answered_in_kind() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
    assert_eq!(client.content("/one"), "/one");
    client.say_end();
    assert!(client.is_closed && client.wire.is_closed());
    assert_eq!(handle.connections(), 0);
}

#[test]
fn a_client_that_has_said_its_end_still_gets_its_answer() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
    std::io::Write::write_all(&mut client.session.writer(), b"GET /last HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
    client.say_end();
    assert!(client.text().ends_with("\r\n\r\n/last"));
    assert!(client.is_closed);
}

/// What follows `close_notify` is not part of the stream (RFC 8446 section 6.1).
#[test]
fn nothing_counts_behind_the_announced_end() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
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
fn content_that_an_unannounced_end_cuts_off_is_never_accepted() {
    for (framing, sent) in [("Content-Length: 10", "12345"), ("Transfer-Encoding: chunked", "5\r\n12345\r\n")] {
        let memory = Memory::new();
        let handle = serve(&memory, tls());
        let mut client = Client::new(&memory).shake();
        client.write(format!("POST /length HTTP/1.1\r\nHost: a.test\r\n{framing}\r\n\r\n{sent}").as_bytes());
        client.wire.end();
        memory.run();
        client.take();
        assert_eq!(client.text(), "");
        assert_eq!(handle.connections(), 0);
    }
}

#[test]
fn a_whole_request_is_answered_although_its_end_is_not_announced() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
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
fn an_answer_under_way_is_finished_although_the_end_is_not_announced() {
    let ((_folder, root), memory) = (folder(), Memory::new());
    serve_with(&memory, tls(), |server| server.file_root(root));
    let mut client = Client::new(&memory).shake();
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
fn an_answer_that_breaks_off_does_not_look_whole() {
    for (version, is_reset) in [("1.1", false), ("1.0", true)] {
        let memory = Memory::new();
        serve(&memory, tls());
        let mut client = Client::new(&memory).shake();
        client.write(format!("GET /half HTTP/{version}\r\nHost: a.test\r\n\r\n").as_bytes());
        let text = client.text();
        assert!(text.contains("half") && !text.ends_with("0\r\n\r\n"), "{text}");
        // Chunks tell their end; where only the end of the stream does, it is not announced.
        assert_eq!((client.wire.is_reset(), client.is_closed), (is_reset, !is_reset), "{version}");
    }
}

#[test]
fn a_changed_byte_ends_the_connection_with_an_alert() {
    let memory = Memory::new();
    let handle = serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
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
fn an_upgraded_stream_is_tls_in_both_directions() {
    for seed in 0..20 {
        let memory = Memory::with_faults(seed, Faults::all());
        let handle = serve(&memory, tls());
        let mut client = Client::new(&memory).shake();
        client.write(b"GET /upgrade HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly ");
        assert!(client.text().ends_with("\r\n\r\nearly "));
        let bytes = vec![b'x'; 200_000];
        client.write(&bytes);
        assert!(std::mem::take(&mut client.received) == bytes);
        client.say_end();
        assert!(client.is_closed);
        assert_eq!(handle.connections(), 0);
    }
}

#[test]
fn an_upgraded_stream_tells_an_end_that_was_not_announced() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
    client.write(b"GET /upgrade HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    client.wire.end();
    memory.run();
    assert!(ENDS.lock().unwrap().contains(&Some(ErrorKind::UnexpectedEof)));
}

#[test]
fn an_idle_connection_ends_at_its_time() {
    let memory = Memory::new();
    serve(&memory, tls());
    let mut client = Client::new(&memory).shake();
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
