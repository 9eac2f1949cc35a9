//! Tests of the ends of responses: one for each request, with the number of sent bytes.
#![cfg(test)]

mod common;

use common::{connection, events, feed, now, request, sent};
use httpants_core::{
    BodyLen, CloseReason, Config, Connection, Event, Misuse, RequestId, ResponseHead, ResponseStats, TransmitQueue,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Returns the next event, which must be the end of a response: its request, its status, the number
/// of sent bytes of its body, and true if it is complete.
fn ended(connection: &mut Connection) -> (Option<u64>, Option<u16>, u64, bool) {
    match connection.poll_event() {
        Some(Event::ResponseEnd(stats)) => parts(stats),
        other => panic!("{other:?}"),
    }
}

fn parts(stats: ResponseStats) -> (Option<u64>, Option<u16>, u64, bool) {
    let ResponseStats { request, status, body_bytes, complete, .. } = stats;
    (request.map(RequestId::index), status.map(|status| status.as_u16()), body_bytes, complete)
}

/// Returns the ends of all responses, without other events.
fn all_ended(connection: &mut Connection) -> Vec<(Option<u64>, Option<u16>, u64, bool)> {
    let end = |event| if let Event::ResponseEnd(stats) = event { Some(parts(stats)) } else { None };
    std::iter::from_fn(|| connection.poll_event()).filter_map(end).collect()
}

fn waiting(connection: &Connection) -> u64 {
    match connection.poll_transmit() {
        Some(httpants_core::Transmit::Bytes(slices)) => slices.map(|slice| slice.len() as u64).sum(),
        Some(other) => panic!("{other:?}"),
        None => 0,
    }
}

#[test]
fn response_ends_when_its_last_byte_is_sent() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.respond_with(id, &ResponseHead::new(404).unwrap(), "hello").unwrap();
    assert!(connection.poll_event().is_none(), "nothing has left");
    let waiting = waiting(&connection);
    connection.handle_sent(waiting - 1, now(0));
    assert!(connection.poll_event().is_none(), "a byte is missing");
    assert!(!connection.is_idle());
    connection.handle_sent(1, now(0));
    assert!(!connection.is_idle(), "its end was not reported yet");
    assert_eq!(ended(&mut connection), (Some(1), Some(404), 5, true));
    assert!(connection.poll_event().is_none() && connection.is_idle());
}

/// All queued bytes may be sent before the application finishes the response.
#[test]
fn response_does_not_end_before_it_is_finished() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.respond(id, &ResponseHead::default(), BodyLen::Known(5)).unwrap();
    connection.send(id, "hello").unwrap();
    sent(&mut connection, 0);
    assert!(connection.poll_event().is_none());
    connection.finish(id).unwrap();
    assert_eq!(ended(&mut connection), (Some(1), Some(200), 5, true));
}

