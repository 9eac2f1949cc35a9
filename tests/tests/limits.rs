//! Tests of limits on the bytes that a peer can make the server hold or read. All other limits have
//! fixtures, at n and n + 1.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;

use httpants_core::{Close, CloseReason, Config, Connection, ConnectionInfo, Event, Now, ProtocolError, ResponseHead};
use httpants_tests::{Exchange, Step, Style, app, settings};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Returns a connection that waits for the end of a refused peer's stream.
fn refused(linger: u64) -> Connection {
    let mut config = Config::default();
    config.limits.refusal_linger = linger;
    config.limits.linger = 0;
    let mut connection = Connection::new(Arc::new(config), ConnectionInfo::default(), Now::default());
    assert_eq!(connection.receive(b"\n", Now::default()), 1);
    let events: Vec<_> = std::iter::from_fn(|| connection.poll_event()).collect();
    assert!(matches!(
        events[..],
        [Event::Refused(_), Event::Closed(CloseReason::Refused(ProtocolError::BareLineFeed))]
    ));
    connection.handle_sent(u64::MAX, Now::default());
    assert!(matches!(connection.poll_event(), Some(Event::ResponseEnd(_))));
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
    connection
}

/// Returns a connection that waits for the end of the stream of a peer that did not know that its
/// request was the last.
fn responded(linger: u64) -> Connection {
    let mut config = Config::default();
    config.limits.linger = linger;
    config.limits.refusal_linger = 0;
    config.keep_alive = false;
    let mut connection = Connection::new(Arc::new(config), ConnectionInfo::default(), Now::default());
    assert_eq!(connection.receive(GET, Now::default()), GET.len());
    let Some(Event::Request(request)) = connection.poll_event() else { panic!("no request") };
    connection.respond_with(request.id(), &ResponseHead::new(200).unwrap(), "").unwrap();
    connection.handle_sent(u64::MAX, Now::default());
    while connection.poll_event().is_some() {}
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
    connection
}

/// Sends bytes until no more are accepted; returns their number, and the close that the connection
/// requests.
fn send_until_refused(connection: &mut Connection, total: usize, piece: usize) -> (usize, Option<Close>) {
    let bytes = vec![b'x'; piece];
    let mut taken = 0;
    while taken < total && connection.wants_recv() {
        taken += connection.receive(&bytes[..piece.min(total - taken)], Now::default());
        assert!(connection.poll_event().is_none());
    }
    (taken, connection.poll_close())
}

/// Sends chunks of this size; returns the length of the body received and whether it was complete.
fn upload(chunk: usize, count: usize) -> (usize, bool) {
    let mut config = Config::default();
    config.limits.max_body_size = u64::MAX;
    let mut connection = Connection::new(Arc::new(config), ConnectionInfo::default(), Now::default());
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [format!("{chunk:x}\r\n").as_bytes(), &vec![b'x'; chunk], b"\r\n"].concat();
    let parts = std::iter::once(&head).chain(std::iter::repeat_n(&chunk, count));
    let (mut content, mut whole) = (0, false);
    for part in parts.map(Vec::as_slice).chain([&b"0\r\n\r\n"[..]]) {
        let mut sent = 0;
        while sent < part.len() && connection.wants_recv() {
            sent += connection.receive(&part[sent..], Now::default());
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::Data(_, data) => content += data.len(),
                    Event::End(..) => whole = true,
                    _ => {}
                }
            }
        }
    }
    (content, whole)
}

/// `chunk-small`. Small chunks do not limit the size of an upload.
#[test]
fn small_chunks_do_not_reduce_the_upload_size() {
    // Chunks of 1 KiB, table rows, audio frames, chunks of curl reading standard input, and single
    // bytes.
    for (chunk, count) in [(1 << 10, 5 << 10), (60, 10_000), (320, 50_000), (65_524, 4_000), (1, 100_000)] {
        assert_eq!(upload(chunk, count), (chunk * count, true), "{count} chunks of {chunk} bytes");
    }
}

/// `time-linger-bytes`, `refusal-linger-bytes`. The refused byte counts, too.
#[test]
fn linger_limit_is_exact_at_every_cut() {
    for piece in [1, 7, 1000, 100_000] {
        for linger in [20, 256 << 10] {
            assert_eq!(
                send_until_refused(&mut refused(linger as u64), linger - 1, piece),
                (linger - 1, None),
                "{piece}"
            );
            assert_eq!(
                send_until_refused(&mut refused(linger as u64), linger, piece),
                (linger, Some(Close::Now)),
                "{piece}"
            );
            assert_eq!(send_until_refused(&mut responded(linger as u64), linger, piece), (linger, None), "{piece}");
            assert_eq!(
                send_until_refused(&mut responded(linger as u64), linger + 1, piece),
                (linger + 1, Some(Close::Now)),
                "{piece}"
            );
        }
    }
}

