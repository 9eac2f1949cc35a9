//! Tests of a connection in rare combinations of states and inputs.
#![cfg(test)]

mod common;

use std::time::Duration;

use common::{Server, WRK, connection, events, feed, id, now, request, sent, timeout};
use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, Event, FieldLines, Misuse, Receiving, ResponseHead, Timer,
    Transmit,
};

/// The ranges of fields are offsets in the whole head, not from the end of the request line.
#[test]
fn header_ranges_are_offsets_in_the_whole_head() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET /a HTTP/1.1\r\nHost: example.com\r\nX-One:  two \r\n\r\n", 0);
    let Some(Event::Request(request)) = connection.poll_event() else { panic!("a request is expected") };
    let lines: Vec<_> = request.headers().iter_raw().collect();
    assert_eq!(lines, [("Host", &b"example.com"[..]), ("X-One", b"two")]);
    assert_eq!(request.host(), "example.com");
}

/// A caller that polls on every tick must not keep an idle connection alive.
#[test]
fn polling_without_events_does_not_move_the_idle_deadline() {
    let mut server = Server::new();
    server.exchange(WRK.as_bytes());
    let start = server.millis;
    for second in 1..60 {
        server.connection.handle_timeout(now(start + 1000 * second));
        assert_eq!(events(&mut server.connection), [""; 0]);
        assert_eq!(timeout(&server.connection), Some((start + 75_000, Timer::Idle)));
    }
    server.connection.handle_timeout(now(start + 75_000));
    assert_eq!(events(&mut server.connection), ["TimedOut", "Closed"]);
}

#[test]
fn clock_stepping_back_does_not_advance_deadlines() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 60_000);
    assert_eq!(events(&mut connection), ["Request"]);
    feed(&mut connection, b"1", 1);
    assert_eq!(timeout(&connection), Some((70_000, Timer::BodyRate)));
    connection.handle_timeout(now(69_999));
    connection.handle_timeout(now(2));
    assert_eq!(events(&mut connection), ["Data"]);
}

/// Time in which the application did not read is not counted as time of the client.
#[test]
fn body_timers_stop_while_reading_is_paused() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nfirst", 0);
    assert_eq!(events(&mut connection), ["Request", "Data"]);
    connection.pause(id(&connection)).unwrap();
    assert_eq!(timeout(&connection), None);
    connection.handle_timeout(now(100_000));
    connection.respond_with(id(&connection), &ResponseHead::default(), "enough").unwrap();
    sent(&mut connection, 100_000);
    assert_eq!(connection.state().recv, Receiving::Drain);
    assert_eq!(timeout(&connection), Some((110_000, Timer::BodyRate)));
}

#[test]
fn body_timers_stop_until_100_continue_is_sent() {
    let mut connection = connection(Config::default());
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    feed(&mut connection, head, 0);
    assert_eq!(events(&mut connection), ["Request", "Expect100"]);
    assert_eq!(timeout(&connection), None);
    connection.handle_timeout(now(100_000));
    connection.send_continue(id(&connection)).unwrap();
    sent(&mut connection, 100_000);
    assert_eq!(timeout(&connection), Some((110_000, Timer::BodyRate)));
}

/// An error in a request does not affect the responses before it.
#[test]
fn responses_before_an_invalid_request_are_sent() {
    type Break = fn(&mut Connection);
    let breaks: [(&str, Break, &[&str]); 3] = [
        ("end", |connection| connection.handle_eof(now(1)), &["Closed"]),
        ("fault", |connection| feed(connection, b"\r\nX", 1), &["Refused", "Closed"]),
        ("time", |connection| connection.handle_timeout(now(100_000)), &["TimedOut", "Refused", "Closed"]),
    ];
    for (name, breaks, expected) in breaks {
        let mut connection = connection(Config::default());
        feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
        feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx", 0);
        assert_eq!(events(&mut connection), ["Request"]);
        connection.respond_with(id(&connection), &ResponseHead::default(), "first").unwrap();
        assert_eq!(events(&mut connection), ["Request", "Data"]);
        connection.respond(id(&connection), &ResponseHead::default(), BodyLen::Known(10)).unwrap();
        connection.send(id(&connection), "half").unwrap();
        breaks(&mut connection);
        assert_eq!(events(&mut connection), expected, "{name}");
        let out = sent(&mut connection, 100_000);
        assert_eq!(events(&mut connection), ["ResponseEnd"; 2], "{name}");
        assert!(out.contains("first") && out.ends_with("half"), "{name}: {out}");
    }
}

