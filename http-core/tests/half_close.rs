//! Tests of clients that end their stream, or its sending side, before they receive the response.
#![cfg(test)]

mod common;

use std::time::Duration;

use common::{connection, events, feed, now, request, sent, timeout};
use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, Event, HalfClose, Now, Receiving, RequestId, ResponseHead, Timer,
    Transmit,
};

const GET: &[u8] = GET_TEXT.as_bytes();
const GET_TEXT: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Returns a connection whose client has sent a request and ended its stream after one second.
fn half_closed(config: Config) -> (Connection, RequestId) {
    let mut connection = connection(config);
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.handle_eof(now(1_000));
    (connection, id)
}

#[test]
fn half_closed_client_is_served() {
    let (mut connection, id) = half_closed(Config::default());
    assert_eq!(events(&mut connection), ["PeerClosed"]);
    assert_eq!(events(&mut connection), [""; 0], "it is reported once");
    assert!(!connection.wants_recv() && !connection.watches_peer());
    connection.respond_with(id, &ResponseHead::default(), "served").unwrap();
    assert!(sent(&mut connection, 2_000).ends_with("\r\n\r\nserved"));
    assert_eq!(events(&mut connection), ["ResponseEnd", "Closed"]);
    assert_eq!(connection.poll_close(), Some(Close::Now));
}

#[test]
fn deadline_before_the_head_sends_503() {
    let (mut connection, id) = half_closed(Config::default());
    assert_eq!(timeout(&connection), Some((31_000, Timer::HalfClosed)));
    connection.handle_timeout(now(30_999));
    assert_eq!(events(&mut connection), ["PeerClosed"]);
    connection.handle_timeout(now(31_000));
    assert!(matches!(connection.poll_event(), Some(Event::TimedOut(Timer::HalfClosed))));
    assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::TimedOut(Timer::HalfClosed)))));
    let out = sent(&mut connection, 31_000);
    assert!(out.starts_with("HTTP/1.1 503 ") && out.contains("\r\nConnection: close\r\n"), "{out}");
    let Some(Event::ResponseEnd(stats)) = connection.poll_event() else { panic!() };
    assert_eq!((stats.request, stats.status.map(|status| status.as_u16())), (Some(id), Some(503)));
    assert_eq!((connection.poll_close(), timeout(&connection)), (Some(Close::Now), None));
}

#[test]
fn deadline_after_the_head_resets() {
    for (length, takes) in [(BodyLen::Known(100), true), (BodyLen::Unknown, true), (BodyLen::Known(100), false)] {
        let mut config = Config::default();
        config.timeouts.write = None;
        let (mut connection, id) = half_closed(config);
        connection.handle_time(now(5_000));
        connection.respond(id, &ResponseHead::default(), length).unwrap();
        connection.send(id, "half").unwrap();
        if takes {
            assert!(sent(&mut connection, 5_000).contains("half"));
        }
        let due = if takes { 35_000 } else { 31_000 };
        assert_eq!(timeout(&connection), Some((due, Timer::HalfClosed)));
        connection.handle_timeout(now(due));
        assert_eq!(events(&mut connection).last().map(String::as_str), Some("Closed"));
        assert!(connection.poll_transmit().is_none());
        assert_eq!(connection.poll_close(), Some(Close::Reset), "{length:?}");
    }
}

#[test]
fn each_sent_byte_extends_the_deadline() {
    let mut config = Config::default();
    config.timeouts.write_rate = 0;
    let (mut connection, id) = half_closed(config);
    connection.respond(id, &ResponseHead::default(), BodyLen::Known(100)).unwrap();
    for second in [10, 35, 60] {
        connection.send(id, "piece").unwrap();
        connection.handle_sent(1, now(second * 1_000));
        assert_eq!(timeout(&connection).map(|(at, _)| at), Some((second + 30) * 1_000));
    }
    // Bytes that the client accepted before it ended its stream do not count as progress.
    let mut early = common::connection(Config::default());
    feed(&mut early, GET, 0);
    let id = request(&mut early).id();
    early.respond(id, &ResponseHead::default(), BodyLen::Known(100)).unwrap();
    sent(&mut early, 500);
    early.handle_eof(now(1_000));
    assert_eq!(timeout(&early), Some((31_000, Timer::HalfClosed)));
}

