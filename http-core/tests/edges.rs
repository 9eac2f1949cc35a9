//! Tests of the getters and the behaviour of a connection exactly at its limits.
#![cfg(test)]

mod common;

use std::time::Duration;

use common::{connection, events, feed, id, now, request, sent, timeout};
use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, ConnectionInfo, Event, Misuse, ProtocolError, Receiving,
    ResponseHead, Storage, Timer, Transmit, TransmitQueue,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";

/// Returns a connection whose request event was taken.
fn with_request(config: Config, head: &[u8]) -> Connection {
    let mut connection = connection(config);
    feed(&mut connection, head, 0);
    drop(request(&mut connection));
    connection
}

#[test]
fn end_of_the_peers_stream_is_reported() {
    let mut connection = connection(Config::default());
    assert!(!connection.is_peer_closed());
    feed(&mut connection, GET, 0);
    drop(request(&mut connection));
    assert!(!connection.is_peer_closed());
    connection.handle_eof(now(0));
    assert!(connection.is_peer_closed());

    let mut connection = with_request(Config::default(), GET);
    connection.handle_peer_closed(now(0));
    assert!(connection.is_peer_closed());

    // The peer of a closed connection counts as closed, whichever side ended it.
    let mut connection = with_request(Config::default(), GET);
    connection.handle_io_error(now(0));
    assert!(connection.is_peer_closed() && connection.poll_close() == Some(Close::Now));
}

#[test]
fn awaits_request_ends_at_the_first_byte() {
    let mut connection = connection(Config::default());
    assert!(connection.awaits_request() && connection.is_idle());
    feed(&mut connection, b"G", 0);
    assert!(!connection.awaits_request(), "not parsed yet");
    assert!(connection.poll_event().is_none());
    assert!(!connection.awaits_request());
    feed(&mut connection, &GET[1..], 0);
    drop(request(&mut connection));
    assert!(!connection.awaits_request());
    let id = id(&connection);
    connection.respond_with(id, &ResponseHead::default(), "x").unwrap();
    assert!(connection.awaits_request() && !connection.is_idle(), "a response waits to be sent");
}

#[test]
fn awaits_body_is_true_unless_reading_is_paused() {
    let mut connection = connection(Config::default());
    assert!(!connection.awaits_body());
    feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n", 0);
    drop(request(&mut connection));
    assert!(connection.awaits_body());
    feed(&mut connection, b"ab", 0);
    assert!(!connection.awaits_body(), "not reported yet");
    assert!(matches!(connection.poll_event(), Some(Event::Data(..))));
    assert!(connection.awaits_body());
    let id = id(&connection);
    connection.pause(id).unwrap();
    assert!(!connection.awaits_body());
    connection.resume(id).unwrap();
    assert!(connection.awaits_body());
    connection.handle_eof(now(0));
    assert!(!connection.awaits_body());
}

#[test]
fn limits_returns_the_configured_limits() {
    let mut config = Config::default();
    (config.limits.fields, config.limits.head) = (7, 1234);
    let connection = connection(config);
    assert_eq!((connection.limits().fields, connection.limits().head), (7, 1234));
}