/// A response that ends with the connection must not end normally if it broke off.
#[test]
fn incomplete_http_1_0_response_is_reset() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\n", 0);
    assert_eq!(events(&mut connection), ["Request"]);
    connection.respond(id(&connection), &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.send(id(&connection), "half").unwrap();
    connection.handle_eof(now(1));
    assert_eq!(events(&mut connection), ["Closed"]);
    sent(&mut connection, 2);
    assert_eq!(connection.poll_close(), Some(Close::Reset));
}

#[test]
fn buffer_sizes_of_0_and_maximum_work() {
    for size in [0, 1, usize::MAX] {
        let mut config = Config::default();
        (config.limits.recv_buffer, config.limits.body_buffer, config.limits.send_backlog) = (size, size, size);
        let mut server = Server::with(config);
        server.exchange(WRK.repeat(3).as_bytes());
        let post = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(100_000));
        server.exchange(post.as_bytes());
        assert_eq!((server.responses, server.content), (4, 100_000), "{size}");
    }
    let mut config = Config::default();
    let limits = &mut config.limits;
    (limits.head, limits.fields, limits.target, limits.method) = (usize::MAX, usize::MAX, usize::MAX, usize::MAX);
    (limits.max_body_size, limits.drain, limits.linger, limits.chunk_overhead) =
        (u64::MAX, u64::MAX, u64::MAX, usize::MAX);
    limits.empty_lines = usize::MAX;
    config.timeouts.head = Some(Duration::MAX);
    config.timeouts.idle = Some(Duration::MAX);
    let mut server = Server::with(config);
    server.exchange(WRK.repeat(3).as_bytes());
    assert_eq!(server.responses, 3);
}

/// Only bytes that were written into the returned buffer are input.
#[test]
fn unwritten_buffer_bytes_are_not_input() {
    let mut server = Server::new();
    server.exchange(WRK.as_bytes());
    server.connection.handle_recv(WRK.len(), now(9));
    assert_eq!(events(&mut server.connection), [""; 0]);
    assert!(server.connection.is_idle());
}

/// A superfluous abort does not affect a finished response.
#[test]
fn abort_after_the_end_does_nothing() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET / HTTP/3.0\r\n", 0);
    assert_eq!(events(&mut connection), ["Refused", "Closed"]);
    connection.close();
    assert!(sent(&mut connection, 0).starts_with("HTTP/1.1 505 "));
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
    connection.close();
    assert_eq!(connection.poll_close(), None);
    assert_eq!(timeout(&connection), Some((5000, Timer::Linger)));
}

/// A refusal of a HEAD request has no content, once its request line was read.
#[test]
fn refused_head_request_gets_no_body() {
    for (request, has_content) in [("HEAD / HTTP/1.1\r\n\r\n", false), ("GET / HTTP/1.1\r\n\r\n", true)] {
        let mut connection = connection(Config::default());
        feed(&mut connection, request.as_bytes(), 0);
        assert_eq!(events(&mut connection), ["Refused", "Closed"]);
        let out = sent(&mut connection, 0);
        assert!(out.starts_with("HTTP/1.1 400 "), "{out}");
        assert_eq!(!out.ends_with("\r\n\r\n"), has_content, "{out}");
    }
}

