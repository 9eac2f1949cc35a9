//! Tests of the request ids of commands, and of held requests.
#![cfg(test)]

mod common;

use common::{connection, events, feed, id, now, request, sent, timeout};
use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, Event, FieldLines, Misuse, RequestId, ResponseHead, ResponseState,
    Timer,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Asserts that every command with the id of a request that is not outstanding fails with
/// `expected`.
fn refuses_every_command(connection: &mut Connection, request: RequestId, expected: Misuse) {
    let head = ResponseHead::default();
    let before = (connection.state(), connection.poll_timeout(), format!("{connection:?}"));
    let results = [
        connection.respond(request, &head, BodyLen::Known(0)),
        connection.respond_with(request, &head, "late"),
        connection.respond_upgrade(request, &head),
        connection.send(request, "late"),
        connection.send(request, ""),
        connection.send_external(request, 1, 0, 10),
        connection.finish(request),
        connection.finish_with_trailers(request, &FieldLines::new()),
        connection.send_continue(request),
        connection.send_interim(request, 103, &FieldLines::new()).map(|_| ()),
        connection.set_body_decoded(request).map(|_| ()),
        connection.abort(request),
        connection.set_max_body_size(request, 0),
        connection.pause(request),
        connection.resume(request),
        connection.poll_send_room(request).map(|_| ()),
        connection.response_fields_mut(request).map(|_| ()),
        connection.response_writer(request).send_status(200),
        connection.response_writer(request).send_headers([("A", "b")], true),
        connection.response_writer(request).send_cookies(None, true),
        connection.response_writer(request).send("late"),
        connection.response_writer(request).send_response("late", 200, "text/plain"),
        connection.response_writer(request).finish(),
    ];
    for (number, result) in results.into_iter().enumerate() {
        assert_eq!(result, Err(expected), "command {number}");
    }
    assert!(connection.response_state(request).is_over());
    assert_eq!((connection.state(), connection.poll_timeout(), format!("{connection:?}")), before);
}

#[test]
fn ids_count_the_requests_of_a_connection() {
    let mut connection = connection(Config::default());
    for index in 1..4 {
        feed(&mut connection, GET, 0);
        let request = request(&mut connection);
        assert_eq!((request.id().index(), request.id().to_string()), (index, index.to_string()));
        assert_eq!(connection.response_state(request.id()), ResponseState::Expected);
        connection.respond(request.id(), &ResponseHead::default(), BodyLen::Known(0)).unwrap();
        assert_eq!(connection.response_state(request.id()), ResponseState::Begun);
        connection.finish(request.id()).unwrap();
        sent(&mut connection, 0);
        assert_eq!(events(&mut connection), ["ResponseEnd"]);
    }
}

#[test]
fn events_of_a_request_carry_its_id() {
    let mut config = Config::default();
    config.limits.send_backlog = 10;
    let mut connection = connection(config);
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.respond_with(id, &ResponseHead::default(), "").unwrap();
    sent(&mut connection, 0);
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n";
    feed(&mut connection, head, 0);
    assert_eq!(events(&mut connection), ["ResponseEnd", "Request", "Expect100"]);
    let id = common::id(&connection);
    connection.send_continue(id).unwrap();
    feed(&mut connection, b"1\r\nx\r\n0\r\n\r\n", 0);
    assert!(matches!(connection.poll_event(), Some(Event::Data(of, data)) if of == id && data == "x"));
    assert!(matches!(connection.poll_event(), Some(Event::End(of, _)) if of == id));
    connection.handle_eof(now(0));
    assert!(matches!(connection.poll_event(), Some(Event::PeerClosed(of)) if of == id));
    connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    assert_eq!(connection.poll_send_room(id), Ok(0));
    sent(&mut connection, 0);
    assert!(matches!(connection.poll_event(), Some(Event::Writable(of)) if of == id));
    connection.finish(id).unwrap();
    sent(&mut connection, 0);
    assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::Finished) | Event::ResponseEnd(_))));
}

#[test]
fn command_for_a_finished_request_changes_nothing() {
    let mut connection = connection(Config::default());
    feed(&mut connection, &GET.repeat(2), 0);
    let first = request(&mut connection).id();
    connection.respond_with(first, &ResponseHead::default(), "first").unwrap();
    refuses_every_command(&mut connection, first, Misuse::NoRequest);

    // The same while the next request is outstanding, with or without a response head.
    let second = request(&mut connection).id();
    refuses_every_command(&mut connection, first, Misuse::NoRequest);
    connection.response_writer(second).send_status(201).unwrap();
    refuses_every_command(&mut connection, first, Misuse::NoRequest);
    connection.response_writer(second).send_headers([("Content-Length", "6")], true).unwrap();
    refuses_every_command(&mut connection, first, Misuse::NoRequest);
    connection.send(second, "second").unwrap();
    connection.finish(second).unwrap();
    let out = sent(&mut connection, 0);
    assert!(out.contains("\r\n\r\nfirstHTTP/1.1 201 ") && out.ends_with("\r\n\r\nsecond"), "{out}");
    assert_eq!(events(&mut connection), ["ResponseEnd"; 2]);
}