#[test]
fn pending_request_has_the_full_timeout() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let first = request(&mut connection).id();
    connection.hold_requests();
    connection.respond_with(first, &ResponseHead::default(), "").unwrap();
    feed(&mut connection, GET, 0);
    sent(&mut connection, 0);
    connection.handle_eof(now(0));
    assert_eq!(events(&mut connection), ["ResponseEnd"]);
    // The application continues after its first response.
    connection.handle_time(now(40_000));
    connection.accept_requests();
    request(&mut connection);
    assert_eq!(timeout(&connection), Some((70_000, Timer::HalfClosed)));
}

#[test]
fn deadline_can_be_changed_or_disabled() {
    let with = |half_closed| {
        let mut config = Config::default();
        config.timeouts.half_closed = half_closed;
        self::half_closed(config).0
    };
    assert_eq!(timeout(&with(Some(Duration::from_secs(5)))), Some((6_000, Timer::HalfClosed)));
    let mut without = with(None);
    assert_eq!(timeout(&without), None);
    without.handle_timeout(now(1_000_000));
    assert_eq!(events(&mut without), ["PeerClosed"]);
}

#[test]
fn finished_response_has_only_its_write_deadline() {
    let (mut connection, id) = half_closed(Config::default());
    connection.handle_time(now(2_000));
    connection.respond_with(id, &ResponseHead::default(), "served").unwrap();
    assert_eq!(timeout(&connection), Some((32_000, Timer::Write)));
}

#[test]
fn deadline_ends_with_the_last_response() {
    for closes in [true, false] {
        let mut config = Config::default();
        (config.timeouts.write, config.keep_alive) = (None, !closes);
        let (mut connection, id) = half_closed(config);
        connection.hold_requests();
        connection.respond_with(id, &ResponseHead::default(), vec![b'x'; 100_000]).unwrap();
        for _ in 0..3 {
            let Some(due) = connection.poll_timeout() else { break };
            connection.handle_timeout(Now { mono: due.at, ..now(0) });
            assert_ne!(connection.poll_timeout(), Some(due), "a deadline that came stays");
        }
    }
}

#[test]
fn half_close_policy_can_drop_requests() {
    let policy = || {
        let mut config = Config::default();
        config.half_close = HalfClose::Drop;
        config
    };
    let (mut connection, id) = half_closed(policy());
    assert_eq!(events(&mut connection), ["ResponseEnd", "Closed"]);
    assert_eq!(connection.poll_close(), Some(Close::Now));
    assert!(connection.respond_with(id, &ResponseHead::default(), "late").is_err());
    assert!(connection.poll_transmit().is_none());

    // In the middle of a response, and if the end is detected after unread bytes.
    let mut begun = common::connection(policy());
    feed(&mut begun, GET, 0);
    let id = request(&mut begun).id();
    begun.respond(id, &ResponseHead::default(), BodyLen::Known(10)).unwrap();
    begun.send(id, "half").unwrap();
    begun.handle_peer_closed(now(1_000));
    assert_eq!(events(&mut begun), ["ResponseEnd", "Closed"]);
    assert!(begun.poll_transmit().is_none() && begun.poll_close().is_some());

    // Between requests the policy has no effect.
    let mut idle = common::connection(policy());
    idle.handle_eof(now(0));
    assert!(matches!(idle.poll_event(), Some(Event::Closed(CloseReason::PeerClosed))));
}

#[test]
fn end_of_stream_after_unread_requests_loses_none() {
    for after in [3, 1_000] {
        let mut connection = connection(Config::default());
        let input = GET.repeat(after);
        let mut rest = &input[..];
        let first = connection.receive(rest, now(0));
        rest = &rest[first..];
        let id = request(&mut connection).id();
        // The application is busy, and bytes remain in the socket.
        while connection.wants_recv() && !rest.is_empty() {
            let taken = connection.receive(rest, now(0));
            rest = &rest[taken..];
        }
        assert_eq!(connection.watches_peer(), !connection.wants_recv());
        connection.handle_peer_closed(now(1_000));
        connection.handle_peer_closed(now(2_000));
        assert!(!connection.watches_peer(), "it is known already");
        assert_eq!(events(&mut connection), ["PeerClosed"]);
        assert_eq!(timeout(&connection), Some((31_000, Timer::HalfClosed)));
        connection.respond_with(id, &ResponseHead::default(), "1").unwrap();
        let out = serve(&mut connection, rest, 3_000);
        assert_eq!(out.matches("HTTP/1.1 200 ").count(), after);
        assert_eq!((connection.served(), connection.poll_close()), (after as u64, Some(Close::Now)));
    }
}

