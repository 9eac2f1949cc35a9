//! Tests of responses call by call: a call that fails changes nothing.
#![cfg(test)]

mod common;

use common::{connection, feed, id, request, sent};
use httpants_core::{BodyLen, Config, Connection, Misuse, ResponseHead, ResponseState};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Returns a connection with a request whose response was begun with this status by `send_status`.
fn with_status(status: u16) -> Connection {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.response_writer(id).send_status(status).unwrap();
    connection
}

/// Finishes the response that a failed call did not begin, and returns its bytes.
fn finished(connection: &mut Connection) -> String {
    let id = id(connection);
    assert_eq!(connection.response_state(id), ResponseState::Expected);
    assert!(connection.poll_transmit().is_none(), "nothing was sent");
    connection.response_writer(id).finish().unwrap();
    sent(connection, 0)
}

#[test]
fn contradicting_framing_headers_are_not_kept() {
    for first in [None, Some(("A", "1"))] {
        let mut connection = with_status(204);
        let mut writer = connection.response_writer(id(&connection));
        writer.send_headers(first, false).unwrap();
        let refused = writer.send_headers([("B", "2"), ("Content-Length", "5"), ("Server", "x")], true);
        assert_eq!(refused, Err(Misuse::Framing("Content-Length")));
        let out = finished(&mut connection);
        assert!(out.starts_with("HTTP/1.1 204 ") && out.contains("\r\nServer: httpants"), "{out}");
        assert_eq!((out.contains("A: 1\r\n"), out.contains("B: 2")), (first.is_some(), false), "{out}");
    }
}

#[test]
fn cookies_are_kept_if_a_head_is_refused() {
    for names in [None, Some(&["a"][..])] {
        let mut connection = with_status(200);
        let id = id(&connection);
        connection.response_fields_mut(id).unwrap().push("Set-Cookie", "a=1").unwrap();
        connection.response_fields_mut(id).unwrap().push("Set-Cookie", "b=2").unwrap();
        connection.response_fields_mut(id).unwrap().push("Trailer", "X").unwrap();
        connection.response_writer(id).send_headers([("Content-Length", "0")], false).unwrap();
        assert_eq!(connection.response_writer(id).send_cookies(names, true), Err(Misuse::Framing("Trailer")));
        connection.response_fields_mut(id).unwrap().remove("trailer");
        let out = finished(&mut connection);
        assert_eq!((out.matches("Set-Cookie: a=1").count(), out.matches("Set-Cookie: b=2").count()), (1, 1), "{out}");
    }
}

#[test]
fn refused_whole_response_leaves_no_head() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    for (code, content_type, expected) in [
        (200, "a\r\nb", Misuse::FieldValue),
        (99, "text/plain", Misuse::Status(99)),
        (100, "text/plain", Misuse::InformationalStatus(100)),
        (101, "text/plain", Misuse::InformationalStatus(101)),
    ] {
        assert_eq!(connection.response_writer(id).send_response("x", code, content_type), Err(expected));
        assert_eq!(connection.response_writer(id).send("x"), Err(Misuse::HeadDue), "{code} {content_type:?}");
    }
    connection.response_fields_mut(id).unwrap().push("Content-Length", "2").unwrap();
    let refused = connection.response_writer(id).send_response("x", 200, "text/plain");
    assert_eq!(refused, Err(Misuse::Framing("Content-Length")));
    connection.response_writer(id).send_response("xy", 201, "text/plain").unwrap();
    assert!(sent(&mut connection, 0).starts_with("HTTP/1.1 201 "));
}

#[test]
fn whole_response_after_a_status_is_misuse() {
    let mut connection = with_status(202);
    let id = id(&connection);
    assert_eq!(connection.response_writer(id).send_response("x", 200, "text/plain"), Err(Misuse::HeadSent));
    assert!(finished(&mut connection).starts_with("HTTP/1.1 202 "));
}

#[test]
fn too_much_content_does_not_send_the_head() {
    let mut connection = with_status(200);
    let id = id(&connection);
    connection.response_writer(id).send_headers([("Content-Length", "3")], false).unwrap();
    assert_eq!(connection.response_writer(id).send("four"), Err(Misuse::TooMuchContent { due: 3, given: 4 }));
    assert_eq!(connection.response_state(id), ResponseState::Expected);
    connection.response_writer(id).send("abc").unwrap();
    connection.response_writer(id).finish().unwrap();
    assert!(sent(&mut connection, 0).ends_with("\r\n\r\nabc"));
}

#[test]
fn added_content_length_limits_the_content() {
    let mut connection = with_status(200);
    let id = id(&connection);
    connection.response_fields_mut(id).unwrap().push("Content-Length", "3").unwrap();
    assert_eq!(connection.response_writer(id).send("four"), Err(Misuse::TooMuchContent { due: 3, given: 4 }));
    assert_eq!(connection.response_state(id), ResponseState::Expected);
}

#[test]
fn status_is_not_kept_after_another_head() {
    let mut connection = with_status(500);
    let id = id(&connection);
    connection.respond(id, &ResponseHead::new(200).unwrap(), BodyLen::Known(1)).unwrap();
    assert_eq!(connection.response_writer(id).send_status(500), Err(Misuse::HeadSent));
    connection.response_writer(id).send("x").unwrap();
    connection.response_writer(id).finish().unwrap();
    let out = sent(&mut connection, 0);
    assert!(out.starts_with("HTTP/1.1 200 ") && out.ends_with("\r\n\r\nx"), "{out}");
}