#[test]
fn framing_is_not_counted_as_body() {
    let mut connection = connection(Config::default());
    feed(&mut connection, &GET.repeat(2), 0);
    let first = request(&mut connection).id();
    connection.respond(first, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.send(first, "hello").unwrap();
    connection.send_external(first, 7, 0, 1000).unwrap();
    connection.finish(first).unwrap();
    connection.handle_sent(u64::MAX, now(0));
    assert_eq!(ended(&mut connection), (Some(1), Some(200), 1005, true));
}

#[test]
fn pipelined_responses_end_one_by_one() {
    let mut connection = connection(Config::default());
    feed(&mut connection, &GET.repeat(3), 0);
    let mut ends = vec![];
    for body in ["a", "bb", "ccc"] {
        let id = request(&mut connection).id();
        connection.respond_with(id, &ResponseHead::default(), body).unwrap();
        ends.push(waiting(&connection));
    }
    assert!(connection.poll_event().is_none());
    let mut sent = 0;
    for (number, end) in (1..).zip(&ends) {
        connection.handle_sent(end - sent - 1, now(0));
        assert!(connection.poll_event().is_none(), "response {number}");
        // Sends the first byte of the next response, if there is one.
        connection.handle_sent(2, now(0));
        sent = end + 1;
        assert_eq!(ended(&mut connection), (Some(number), Some(200), number, true));
    }
    assert!(connection.poll_event().is_none());
}

#[test]
fn broken_batch_reports_the_sent_bytes_of_each_response() {
    let responded = || {
        let mut connection = connection(Config::default());
        feed(&mut connection, &GET.repeat(3), 0);
        let mut ends = vec![];
        for body in ["first", "second", "third"] {
            let id = request(&mut connection).id();
            connection.respond_with(id, &ResponseHead::default(), body).unwrap();
            ends.push((waiting(&connection), body.len() as u64));
        }
        (connection, ends)
    };
    let total = responded().1[2].0;
    for count in 0..=total {
        let (mut connection, ends) = responded();
        connection.handle_sent(count, now(0));
        connection.handle_io_error(now(0));
        let expected: Vec<_> = (1..)
            .zip(&ends)
            .map(|(number, &(end, body))| {
                let unsent = end.saturating_sub(count);
                (Some(number), Some(200), body.saturating_sub(unsent), unsent == 0)
            })
            .collect();
        assert_eq!(all_ended(&mut connection), expected, "after {count} bytes");
    }
}

#[test]
fn broken_response_reports_the_sent_bytes_of_its_body() {
    for length in [BodyLen::Known(10), BodyLen::Unknown] {
        let mut connection = connection(Config::default());
        feed(&mut connection, GET, 0);
        let id = request(&mut connection).id();
        connection.respond(id, &ResponseHead::default(), length).unwrap();
        connection.send(id, "abcde").unwrap();
        sent(&mut connection, 0);
        connection.send(id, "fgh").unwrap();
        connection.handle_sent(if length == BodyLen::Unknown { "3\r\nf".len() as u64 } else { 1 }, now(0));
        connection.handle_io_error(now(1));
        let (request, status, body, complete) = ended(&mut connection);
        assert_eq!((request, status, complete), (Some(1), Some(200), false));
        // For a chunked response, unsent framing is counted as body: "gh\r\n".
        assert_eq!(body, if length == BodyLen::Unknown { 8 - 4 } else { 6 }, "{length:?}");
        assert_eq!(events(&mut connection), ["Closed"]);
    }
}

#[test]
fn broken_connection_ends_its_response_without_a_status() {
    type Break = fn(&mut Connection);
    let breaks: [(Break, CloseReason); 3] = [
        (|connection| connection.handle_io_error(now(0)), CloseReason::IoError),
        (|connection| connection.handle_eof(now(0)), CloseReason::Truncated),
        (Connection::close, CloseReason::Aborted),
    ];
    for (breaks, reason) in breaks {
        let mut connection = connection(Config::default());
        feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabc", 0);
        assert_eq!(events(&mut connection), ["Request", "Data"]);
        breaks(&mut connection);
        let all: Vec<_> = std::iter::from_fn(|| connection.poll_event()).collect();
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all.iter().any(|event| matches!(event, Event::Closed(why) if *why == reason)), "{all:?}");
        let end = all.into_iter().find_map(|event| match event {
            Event::ResponseEnd(stats) => Some(parts(stats)),
            _ => None,
        });
        assert_eq!(end, Some((Some(1), None, 0, false)), "{reason:?}");
    }
}

#[test]
fn bodiless_responses_report_no_body_bytes() {
    for (method, status) in [("HEAD", 200), ("GET", 204), ("GET", 304)] {
        let mut connection = connection(Config::default());
        feed(&mut connection, format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes(), 0);
        let id = request(&mut connection).id();
        connection.respond_with(id, &ResponseHead::new(status).unwrap(), "hello").unwrap();
        sent(&mut connection, 0);
        assert_eq!(ended(&mut connection), (Some(1), Some(status), 0, true));
    }
}

#[test]
fn refusal_of_a_head_has_no_request() {
    for (input, has_body) in [("GET / HTTP/1.1\r\n\r\n", true), ("HEAD / HTTP/1.1\r\n\r\n", false)] {
        let mut connection = connection(Config::default());
        feed(&mut connection, GET, 0);
        let id = request(&mut connection).id();
        connection.respond_with(id, &ResponseHead::default(), "").unwrap();
        feed(&mut connection, input.as_bytes(), 0);
        assert_eq!(events(&mut connection), ["Refused", "Closed"]);
        let out = sent(&mut connection, 0);
        let body = out.rsplit_once("\r\n\r\n").unwrap().1.len() as u64;
        assert_eq!(body > 0, has_body);
        assert_eq!(all_ended(&mut connection), [(Some(1), Some(200), 0, true), (None, Some(400), body, true)]);
    }
}

