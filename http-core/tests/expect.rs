//! Tests of clients that hold their content back until `100 Continue` (RFC 9110 section 10.1.1).
#![cfg(test)]

mod common;

use common::{connection, events, feed, now, request, sent, timeout};
use httpants_core::{BodyLen, Config, Connection, Event, RequestId, ResponseHead, Timer};

const HEAD: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";

fn expecting() -> (Connection, RequestId) {
    let mut connection = connection(Config::default());
    feed(&mut connection, HEAD, 0);
    let id = request(&mut connection).id();
    (connection, id)
}

#[test]
fn body_timers_stop_while_the_client_waits_for_100() {
    let (mut connection, id) = expecting();
    connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    for second in 1..600 {
        connection.handle_time(now(second * 1_000));
        connection.send(id, "x").unwrap();
        sent(&mut connection, second * 1_000);
        assert_eq!((timeout(&connection), events(&mut connection)), (None, vec![]), "{second} s");
    }
    connection.finish(id).unwrap();
    assert!(sent(&mut connection, 600_000).ends_with("0\r\n\r\n"));
    assert_eq!(events(&mut connection), ["ResponseEnd", "Closed"]);
}

#[test]
fn body_sent_without_100_is_timed() {
    let (mut connection, id) = expecting();
    connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    sent(&mut connection, 0);
    assert_eq!(events(&mut connection), [""; 0]);
    feed(&mut connection, b"he", 60_000);
    assert_eq!(events(&mut connection), ["Data"]);
    assert_eq!(timeout(&connection), Some((70_000, Timer::BodyRate)));
    feed(&mut connection, b"llo", 61_000);
    assert_eq!(events(&mut connection), ["Data", "End"]);
    assert_eq!(timeout(&connection), None);
}

#[test]
fn time_without_100_is_counted_once() {
    // `100 Continue` is sent after a pause, and during one.
    for resume_first in [true, false] {
        let (mut connection, id) = expecting();
        connection.pause(id).unwrap();
        connection.handle_time(now(60_000));
        if resume_first {
            connection.resume(id).unwrap();
            connection.send_continue(id).unwrap();
        } else {
            connection.send_continue(id).unwrap();
            connection.resume(id).unwrap();
        }
        sent(&mut connection, 60_000);
        assert_eq!(timeout(&connection), Some((70_000, Timer::BodyRate)));
    }
    let (mut connection, id) = expecting();
    connection.handle_time(now(60_000));
    connection.pause(id).unwrap();
    connection.send_continue(id).unwrap();
    sent(&mut connection, 60_000);
    connection.handle_time(now(100_000));
    connection.resume(id).unwrap();
    assert_eq!(timeout(&connection), Some((110_000, Timer::BodyRate)), "the pause is left out, too");
}

#[test]
fn body_sent_without_100_keeps_the_connection_open() {
    let (mut connection, id) = expecting();
    feed(&mut connection, b"hello", 0);
    assert_eq!(events(&mut connection), ["Expect100", "Data", "End"]);
    connection.respond_with(id, &ResponseHead::default(), "done").unwrap();
    let out = sent(&mut connection, 0);
    assert!(!out.contains("Connection: close"), "{out}");
    feed(&mut connection, HEAD, 0);
    assert!(matches!(connection.poll_event(), Some(Event::ResponseEnd(_))));
    assert!(matches!(connection.poll_event(), Some(Event::Request(_))));
}