/// Serves all requests until the connection closes. Returns the bytes that are sent.
fn serve(connection: &mut Connection, mut rest: &[u8], millis: u64) -> String {
    let (mut out, mut closed) = (String::new(), None);
    while closed.is_none() {
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Request(request) => {
                    connection.respond_with(request.id(), &ResponseHead::default(), "ok").unwrap();
                }
                Event::Closed(reason) => closed = Some(reason),
                Event::ResponseEnd(stats) => assert!(stats.complete),
                Event::PeerClosed(_) => {}
                other => panic!("{other:?}"),
            }
        }
        out.push_str(&sent(connection, millis));
        if connection.wants_recv() {
            let taken = connection.receive(rest, now(millis));
            rest = &rest[taken..];
            if rest.is_empty() {
                connection.handle_eof(now(millis));
            }
        }
    }
    while let Some(event) = connection.poll_event() {
        assert!(matches!(event, Event::ResponseEnd(stats) if stats.complete), "{event:?}");
    }
    assert!(matches!(closed, Some(CloseReason::PeerClosed | CloseReason::Finished)), "{closed:?}");
    out
}

#[test]
fn end_of_stream_is_reported_if_the_body_is_not_read() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 0);
    let id = request(&mut connection).id();
    connection.pause(id).unwrap();
    assert!(connection.watches_peer());
    connection.handle_peer_closed(now(1_000));
    assert_eq!(events(&mut connection), ["PeerClosed"]);
    connection.resume(id).unwrap();
    assert_eq!(connection.state().recv, Receiving::Body);
    feed(&mut connection, b"hello", 2_000);
    connection.handle_eof(now(2_000));
    assert_eq!(events(&mut connection), ["Data", "End"], "the body came before the end");
    connection.respond_with(id, &ResponseHead::default(), "ok").unwrap();
    sent(&mut connection, 2_000);
    assert_eq!(events(&mut connection), ["ResponseEnd", "Closed"]);
}

#[test]
fn upgraded_stream_has_no_deadline() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 0);
    let id = request(&mut connection).id();
    connection.handle_peer_closed(now(0));
    connection.respond_upgrade(id, &ResponseHead::default()).unwrap();
    assert!(matches!(connection.poll_transmit(), Some(Transmit::Bytes(_))));
    sent(&mut connection, 0);
    assert_eq!((events(&mut connection), timeout(&connection)), (vec!["ResponseEnd".into(), "Upgraded".into()], None));
}

#[test]
fn closed_client_is_dropped_while_requests_are_held() {
    for after in ["", "G", GET_TEXT] {
        let mut connection = connection(Config::default());
        feed(&mut connection, GET, 0);
        let id = request(&mut connection).id();
        connection.respond_with(id, &ResponseHead::default(), "done").unwrap();
        connection.hold_requests();
        sent(&mut connection, 0);
        assert_eq!(events(&mut connection), ["ResponseEnd"]);
        feed(&mut connection, after.as_bytes(), 1_000);
        connection.handle_eof(now(1_000));
        if after.is_empty() {
            assert_eq!(events(&mut connection), ["Closed"]);
            continue;
        }
        assert_eq!((events(&mut connection), timeout(&connection)), (vec![], Some((31_000, Timer::HalfClosed))));
        connection.handle_timeout(now(31_000));
        assert_eq!(events(&mut connection), ["TimedOut", "Closed"]);
        assert_eq!(connection.poll_close(), Some(Close::Now));
    }
}

#[test]
fn end_of_stream_is_watched_while_requests_are_held() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.respond_with(id, &ResponseHead::default(), "done").unwrap();
    connection.hold_requests();
    sent(&mut connection, 0);
    while connection.wants_recv() {
        let _ = connection.receive(GET, now(0));
    }
    assert!(connection.watches_peer());
    connection.handle_peer_closed(now(2_000));
    assert_eq!(timeout(&connection), Some((32_000, Timer::HalfClosed)));
}