#[test]
fn command_for_a_future_request_changes_nothing() {
    let mut connection = connection(Config::default());
    refuses_every_command(&mut connection, RequestId::default(), Misuse::NoRequest);
    let mut other = common::connection(Config::default());
    feed(&mut other, &GET.repeat(2), 0);
    let first = request(&mut other).id();
    other.respond_with(first, &ResponseHead::default(), "").unwrap();
    let second = request(&mut other).id();
    refuses_every_command(&mut connection, first, Misuse::NoRequest);
    feed(&mut connection, GET, 0);
    assert_eq!(request(&mut connection).id(), first, "an id is unique on its connection only");
    refuses_every_command(&mut connection, second, Misuse::NoRequest);
}

#[test]
fn commands_fail_with_closed_on_a_closed_connection() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.abort(id).unwrap();
    refuses_every_command(&mut connection, id, Misuse::Closed);
}

#[test]
fn bodiless_response_accepts_no_content() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304), ("HEAD", 404)] {
        let mut connection = connection(Config::default());
        feed(&mut connection, format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").repeat(2).as_bytes(), 0);
        let first = request(&mut connection);
        let (id, head) = (first.id(), ResponseHead::new(status).unwrap());
        assert!(!first.allows_response_body(head.status) && !first.has_body());
        connection.respond(id, &head, BodyLen::Unknown).unwrap();
        assert_eq!(connection.send(id, "content"), Err(Misuse::NoBody));
        assert_eq!(connection.send_external(id, 1, 0, 5), Err(Misuse::NoBody));
        assert_eq!(connection.response_writer(id).send("content"), Err(Misuse::NoBody));
        assert_eq!((connection.send(id, ""), connection.send_external(id, 1, 0, 0)), (Ok(()), Ok(())));
        connection.finish(id).unwrap();
        // `respond_with` drops the content, so that one handler can serve GET and HEAD.
        let second = request(&mut connection).id();
        connection.respond_with(second, &head, "content").unwrap();
        let out = sent(&mut connection, 0);
        assert!(out.ends_with("\r\n\r\n") && !out.contains("content\r"), "{out}");
        for _ in 0..2 {
            let Some(Event::ResponseEnd(stats)) = connection.poll_event() else { panic!("{method} {status}") };
            assert_eq!((stats.body_bytes, stats.complete), (0, true), "{method} {status}");
        }
    }
}