/// A client that did not announce its last request may be sending another one, and must not lose
/// the response because of it.
#[test]
fn close_not_requested_by_the_client_lingers() {
    let responded = |config: Config, version: &str, field: &str| {
        let mut connection = connection(config);
        feed(&mut connection, format!("GET / {version}\r\nHost: a\r\n{field}\r\n").as_bytes(), 0);
        events(&mut connection);
        connection.respond(id(&connection), &ResponseHead::new(200).unwrap(), BodyLen::Known(0)).unwrap();
        connection.finish(id(&connection)).unwrap();
        assert!(sent(&mut connection, 0).contains("\r\nConnection: close\r\n"));
        connection
    };
    let last = || {
        let mut config = Config::default();
        config.keep_alive = false;
        config
    };
    for (version, field) in [("HTTP/1.1", ""), ("HTTP/1.0", "Connection: keep-alive\r\n")] {
        let mut connection = responded(last(), version, field);
        assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite), "{version}");
        assert_eq!(timeout(&connection), Some((2000, Timer::Linger)));
        feed(&mut connection, b"GET /more HTTP/1.1\r\nHost: a\r\n\r\n", 0);
        assert_eq!(events(&mut connection), ["ResponseEnd", "Closed"]);
        connection.handle_eof(now(1));
        assert_eq!(events(&mut connection), [""; 0]);
        assert_eq!(connection.poll_close(), Some(Close::Now), "{version}");
    }
    for (version, field) in [("HTTP/1.1", "Connection: close\r\n"), ("HTTP/1.0", "")] {
        for config in [Config::default(), last()] {
            assert_eq!(responded(config, version, field).poll_close(), Some(Close::Now), "{version}");
        }
    }
}

/// Bytes that a refused client continues to send are read and dropped, up to a limit.
#[test]
fn lingering_is_limited_in_bytes_and_time() {
    let mut config = Config::default();
    config.limits.refusal_linger = 100_000;
    let mut connection = connection(config);
    feed(&mut connection, b"GET / HTTP/1.1\r\n\r\n", 0);
    assert_eq!(events(&mut connection), ["Refused", "Closed"]);
    sent(&mut connection, 0);
    assert_eq!(events(&mut connection), ["ResponseEnd"]);
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
    let mut dropped = 0;
    while connection.wants_recv() {
        dropped += connection.receive(&[b'x'; 5000], now(1));
        assert_eq!(events(&mut connection), [""; 0]);
    }
    assert!((90_000..=108_192).contains(&dropped), "{dropped} bytes were dropped");
    assert_eq!(connection.poll_close(), Some(Close::Now));
}

/// A caller that polls late misses no event.
#[test]
fn timeouts_before_and_after_the_close_are_reported() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"G", 0);
    assert_eq!(events(&mut connection), [""; 0]);
    connection.handle_timeout(now(15_000));
    connection.handle_sent(1, now(15_000));
    connection.handle_timeout(now(45_000));
    let all: Vec<_> = std::iter::from_fn(|| connection.poll_event()).collect();
    assert!(matches!(all[0], Event::TimedOut(Timer::Head)) && matches!(all[1], Event::Refused(_)), "{all:?}");
    assert!(matches!(all[3], Event::Closed(CloseReason::Refused(_))), "{all:?}");
    assert!(matches!(all[4], Event::TimedOut(Timer::Write)), "{all:?}");
    assert!(matches!(all[2], Event::ResponseEnd(stats) if !stats.complete) && all.len() == 5, "{all:?}");
}

#[test]
fn lengths_of_64_bits_do_not_panic_or_wrap() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    events(&mut connection);
    let id = connection.current_request().unwrap().id();
    connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.send_external(id, 1, u64::MAX, u64::MAX).unwrap();
    connection.send_external(id, 1, 0, u64::MAX).unwrap();
    assert!(sent(&mut connection, 0).ends_with("\r\n\r\nffffffffffffffff\r\n"));
    connection.handle_sent(1000, now(0));
    let Some(Transmit::External { offset, length, .. }) = connection.poll_transmit() else { panic!("no file") };
    assert_eq!((offset, length), (u64::MAX, u64::MAX - 1000));
    connection.handle_sent(u64::MAX, now(0));
    assert!(connection.poll_transmit().is_none());
    connection.send_external(id, 1, 0, 5).unwrap();
    connection.handle_sent(u64::MAX, now(0));
    connection.finish(id).unwrap();
    connection.handle_sent(u64::MAX, now(0));
    let Some(Event::ResponseEnd(stats)) = connection.poll_event() else { panic!("no end") };
    assert_eq!((stats.body_bytes, stats.complete), (u64::MAX, true));
}