#[test]
fn refusal_of_a_body_is_the_response_to_its_request() {
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut before = connection(Config::default());
    feed(&mut before, head, 0);
    let first = request(&mut before).id();
    feed(&mut before, b"x\r\n", 0);
    assert!(matches!(before.poll_event(), Some(Event::Refused(refusal)) if refusal.request() == Some(first)));
    assert_eq!(events(&mut before), ["Closed"]);
    let out = sent(&mut before, 0);
    let body = out.split_once("\r\n\r\n").unwrap().1.len() as u64;
    assert_eq!(ended(&mut before), (Some(1), Some(400), body, true));

    // A response that has begun cannot be withdrawn.
    let mut within = connection(Config::default());
    feed(&mut within, head, 0);
    let first = request(&mut within).id();
    within.respond(first, &ResponseHead::default(), BodyLen::Known(10)).unwrap();
    within.send(first, "half").unwrap();
    feed(&mut within, b"x\r\n", 0);
    assert!(matches!(within.poll_event(), Some(Event::Refused(refusal)) if refusal.request() == Some(first)));
    assert_eq!(events(&mut within), ["Closed"]);
    sent(&mut within, 0);
    assert_eq!(ended(&mut within), (Some(1), Some(200), 4, false));

    // Even if all of it was sent.
    let mut sent_on = connection(Config::default());
    feed(&mut sent_on, head, 0);
    let first = request(&mut sent_on).id();
    sent_on.respond(first, &ResponseHead::default(), BodyLen::Known(10)).unwrap();
    sent_on.send(first, "half").unwrap();
    sent(&mut sent_on, 0);
    feed(&mut sent_on, b"x\r\n", 0);
    assert_eq!(events(&mut sent_on), ["Refused", "ResponseEnd", "Closed"], "the reason comes before the end");

    // The same applies to a finished response.
    let mut after = connection(Config::default());
    feed(&mut after, head, 0);
    let first = request(&mut after).id();
    after.respond_with(first, &ResponseHead::default(), "done").unwrap();
    sent(&mut after, 0);
    assert_eq!(ended(&mut after), (Some(1), Some(200), 4, true));
    feed(&mut after, b"x\r\n", 0);
    let Some(Event::Refused(refusal)) = after.poll_event() else { panic!() };
    assert_eq!((refusal.request(), refusal.request_line()), (Some(first), &b""[..]));
    assert_eq!(events(&mut after), ["Closed"]);
    assert!(after.poll_transmit().is_none());
}

#[test]
fn core_responds_if_the_handler_is_late() {
    let mut config = Config::default();
    config.timeouts.handler = Some(std::time::Duration::from_secs(1));
    let mut connection = connection(config);
    feed(&mut connection, GET, 0);
    assert_eq!(events(&mut connection), ["Request"]);
    connection.handle_timeout(now(1000));
    assert_eq!(events(&mut connection), ["TimedOut", "Closed"]);
    let body = sent(&mut connection, 1000).split_once("\r\n\r\n").unwrap().1.len() as u64;
    assert_eq!(ended(&mut connection), (Some(1), Some(503), body, true));
}

#[test]
fn too_little_content_makes_the_response_incomplete() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.respond(id, &ResponseHead::default(), BodyLen::Known(10)).unwrap();
    connection.send(id, "half").unwrap();
    connection.finish(id).unwrap_err();
    assert_eq!(events(&mut connection), ["Closed"]);
    sent(&mut connection, 0);
    assert_eq!(ended(&mut connection), (Some(1), Some(200), 4, false));
}

#[test]
fn upgrade_ends_when_its_head_is_sent() {
    let mut connection = connection(Config::default());
    feed(&mut connection, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 0);
    let id = request(&mut connection).id();
    connection.respond_upgrade(id, &ResponseHead::default()).unwrap();
    assert!(connection.poll_event().is_none(), "its head has not left");
    sent(&mut connection, 0);
    assert_eq!(ended(&mut connection), (Some(1), Some(200), 0, true));
    assert!(matches!(connection.poll_event(), Some(Event::Upgraded(of)) if of == id));
    assert!(connection.poll_event().is_none());
}