/// At most one buffer is filled while requests are held, in a body, and after a request.
#[test]
fn reading_stops_when_a_buffer_is_full() {
    let mut config = Config::default();
    config.limits.recv_buffer = 64;
    let mut held = connection(config.clone());
    held.hold_requests();
    config.limits.body_buffer = 64;
    let outstanding = with_request(config.clone(), GET);
    let body = with_request(config, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    for mut connection in [held, outstanding, body] {
        feed(&mut connection, &[b'G'; 63], 0);
        assert!(connection.wants_recv());
        feed(&mut connection, b"G", 0);
        assert!(!connection.wants_recv());
        assert_eq!(connection.receive(b"G", now(0)), 0);
    }
}

/// Only a reset informs the client that the response is incomplete (RFC 9112 section 6.3).
#[test]
fn aborted_close_delimited_response_is_reset() {
    let begin = || {
        let mut config = Config::default();
        (config.timeouts.body_rate, config.timeouts.write) = (0, None);
        let mut connection = with_request(config, b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n");
        let id = id(&connection);
        connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
        connection.send(id, "part").unwrap();
        connection
    };
    let mut late = begin();
    let deadline = late.poll_timeout().unwrap();
    assert_eq!(deadline.timer, Timer::Body);
    // Queued bytes are not cut off.
    late.handle_timeout(now(deadline.at.as_millis() as u64));
    assert_eq!(late.poll_close(), None);
    assert!(sent(&mut late, 60_000).ends_with("part"));
    assert_eq!(late.poll_close(), Some(Close::Reset));

    let mut broken = begin();
    assert!(sent(&mut broken, 0).ends_with("part"));
    broken.handle_io_error(now(0));
    assert_eq!(broken.poll_close(), Some(Close::Reset));

    // For other framings the client detects that the response is cut off.
    let mut known = with_request(Config::default(), POST);
    let request = id(&known);
    known.respond(request, &ResponseHead::default(), BodyLen::Known(10)).unwrap();
    known.send(request, "part").unwrap();
    drop(sent(&mut known, 0));
    known.handle_io_error(now(0));
    assert_eq!(known.poll_close(), Some(Close::Now));

    // The same applies to a response that was queued but not sent completely.
    let mut whole = with_request(Config::default(), b"GET / HTTP/1.0\r\n\r\n");
    let request = id(&whole);
    whole.respond(request, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    whole.finish(request).unwrap();
    whole.handle_io_error(now(0));
    assert_eq!(whole.poll_close(), Some(Close::Reset));
}

#[test]
fn receiving_zero_bytes_has_no_effect() {
    let mut config = Config::default();
    config.timeouts.body_rate = 0;
    let mut connection = with_request(config, POST);
    let before = timeout(&connection);
    connection.handle_recv(0, now(1000));
    assert_eq!(connection.receive(b"", now(1000)), 0);
    assert_eq!(timeout(&connection), before);
    feed(&mut connection, b"x", 1000);
    assert_ne!(timeout(&connection), before);
}

/// No further request is parsed until less than the backlog waits.
#[test]
fn send_backlog_is_exact() {
    let waiting = |backlog: usize| {
        let mut config = Config::default();
        config.limits.send_backlog = backlog;
        let mut connection = with_request(config, &[GET, GET].concat());
        let id = id(&connection);
        connection.respond_with(id, &ResponseHead::default(), vec![b'x'; 5000]).unwrap();
        connection
    };
    let room = |mut connection: Connection, backlog: usize| {
        let id = request(&mut connection).id();
        backlog - connection.poll_send_room(id).unwrap()
    };
    let size = room(waiting(1 << 20), 1 << 20);
    assert!(size > 5000);
    assert_eq!(room(waiting(size + 1), size + 1), size);
    assert!(waiting(size).poll_event().is_none());
    assert!(!waiting(size).wants_recv() && waiting(size + 1).wants_recv());
}

#[test]
fn no_request_is_timed_while_responses_wait_to_be_sent() {
    let mut config = Config::default();
    config.timeouts.write = None;
    let mut connection = with_request(config, GET);
    let id = id(&connection);
    connection.respond_with(id, &ResponseHead::default(), "x").unwrap();
    assert_eq!(timeout(&connection), None);
    drop(sent(&mut connection, 500));
    assert!(matches!(timeout(&connection), Some((_, Timer::Idle))));
}

/// Bytes and ranges of files that were taken out count as waiting, even if they are equally long.
#[test]
fn bytes_taken_for_transmission_are_pending_until_sent() {
    let begin = |length: u64| {
        let mut connection = with_request(Config::default(), GET);
        let id = id(&connection);
        connection.respond(id, &ResponseHead::default(), BodyLen::Known(length)).unwrap();
        let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { panic!("a head is expected") };
        let head = slices.map(<[u8]>::len).sum::<usize>() as u64;
        connection.send_external(id, 1, 0, length).unwrap();
        connection.finish(id).unwrap();
        (connection, head)
    };
    let (_, head) = begin(100);
    let (mut connection, head) = begin(head);
    let mut queue = TransmitQueue::default();
    assert!(connection.take_transmit(&mut queue));
    assert!(!connection.is_idle() && connection.take_idle().is_none());
    assert_eq!(timeout(&connection).map(|(_, timer)| timer), Some(Timer::Write));
    for left in [true, false] {
        let sent = queue.advance(head);
        connection.handle_transmitted(&mut queue, sent, now(0));
        assert_eq!(timeout(&connection).map(|(_, timer)| timer == Timer::Write), Some(left));
    }
    assert_eq!(events(&mut connection), ["ResponseEnd"]);
    assert!(connection.is_idle() && connection.take_idle().is_some());
}

#[test]
fn age_timer_runs_only_if_another_request_may_follow() {
    let expiring = |head: &[u8]| {
        let mut connection = with_request(Config::default(), head);
        connection.expire_at(Duration::from_millis(1));
        connection
    };
    assert_eq!(timeout(&expiring(GET)), Some((1, Timer::Age)));
    let last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    assert_ne!(timeout(&expiring(last)), Some((1, Timer::Age)));

    let mut closing = expiring(GET);
    closing.close();
    assert_ne!(timeout(&closing), Some((1, Timer::Age)));

    let mut handshake = Connection::with_handshake(Config::default().into(), ConnectionInfo::default(), now(0));
    handshake.expire_at(Duration::from_millis(1));
    assert_ne!(timeout(&handshake), Some((1, Timer::Age)));
}

/// The buffer for bodies is used for known or received content beyond the buffer for heads.
#[test]
fn body_buffer_is_used_for_bodies_that_fill_the_first() {
    let mut config = Config::default();
    (config.limits.recv_buffer, config.limits.body_buffer) = (1 << 10, 1 << 14);
    for (length, size) in [(1, 1 << 10), (1 << 10, 1 << 10), ((1 << 10) + 1, 1 << 14)] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let connection = with_request(config.clone(), head.as_bytes());
        assert_eq!(connection.wanted_storage().unwrap_or(connection.storage_size()), size, "{length}");

        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut connection = with_request(config.clone(), head.as_bytes());
        assert_eq!(connection.wanted_storage().unwrap_or(connection.storage_size()), 1 << 10);
        // The rest of a chunk is known to follow.
        feed(&mut connection, format!("{:x}\r\nx", length + 1).as_bytes(), 0);
        assert_eq!(events(&mut connection), ["Data"]);
        assert_eq!(connection.wanted_storage().unwrap_or(connection.storage_size()), size, "a chunk of {length} + 1");

        // With small chunks, as much is expected as was received.
        let mut connection = with_request(config.clone(), head.as_bytes());
        for _ in 0..length {
            feed(&mut connection, b"1\r\nx\r\n", 0);
            assert_eq!(events(&mut connection), ["Data"]);
        }
        assert_eq!(connection.wanted_storage().unwrap_or(connection.storage_size()), size, "{length} chunks");
    }
}

#[test]
fn content_dropped_by_a_broken_connection_is_returned() {
    let mut connection = with_request(Config::default(), GET);
    let id = id(&connection);
    connection.respond_with(id, &ResponseHead::default(), vec![b'x'; 5000]).unwrap();
    assert!(!connection.has_dropped());
    connection.handle_io_error(now(0));
    assert!(connection.has_dropped());
    drop(connection.take_dropped());
    assert!(!connection.has_dropped());
}

/// Bytes that the transport has sent partly are progress only if something waits.
#[test]
fn sent_bytes_extend_the_write_timer_only_if_others_are_pending() {
    let mut config = Config::default();
    (config.timeouts.handler, config.timeouts.write) = (None, None);
    let half_closed = config.timeouts.half_closed.unwrap().as_millis() as u64;
    for (waits, count, since) in [(true, 1, 1000), (true, 0, 0), (false, 1, 0), (false, 0, 0)] {
        let mut connection = with_request(config.clone(), GET);
        let id = id(&connection);
        connection.handle_peer_closed(now(0));
        connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
        if !waits {
            drop(sent(&mut connection, 0));
        }
        connection.handle_partly_transmitted(count, now(1000));
        assert_eq!(timeout(&connection), Some((since + half_closed, Timer::HalfClosed)), "{waits} {count}");
    }
}

/// A paused body is not late, even if it is paused more than once.
#[test]
fn pause_starts_at_its_first_call() {
    let mut config = Config::default();
    (config.timeouts.body, config.timeouts.body_rate) = (None, 1);
    config.timeouts.body_rate_grace = Duration::from_secs(10);
    let mut connection = with_request(config.clone(), POST);
    let request = id(&connection);
    for millis in [1000, 5000] {
        connection.handle_time(now(millis));
        connection.pause(request).unwrap();
        assert!(!connection.wants_recv());
    }
    connection.handle_time(now(9000));
    connection.resume(request).unwrap();
    assert_eq!(timeout(&connection), Some((18_000, Timer::BodyRate)));

    // Without a body that is being read, pausing has no effect.
    let mut connection = with_request(config, GET);
    let request = id(&connection);
    connection.pause(request).unwrap();
    assert!(connection.wants_recv());
}

/// The caller gets the previously supplied storage back.
#[test]
fn supplied_storage_replaces_the_previous_one() {
    let mut connection = connection(Config::default());
    let size = Config::default().limits.recv_buffer;
    assert_eq!(connection.wanted_storage(), Some(size));
    assert!(connection.supply_storage(Storage::new(size)).is_none());
    assert_eq!(connection.wanted_storage(), None, "there is enough");
    assert_eq!(connection.supply_storage(Storage::new(200)).map(|storage| storage.size()), Some(size));
    assert_eq!((connection.storage_size(), connection.wanted_storage()), (200, Some(size)));
    connection.handle_eof(now(0));
    assert_eq!(connection.wanted_storage(), None, "nothing is received");
    assert_eq!(connection.release_storage().map(|storage| storage.size()), Some(200));
}

/// Not even if there is an event to return: bytes in a lent buffer precede the end.
#[test]
fn connection_does_not_end_while_its_buffer_is_lent() {
    let mut config = Config::default();
    config.limits.send_backlog = 1;
    let mut connection = with_request(config, POST);
    let request = id(&connection);
    connection.respond(request, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    assert_eq!(connection.poll_send_room(request), Ok(0));
    feed(&mut connection, b"hello", 0);
    let lent = connection.lend_recv_buf().unwrap();
    connection.handle_eof(now(0));
    assert!(connection.poll_event().is_none());
    connection.return_recv_buf(lent, 0, now(0));
    assert_eq!(events(&mut connection)[..2], ["Data", "End"]);
}

/// While the application is not ready, received bytes may be a request.
#[test]
fn held_connection_ends_when_requests_are_accepted() {
    let mut connection = connection(Config::default());
    connection.hold_requests();
    feed(&mut connection, b"\r\n", 0);
    let lent = connection.lend_recv_buf().unwrap();
    connection.handle_shutdown(now(0));
    connection.return_recv_buf(lent, 0, now(0));
    assert!(connection.poll_event().is_none());
    connection.accept_requests();
    assert_eq!(events(&mut connection), ["Closed"]);
}

#[test]
fn expects_continue_is_true_only_with_the_field() {
    for (field, waits) in [("Expect: 100-continue\r\n", true), ("", false)] {
        let mut connection = connection(Config::default());
        feed(&mut connection, format!("POST / HTTP/1.1\r\nHost: a\r\n{field}Content-Length: 5\r\n\r\n").as_bytes(), 0);
        assert_eq!(request(&mut connection).expects_continue(), waits);
    }
}

#[test]
fn incomplete_empty_lines_before_a_request_are_refused() {
    for (input, fault) in [
        (&b"\rG"[..], ProtocolError::BareCarriageReturn),
        (b"\r\n\r\r\n", ProtocolError::BareCarriageReturn),
        (b"\n", ProtocolError::BareLineFeed),
        (b"\r\n\n", ProtocolError::BareLineFeed),
    ] {
        let mut connection = connection(Config::default());
        feed(&mut connection, input, 0);
        let Some(Event::Refused(refusal)) = connection.poll_event() else { panic!("not refused: {input:?}") };
        assert_eq!(refusal.error(), fault);
    }
}

/// The limit applies after a response that is finished before its request is received.
#[test]
fn drain_limit_is_exact() {
    let mut config = Config::default();
    config.limits.drain = 10;
    let head = ResponseHead::default;
    for (length, continues) in [(10, true), (11, false)] {
        let post = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let mut connection = with_request(config.clone(), post.as_bytes());
        let id = id(&connection);
        connection.respond_with(id, &head(), "x").unwrap();
        assert_eq!(sent(&mut connection, 0).contains("Connection: close"), !continues, "{length} bytes");
        // A response that is begun and finished in separate calls does not announce the close.
        let mut connection = with_request(config.clone(), post.as_bytes());
        connection.respond(id, &head(), BodyLen::Known(0)).unwrap();
        connection.finish(id).unwrap();
        feed(&mut connection, b"x", 0);
        drop(connection.poll_event());
        assert_eq!(matches!(connection.state().recv, Receiving::Drain), continues, "{length} bytes");

        let chunks = "1\r\nx\r\n".repeat(length);
        let post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let mut connection = with_request(config.clone(), post.as_bytes());
        connection.respond_with(id, &head(), "x").unwrap();
        drop(sent(&mut connection, 0));
        feed(&mut connection, chunks.as_bytes(), 0);
        drop(events(&mut connection));
        assert_eq!(matches!(connection.state().recv, Receiving::Drain), continues, "{length} chunks");
    }
    // If the body of a request was received, nothing remains to be dropped.
    let mut connection = with_request(config, POST);
    feed(&mut connection, b"hello", 0);
    let id = id(&connection);
    assert_eq!(events(&mut connection), ["Data", "End"]);
    connection.respond_with(id, &head(), "x").unwrap();
    assert!(!sent(&mut connection, 0).contains("Connection: close"));
}

#[test]
fn closing_connection_keeps_its_head_buffer() {
    let mut config = Config::default();
    (config.limits.recv_buffer, config.limits.body_buffer) = (1 << 10, 1 << 14);
    let mut connection = connection(config);
    feed(&mut connection, b"\n", 0);
    assert!(events(&mut connection).starts_with(&["Refused".into()]));
    assert_eq!(connection.storage_size(), 1 << 10);
}

/// The refusal of a malformed request line must not use properties of the previous request.
#[test]
fn refusal_ignores_the_previous_request() {
    for before in ["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"] {
        let mut connection = with_request(Config::default(), before.as_bytes());
        let id = id(&connection);
        connection.respond_with(id, &ResponseHead::default(), "x").unwrap();
        drop(sent(&mut connection, 0));
        assert_eq!(events(&mut connection), ["ResponseEnd"]);
        feed(&mut connection, b"bad\r\n", 0);
        drop(events(&mut connection));
        let response = sent(&mut connection, 0);
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 ") && !body.is_empty(), "{response}");
    }
}

#[test]
fn connection_can_be_refused_before_its_first_request() {
    for (refuse, reason) in [
        (Connection::refuse_overloaded as fn(&mut Connection), CloseReason::Overloaded),
        (Connection::refuse_address, CloseReason::AddressLimit),
    ] {
        let mut connection = connection(Config::default());
        refuse(&mut connection);
        assert!(matches!(connection.poll_event(), Some(Event::Closed(why)) if why == reason));
        assert!(sent(&mut connection, 0).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));

        let mut connection = with_request(Config::default(), GET);
        refuse(&mut connection);
        assert!(connection.poll_event().is_none() && connection.poll_transmit().is_none());
    }
}

#[test]
fn too_large_body_with_expect_is_refused_at_its_head() {
    for (length, expected) in [(5, Ok(())), (6, Err(Misuse::Closed))] {
        let mut config = Config::default();
        config.limits.max_body_size = 5;
        let post = format!("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n");
        let mut connection = with_request(config, post.as_bytes());
        let id = id(&connection);
        assert_eq!(connection.check_expectation(id), expected);
        assert_eq!(sent(&mut connection, 0).starts_with("HTTP/1.1 413 "), expected.is_err());
    }
    // Without an expectation, the body is refused when events are polled.
    let mut config = Config::default();
    config.limits.max_body_size = 1;
    let mut connection = with_request(config, POST);
    let id = id(&connection);
    assert_eq!(connection.check_expectation(id), Ok(()));
}