#[test]
fn close_reason_is_reported_once() {
    let mut connection = connection(Config::default());
    connection.handle_shutdown(now(0));
    connection.handle_shutdown(now(1));
    assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::Shutdown))));
    connection.handle_io_error(now(2));
    connection.handle_eof(now(3));
    assert!(connection.poll_event().is_none());
    assert_eq!(connection.poll_close(), Some(Close::Now));
}

/// If no response has announced the end, a received request is served with a response that does.
#[test]
fn pending_request_is_served_before_the_connection_ends() {
    type End = fn(&mut Connection);
    let ends: [End; 2] = [
        |connection| connection.handle_shutdown(now(1)),
        |connection| {
            connection.expire_at(Duration::from_millis(1));
            connection.handle_timeout(now(1));
        },
    ];
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    for end in ends {
        for waiting in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HT", "\r\n", ""] {
            let mut connection = connection(Config::default());
            feed(&mut connection, post.as_bytes(), 0);
            let id = request(&mut connection).id();
            connection.respond_with(id, &ResponseHead::default(), "first").unwrap();
            // The rest of its body is drained when the next request is received.
            assert!(connection.poll_event().is_none());
            end(&mut connection);
            feed(&mut connection, format!("hello{waiting}").as_bytes(), 1);
            connection.hold_requests();
            let is_served = waiting.starts_with('G');
            let names = events(&mut connection);
            assert_eq!(names.contains(&"Closed".to_owned()), !is_served, "{waiting:?} {names:?}");
            end(&mut connection);
            drop(events(&mut connection));
            connection.accept_requests();
            if is_served {
                feed(&mut connection, &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[waiting.len()..], 2);
                let id = request(&mut connection).id();
                connection.respond_with(id, &ResponseHead::default(), "last").unwrap();
            }
            let sent = sent(&mut connection, 3);
            assert_eq!(sent.matches("\r\nConnection: close\r\n").count(), usize::from(is_served), "{sent}");
            assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
        }
    }
}

/// Bytes in a lent buffer may be a request, so the connection waits until it is returned.
#[test]
fn connection_ends_after_a_lent_buffer_without_a_request() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    let id = request(&mut connection).id();
    connection.respond(id, &ResponseHead::default(), BodyLen::Known(0)).unwrap();
    connection.handle_shutdown(now(1));
    feed(&mut connection, b"\r\n", 1);
    let lent = connection.lend_recv_buf().unwrap();
    connection.finish(id).unwrap();
    drop(sent(&mut connection, 2));
    assert!(!events(&mut connection).contains(&"Closed".to_owned()));
    connection.return_recv_buf(lent, 0, now(2));
    assert!(events(&mut connection).contains(&"Closed".to_owned()));
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
}

/// A part of a PROXY header is not a request.
#[test]
fn connection_without_its_proxy_header_ends_at_once() {
    let mut config = Config::default();
    config.proxy_protocol = true;
    let mut connection = connection(config);
    feed(&mut connection, b"PROXY TCP4 192.0.2.1", 0);
    assert!(connection.poll_event().is_none());
    connection.handle_shutdown(now(0));
    assert_eq!(events(&mut connection), ["Closed"]);
}

/// The storage of a connection can be used by the next one, even if it ended in the middle of a
/// request.
#[test]
fn storage_is_released_by_a_closed_connection() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /half", 0);
    drop(connection.poll_event());
    assert!(connection.release_storage().is_none(), "it is in use");
    connection.handle_io_error(now(0));
    let storage = connection.release_storage().map(|storage| storage.size());
    assert_eq!(storage, Some(8 << 10));
    assert!(connection.release_storage().is_none());
    assert!(connection.poll_transmit().is_none() && connection.poll_close().is_some());
}