/// Bytes that were taken out and sent count like bytes sent from the connection.
#[test]
fn taken_response_ends_when_it_is_sent() {
    for broken_at in [None, Some(2), Some(7)] {
        let mut connection = connection(Config::default());
        feed(&mut connection, GET, 0);
        let id = request(&mut connection).id();
        connection.respond(id, &ResponseHead::default(), BodyLen::Known(15)).unwrap();
        connection.send(id, "hello").unwrap();
        let head = waiting(&connection) - 5;
        connection.send_external(id, 7, 0, 10).unwrap();
        connection.finish(id).unwrap();
        let mut queue = TransmitQueue::default();
        assert!(connection.take_transmit(&mut queue));
        assert!(connection.poll_transmit().is_none() && connection.poll_event().is_none());
        let left = queue.advance(head + broken_at.unwrap_or(15));
        assert_eq!(left.count(), head + broken_at.unwrap_or(15));
        connection.handle_transmitted(&mut queue, left, now(0));
        if broken_at.is_some() {
            assert!(connection.poll_event().is_none());
            connection.handle_io_error(now(0));
        }
        assert_eq!(ended(&mut connection), (Some(1), Some(200), broken_at.unwrap_or(15), broken_at.is_none()));
    }
}

/// No event is emitted for a response that does not exist.
#[test]
fn connection_without_a_request_ends_without_a_response() {
    type End = fn(&mut Connection);
    let ends: [End; 4] = [
        |connection| connection.handle_eof(now(0)),
        |connection| connection.handle_timeout(now(15_000)),
        |connection| connection.handle_shutdown(now(0)),
        |connection| connection.handle_io_error(now(0)),
    ];
    for end in ends {
        let mut connection = connection(Config::default());
        end(&mut connection);
        let names = events(&mut connection);
        assert_eq!(names.last().map(String::as_str), Some("Closed"));
        assert!(!names.iter().any(|name| name == "ResponseEnd"));
        assert!(connection.current_request().is_none());
    }
}

#[test]
fn misuse_names_the_excluded_framing_field() {
    for (status, name, value) in [
        (204, "Transfer-Encoding", "chunked"),
        (204, "Content-Length", "0"),
        (205, "Transfer-Encoding", "chunked"),
        (205, "Content-Length", "1"),
    ] {
        let mut connection = connection(Config::default());
        feed(&mut connection, GET, 0);
        let id = request(&mut connection).id();
        let mut head = ResponseHead::new(status).unwrap();
        head.fields.push(name, value).unwrap();
        let expected = Err(Misuse::Framing(name));
        assert_eq!(connection.respond(id, &head, BodyLen::Unknown), expected, "{status} {name}");
    }
}

#[test]
fn trailers_are_announced_only_if_they_can_follow() {
    const GET_1_0: &[u8] = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    for (request_head, status, length, announced) in [
        (GET, 200, BodyLen::Unknown, Ok(true)),
        (HEAD, 200, BodyLen::Unknown, Ok(true)),
        (GET, 200, BodyLen::Known(0), Err(Misuse::Framing("Trailer"))),
        (HEAD, 200, BodyLen::Known(0), Err(Misuse::Framing("Trailer"))),
        (GET, 204, BodyLen::Unknown, Ok(false)),
        (GET, 204, BodyLen::Known(0), Ok(false)),
        (GET, 205, BodyLen::Unknown, Ok(false)),
        (GET, 304, BodyLen::Unknown, Ok(false)),
        (GET, 304, BodyLen::Known(9), Ok(false)),
        (HEAD, 304, BodyLen::Unknown, Ok(false)),
        (GET_1_0, 200, BodyLen::Unknown, Ok(false)),
        (GET_1_0, 200, BodyLen::Known(0), Ok(false)),
    ] {
        let mut connection = connection(Config::default());
        feed(&mut connection, request_head, 0);
        let id = request(&mut connection).id();
        let mut head = ResponseHead::new(status).unwrap();
        head.fields.push("Trailer", "X").unwrap();
        head.fields.push("A", "b").unwrap();
        let sent = connection.respond(id, &head, length).map(|()| sent(&mut connection, 0));
        let shown = sent.as_ref().map(|out| out.contains("Trailer: X\r\n")).map_err(|misuse| *misuse);
        assert_eq!(shown, announced, "{status} {length:?} {sent:?}");
        assert!(sent.is_err() || sent.unwrap().contains("A: b\r\n"));
    }
}