#[test]
fn only_respond_upgrade_ends_http() {
    let requests = [
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", 101),
        ("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 200),
    ];
    for (input, status) in requests {
        let mut connection = connection(Config::default());
        feed(&mut connection, input.as_bytes(), 0);
        let id = request(&mut connection).id();
        let mut head = ResponseHead::new(status).unwrap();
        head.fields.push("Upgrade", "x").unwrap();
        assert_eq!(connection.respond(id, &head, BodyLen::Unknown), Err(Misuse::Upgrade));
        assert_eq!(connection.respond_with(id, &head, "content"), Err(Misuse::Upgrade));
        let other = ResponseHead::new(404).unwrap();
        assert_eq!(connection.respond_upgrade(id, &other), Err(Misuse::Upgrade));
        let expected = if status == 101 { Err(Misuse::InformationalStatus(101)) } else { Ok(()) };
        assert_eq!(connection.response_writer(id).send_status(status), expected);
        assert!(connection.poll_transmit().is_none(), "{status}");
        connection.respond_upgrade(id, &head).unwrap();
        assert!(sent(&mut connection, 0).starts_with(&format!("HTTP/1.1 {status} ")));
        assert_eq!(events(&mut connection), ["ResponseEnd", "Upgraded"]);
    }
}

#[test]
fn upgrade_before_the_end_of_the_body_is_misuse() {
    let mut connection = connection(Config::default());
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\na";
    feed(&mut connection, head, 0);
    let id = request(&mut connection).id();
    let mut head = ResponseHead::new(101).unwrap();
    head.fields.push("Upgrade", "x").unwrap();
    assert_eq!(connection.respond_upgrade(id, &head), Err(Misuse::Upgrade));
    feed(&mut connection, b"bnew", 0);
    assert_eq!(events(&mut connection), ["Data", "End"]);
    connection.respond_upgrade(id, &head).unwrap();
    sent(&mut connection, 0);
    assert_eq!(events(&mut connection), ["ResponseEnd", "Upgraded"]);
    assert_eq!(connection.take_upgrade(), "new");
}

#[test]
fn held_connection_does_not_parse_and_has_no_timers() {
    let mut connection = connection(Config::default());
    assert_eq!(timeout(&connection), Some((15_000, Timer::Accept)));
    connection.hold_requests();
    assert_eq!(timeout(&connection), None);
    feed(&mut connection, b"GET / HTTP/1.1\r\n", 1_000);
    assert_eq!((events(&mut connection), timeout(&connection)), (vec![], None));
    connection.handle_timeout(now(100_000));
    connection.accept_requests();
    assert_eq!(timeout(&connection), Some((115_000, Timer::Accept)));
    assert_eq!(events(&mut connection), [""; 0]);
    assert_eq!(timeout(&connection), Some((115_000, Timer::Head)));

    // A head that was received partly also waits.
    connection.hold_requests();
    feed(&mut connection, b"Host: a\r\n\r\n", 101_000);
    connection.handle_timeout(now(200_000));
    assert_eq!((events(&mut connection), timeout(&connection)), (vec![], None));
    connection.accept_requests();
    assert_eq!(timeout(&connection), Some((215_000, Timer::Head)));
    let id = request(&mut connection).id();

    // So does a request that is pipelined after a finished response.
    feed(&mut connection, GET, 200_000);
    connection.hold_requests();
    connection.respond_with(id, &ResponseHead::default(), "").unwrap();
    sent(&mut connection, 200_000);
    assert_eq!((events(&mut connection), timeout(&connection)), (vec!["ResponseEnd".to_owned()], None));
    connection.handle_time(now(300_000));
    connection.accept_requests();
    assert_eq!(timeout(&connection), Some((375_000, Timer::Idle)));
    assert_eq!(events(&mut connection), ["Request"]);
}

#[test]
fn held_connection_receives_a_limited_number_of_bytes() {
    let mut connection = connection(Config::default());
    connection.hold_requests();
    let mut taken = 0;
    while connection.wants_recv() {
        taken += connection.receive(&[b'x'; 1000], now(0));
        assert_eq!(events(&mut connection), [""; 0]);
    }
    assert_eq!(taken, 8 << 10);
}

#[test]
fn end_of_stream_closes_a_held_connection() {
    let mut idle = connection(Config::default());
    idle.hold_requests();
    idle.handle_eof(now(0));
    assert!(matches!(idle.poll_event(), Some(Event::Closed(CloseReason::PeerClosed))));
    assert_eq!(idle.poll_close(), Some(Close::Now));

    // Requests that were received before it are served first.
    let mut busy = connection(Config::default());
    busy.hold_requests();
    feed(&mut busy, GET, 0);
    busy.handle_eof(now(0));
    assert_eq!((events(&mut busy), busy.poll_close()), (vec![], None));
    busy.accept_requests();
    assert_eq!(events(&mut busy), ["Request", "PeerClosed"]);
    let id = id(&busy);
    busy.respond_with(id, &ResponseHead::default(), "").unwrap();
    assert!(sent(&mut busy, 0).starts_with("HTTP/1.1 200 "));
    assert_eq!(events(&mut busy), ["ResponseEnd", "Closed"]);
}

#[test]
fn shutdown_closes_a_held_connection() {
    let mut connection = connection(Config::default());
    connection.hold_requests();
    connection.handle_shutdown(now(0));
    assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::Shutdown))));
    connection.accept_requests();
    assert_eq!(events(&mut connection), [""; 0]);
}

#[test]
fn tunnel_response_has_no_body() {
    for (method, status, expected) in [
        ("CONNECT", 200, false),
        ("CONNECT", 299, false),
        ("CONNECT", 300, true),
        ("CONNECT", 405, true),
        ("GET", 200, true),
        ("GET", 101, false),
        ("HEAD", 200, false),
    ] {
        let target = if method == "CONNECT" { "a:1" } else { "/" };
        let mut connection = connection(Config::default());
        feed(&mut connection, format!("{method} {target} HTTP/1.1\r\nHost: a:1\r\n\r\n").as_bytes(), 0);
        let status = ResponseHead::new(status).unwrap().status;
        assert_eq!(request(&mut connection).allows_response_body(status), expected, "{method} {status}");
    }
}

#[test]
fn decoded_head_has_no_coding_and_the_body_keeps_its_framing() {
    let mut connection = connection(Config::default());
    let head =
        b"POST / HTTP/1.1\r\nHost: a\r\ncontent-encoding: gzip\r\nContent-Length: 3\r\nContent-Type: x/y\r\n\r\nab";
    feed(&mut connection, head, 0);
    let received = request(&mut connection);
    let decoded = connection.set_body_decoded(received.id()).unwrap();
    assert_eq!((decoded.headers().len(), decoded.headers().text("content-type")), (2, Some("x/y")));
    assert_eq!(received.headers().len(), 4, "a head that was handed out stays");
    assert_eq!((decoded.framing(), decoded.as_bytes()), (received.framing(), received.as_bytes()));
    assert_eq!(connection.current_request().map(|head| head.headers().len()), Some(2));
    feed(&mut connection, b"c", 0);
    assert_eq!(events(&mut connection), ["Data", "End"]);
    connection.respond_with(received.id(), &ResponseHead::default(), "").unwrap();
    assert_eq!(connection.set_body_decoded(received.id()).map(|_| ()), Err(Misuse::NoRequest));
}