/// An empty chunk would be the last one, and bytes after it the start of another response.
#[test]
fn empty_chunked_response_has_one_last_chunk() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    events(&mut connection);
    let mut fields = FieldLines::new();
    fields.push("Transfer-Encoding", "chunked").unwrap();
    connection.respond_with(id(&connection), &ResponseHead::with_fields(Default::default(), fields), "").unwrap();
    let response = sent(&mut connection, 0);
    assert_eq!(response.split_once("\r\n\r\n").unwrap().1, "0\r\n\r\n");
}

/// The new protocol must not send before the response of HTTP was sent.
#[test]
fn bytes_after_an_upgrade_wait_until_its_response_is_sent() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nnew", 0);
    events(&mut connection);
    let mut head = ResponseHead::new(101).unwrap();
    head.fields.push("Upgrade", "x").unwrap();
    connection.respond_upgrade(id(&connection), &head).unwrap();
    assert_eq!(connection.take_upgrade(), "");
    assert!(sent(&mut connection, 0).starts_with("HTTP/1.1 101 "));
    assert_eq!(events(&mut connection), ["ResponseEnd", "Upgraded"]);
    assert_eq!(connection.take_upgrade(), "new");
}

/// `Writable` is emitted only while there is room, and a response that can use it.
#[test]
fn writable_is_reported_only_with_room_and_an_open_response() {
    let mut config = Config::default();
    config.limits.send_backlog = 100;
    let mut connection = connection(config);
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    events(&mut connection);
    connection.respond(id(&connection), &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.send(id(&connection), "a".repeat(100)).unwrap();
    assert_eq!((connection.poll_send_room(id(&connection)), events(&mut connection)), (Ok(0), vec![]));
    sent(&mut connection, 0);
    connection.send(id(&connection), "b".repeat(100)).unwrap();
    assert_eq!(events(&mut connection), [""; 0], "it was filled before the event");
    sent(&mut connection, 0);
    assert_eq!(events(&mut connection), ["Writable"]);
    assert_eq!(events(&mut connection), [""; 0], "once");
}

/// After the head, the stream belongs to another protocol.
#[test]
fn writable_is_not_reported_after_a_tunnel() {
    let mut config = Config::default();
    config.limits.send_backlog = 1;
    let mut connection = connection(config);
    feed(&mut connection, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 0);
    events(&mut connection);
    let id = id(&connection);
    feed(&mut connection, &[b'x'; 100], 0);
    connection.poll_send_room(id).unwrap();
    connection.respond_upgrade(id, &ResponseHead::default()).unwrap();
    assert_eq!(connection.poll_send_room(id), Err(Misuse::Closed));
    sent(&mut connection, 0);
    assert_eq!(events(&mut connection), ["ResponseEnd", "Upgraded"]);
}

/// Large buffers save system calls in uploads; small content does not need them.
#[test]
fn body_buffer_is_used_only_for_larger_bodies() {
    for (length, size) in [(8 << 10, 8 << 10), ((8 << 10) + 1, 64 << 10)] {
        let mut connection = connection(Config::default());
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        feed(&mut connection, head.as_bytes(), 0);
        assert_eq!(events(&mut connection), ["Request"]);
        assert_eq!(connection.recv_buf().len(), size, "for content of {length}");
    }
}

#[test]
fn close_between_requests_is_a_regular_end() {
    for served in [false, true] {
        let mut connection = connection(Config::default());
        if served {
            feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
            let id = request(&mut connection).id();
            connection.respond_with(id, &ResponseHead::default(), "done").unwrap();
            sent(&mut connection, 0);
            let _ = events(&mut connection);
        }
        connection.close();
        assert_eq!(events(&mut connection), ["Closed"]);
        assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
        assert_eq!(timeout(&connection), Some((2_000, Timer::Linger)), "served: {served}");
    }
}
