//! Tests that the counters match what clients sent and received.

use std::time::Duration;

use httpants_driver::{ProtocolError, Request, Server, Timer};
use httpants_testkit::memory::{Faults, Memory};

use crate::site::{Site, get};

#[test]
fn bytes_requests_and_responses_match_the_client() {
    for seed in 0..20 {
        let site = Site::with_memory(Memory::with_faults(seed, Faults::all()));
        let sent = [get("/large"), get("/status?304"), get("/status?404"), get("/panic"), get("/chunks")].concat();
        let (_client, received) = site.exchange(&sent);
        let (_other, more) = site.exchange(b"GET / HTTP/1.1\r\n\r\n");
        let counters = site.handle.counters();
        assert_eq!((counters.connections_accepted, counters.requests), (2, 5));
        assert_eq!(counters.bytes_received as usize, sent.len() + b"GET / HTTP/1.1\r\n\r\n".len());
        assert_eq!(counters.bytes_sent as usize, received.len() + more.len());
        let responses = counters.responses;
        assert_eq!((responses.successful, responses.redirection), (2, 1));
        assert_eq!((responses.client_error, responses.server_error), (2, 1));
        assert_eq!(counters.handler_panics, 1);
        assert_eq!((counters.refusals.of(ProtocolError::MissingHost), counters.refusals.of_status(400)), (1, 1));
        assert_eq!(counters.refusals.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }
}

#[test]
fn connections_are_counted_with_their_close_reason() {
    let site = Site::new();
    let (idle, _) = site.exchange(b"");
    let (left, _) = site.exchange(&get("/"));
    let (cut, _) = site.exchange(b"GET / HT");
    let (reset, _) = site.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(reset.is_closed());
    assert_eq!(site.handle.counters().connections_open, 3);
    left.end();
    cut.end();
    site.memory.run();
    site.memory.advance(Duration::from_secs(120));
    assert!(idle.is_closed());
    let counters = site.handle.counters();
    assert_eq!((counters.connections_accepted, counters.connections_open), (4, 0));
    let closes = counters.closes;
    assert_eq!((closes.finished, closes.peer_closed, closes.truncated, closes.timed_out), (1, 1, 1, 1));
    assert_eq!((closes.refused, closes.shutdown, closes.aborted, closes.io_error), (0, 0, 0, 0));
    assert_eq!(counters.timeouts.iter().filter(|(_, count)| *count > 0).collect::<Vec<_>>(), [(Timer::Accept, 1)]);
}

#[test]
fn timers_are_counted_by_name_and_refusals_by_reason() {
    let site = Site::new();
    let (_head, _) = site.exchange(b"GET / HT");
    let (_body, _) = site.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n");
    let (_idle, _) = site.exchange(&get("/"));
    let stuck = site.memory.connect();
    stuck.take_only(10);
    stuck.send(&get("/large"));
    site.memory.advance(Duration::from_secs(300));
    let counters = site.handle.counters();
    for timer in [Timer::Head, Timer::Idle, Timer::Write] {
        assert_eq!(counters.timeouts.of(timer), 1, "{timer}");
    }
    assert_eq!(counters.timeouts.of(Timer::Body) + counters.timeouts.of(Timer::BodyRate), 1);
    assert_eq!(counters.refusals.of_status(408), 2);
    assert_eq!(counters.refusals.of(ProtocolError::HeadTimeout), 1);
    assert_eq!(counters.connections_open, 0);
}

#[test]
fn refused_and_spilled_bodies_are_counted() {
    let site = Site::new();
    let post = |kind: &str, content: &str| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{content}",
            content.len()
        )
    };
    site.exchange(post("text/plain", &"x".repeat(1_001)).as_bytes());
    site.exchange(post("text/plain", "small").as_bytes());
    let (_, received) = site.exchange(post("multipart/form-data; boundary=b", "nonsense").as_bytes());
    assert!(received.starts_with(b"HTTP/1.1 400 "));
    let (_, received) = site.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
    assert!(received.starts_with(b"HTTP/1.1 413 "));
    site.exchange(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    let counters = site.handle.counters();
    assert_eq!((counters.uploads_spilled, counters.forms_refused), (1, 1));
    assert_eq!(counters.refusals.of(ProtocolError::BodyTooLarge), 1);
    assert_eq!((counters.upgrades, counters.responses.informational), (1, 1));
}

#[test]
fn dropped_and_upgraded_connections_have_no_close_reason() {
    let site = Site::new();
    let upgrade = b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let (_upgraded, _) = site.exchange(upgrade);
    let (_idle, _) = site.exchange(&get("/"));
    let (_busy, _) = site.exchange(&get("/slow"));
    site.handle.close();
    site.memory.run();
    let counters = site.handle.counters();
    assert_eq!((counters.connections_open, counters.upgrades), (0, 1));
    assert_eq!(counters.closes, Default::default());
    assert_eq!((counters.requests, counters.responses.successful, counters.responses.informational), (3, 1, 1));
}

#[test]
fn transport_error_is_counted() {
    let site = Site::new();
    let client = site.memory.connect();
    client.take_only(100);
    client.send(&get("/large"));
    site.memory.run();
    client.reset();
    site.memory.run();
    let counters = site.handle.counters();
    assert_eq!((counters.closes.io_error, counters.connections_open, counters.bytes_sent), (1, 0, 100));
}

#[test]
fn each_wait_at_max_connections_is_counted_once() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), async |_: Request| "ok").max_connections(1);
    let handle = memory.start(server);
    let (first, second) = (memory.connect(), memory.connect());
    memory.run();
    assert_eq!((handle.counters().connections_accepted, handle.counters().accept_pauses), (1, 1));
    first.end();
    memory.run();
    second.end();
    memory.run();
    let counters = handle.counters();
    assert_eq!((counters.connections_accepted, counters.connections_open, counters.accept_pauses), (2, 0, 2));
}