/// A client that reads only after sending everything gets its refusal for uploads up to 64 MiB,
/// which are read into one small buffer.
#[test]
fn uploads_in_flight_are_read_after_a_refusal() {
    // The refused head does not count, because it was read as a request.
    for (length, whole) in [(50_000_000, true), (64 << 20, true), ((64 << 20) + 1, false)] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut connection = Connection::new(Arc::new(Config::default()), ConnectionInfo::default(), Now::default());
        assert_eq!(connection.receive(head.as_bytes(), Now::default()), head.len());
        while connection.poll_event().is_some() {}
        connection.handle_sent(u64::MAX, Now::default());
        let mut sent = 0;
        while sent < length && connection.wants_recv() {
            let room = connection.recv_buf().len();
            assert!(room <= Config::default().limits.recv_buffer, "{room}");
            connection.handle_recv(room.min(length - sent), Now::default());
            sent += room.min(length - sent);
            while connection.poll_event().is_some() {}
        }
        assert_eq!((sent == length, connection.poll_close() != Some(Close::Now)), (true, whole), "{length}");
    }
}

/// For a peer that pipelines and never reads, the server holds at most `send_backlog` and one
/// response, and the requests that fit into a receive buffer.
#[test]
fn unsent_responses_pause_reading() {
    let config = settings::parse("limits.send_backlog = 1000").unwrap();
    let script = app::parse("read; respond 200 length 100; send \"x\" * 100; finish").unwrap();
    let mut exchange = Exchange::new(Arc::new(config), script, Style::LENT);
    exchange.step(&Step::Block);
    exchange.step(&Step::Bytes(GET.repeat(10_000)));
    assert!(!exchange.connection().wants_recv());
    let served = exchange.connection().served();
    assert!((4..=8).contains(&served), "{served} responses of some 200 bytes");

    exchange.step(&Step::Unblock);
    let outcome = exchange.finish();
    let responses = outcome.events.iter().filter(|line| *line == "end").count();
    assert_eq!(responses, 10_000, "all get a response once the peer reads");
    assert!(outcome.writes > 1_000, "each write holds little: {}", outcome.writes);
}

/// While a response is pending, a bounded number of bytes is received after its request.
#[test]
fn bytes_after_a_pending_request_are_bounded() {
    let mut connection = Connection::new(Arc::new(Config::default()), ConnectionInfo::default(), Now::default());
    assert_eq!(connection.receive(GET, Now::default()), GET.len());
    while connection.poll_event().is_some() {}
    let mut taken = 0;
    while connection.wants_recv() {
        taken += connection.receive(&[b'x'; 1000], Now::default());
        assert!(connection.poll_event().is_none());
        assert!(taken <= 2 * Config::default().limits.recv_buffer, "{taken}");
    }
    assert_eq!(connection.receive(b"x", Now::default()), 0, "no unwanted bytes are accepted");
    assert!(connection.recv_buf().is_empty());
}

/// `trailer-size`. Trailers stay in the receive buffer until they are complete.
#[test]
fn trailers_fit_any_buffer_size() {
    let line = format!("T: {}\r\n", "v".repeat(995));
    for (body_buffer, lines, whole) in [(64 << 10, 16, true), (8 << 10, 16, true), (16, 16, true), (8 << 10, 17, false)]
    {
        let mut config = Config::default();
        (config.limits.recv_buffer, config.limits.body_buffer) = (16, body_buffer);
        config.timeouts.body_rate = 0;
        let mut connection = Connection::new(Arc::new(config), ConnectionInfo::default(), Now::default());
        let request =
            format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n{}\r\n", line.repeat(lines));
        let (mut sent, mut trailers, mut refused) = (0, None, false);
        while sent < request.len() {
            let taken = connection.receive(&request.as_bytes()[sent..], Now::default());
            assert!(taken > 0, "{body_buffer} {lines}: stuck after {sent} bytes");
            sent += taken;
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::End(_, fields) => trailers = Some(fields.len()),
                    Event::Refused(_) => refused = true,
                    _ => {}
                }
            }
        }
        assert_eq!((trailers, refused), (whole.then_some(lines), !whole), "{body_buffer}");
    }
}

/// Only a bounded part of a body that the application does not read is received.
#[test]
fn unread_body_is_bounded() {
    let mut connection = Connection::new(Arc::new(Config::default()), ConnectionInfo::default(), Now::default());
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n";
    assert_eq!(connection.receive(head, Now::default()), head.len());
    let Some(Event::Request(request)) = connection.poll_event() else { panic!("no request") };
    connection.pause(request.id()).unwrap();
    assert!(!connection.wants_recv());
    connection.resume(request.id()).unwrap();
    let mut taken = 0;
    while connection.wants_recv() {
        taken += connection.receive(&[b'x'; 5000], Now::default());
    }
    assert!(taken <= 2 * Config::default().limits.body_buffer, "{taken}");
}
