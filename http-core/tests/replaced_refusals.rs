//! Tests of responses to refused peers whose fields and body the caller has replaced.
#![cfg(test)]

mod common;

use std::time::Duration;

use common::{connection, events, feed, id, now, request, sent};
use httpants_core::{
    CloseReason, Config, Connection, Event, FieldLines, Misuse, ProtocolError, RefusalResponse, ResponseHead,
    ResponseStats, Timer, Transmit, TransmitQueue,
};

const PAGE: &str = "{\"title\":\"refused\"}\n";

fn with_name() -> Config {
    let mut config = Config::default();
    config.server = Some("x");
    config
}

fn fields() -> FieldLines {
    FieldLines::try_from_iter([("Content-Type", "application/problem+json"), ("Access-Control-Allow-Origin", "*")])
        .unwrap()
}

/// Returns the expected response with a replaced body.
fn page(version: &str, status: &str, body: &str) -> String {
    format!(
        "{version} {status}\r\nServer: x\r\nDate: Sun, 22 Nov 2026 13:00:00 GMT\r\n\
         Content-Type: application/problem+json\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        PAGE.len()
    )
}

/// Returns a connection that was refused because of this input, and the refusal response.
fn refused(config: Config, input: &str) -> (Connection, RefusalResponse) {
    let mut connection = connection(config);
    feed(&mut connection, input.as_bytes(), 0);
    events(&mut connection);
    let refusal = connection.poll_refusal().expect("a refusal");
    assert!(connection.poll_refusal().is_none(), "it is returned once");
    (connection, refusal)
}

/// Returns the ends of all responses.
fn stats(connection: &mut Connection) -> Vec<ResponseStats> {
    let stats = |event| if let Event::ResponseEnd(stats) = event { Some(stats) } else { None };
    std::iter::from_fn(|| connection.poll_event()).filter_map(stats).collect()
}

/// Returns everything that is sent for this input, received in pieces and sent in writes of these
/// sizes.
fn exchange(input: &[u8], piece: usize, write: usize) -> String {
    let mut config = with_name();
    config.limits.max_body_size = 10;
    let mut connection = connection(config);
    let mut out = vec![];
    for piece in input.chunks(piece) {
        if !connection.wants_recv() {
            break;
        }
        feed(&mut connection, piece, 0);
        loop {
            while let Some(event) = connection.poll_event() {
                match event {
                    Event::Request(request) if request.has_body() => {}
                    Event::Request(request) => {
                        connection.respond_with(request.id(), &ResponseHead::default(), "whole").unwrap();
                    }
                    Event::End(id, _) => {
                        connection.respond_with(id, &ResponseHead::default(), "whole").unwrap();
                    }
                    _ => {}
                }
            }
            if connection.poll_refusal().is_some() {
                connection.replace_refusal(&fields(), PAGE).unwrap();
            }
            let Some(Transmit::Bytes(bytes)) = connection.poll_transmit() else { break };
            let bytes: Vec<u8> = bytes.flatten().copied().take(write).collect();
            connection.handle_sent(bytes.len() as u64, now(0));
            out.extend(bytes);
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn refusal_page_is_the_same_at_every_cut() {
    for (input, version, status, body) in [
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1", "400 Bad Request", PAGE),
        ("HEAD / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "HTTP/1.1", "400 Bad Request", ""),
        ("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0", "400 Bad Request", PAGE),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "HTTP/1.1", "505 HTTP Version Not Supported", PAGE),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901",
            "HTTP/1.1",
            "413 Content Too Large",
            PAGE,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n6\r\n678901\r\n",
            "HTTP/1.1",
            "413 Content Too Large",
            PAGE,
        ),
    ] {
        let before = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for input in [input.to_owned(), format!("{before}{input}"), format!("{before}{before}{input}")] {
            let whole = "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 22 Nov 2026 13:00:00 GMT\r\n\
                         Content-Length: 5\r\n\r\nwhole";
            let expected = whole.repeat(input.matches(before).count()) + &page(version, status, body);
            for piece in [1, 2, 3, 7, 20, usize::MAX] {
                for write in [1, 50, usize::MAX] {
                    assert_eq!(exchange(input.as_bytes(), piece, write), expected, "{piece} {write} {input:?}");
                }
            }
        }
    }
}

#[test]
fn refusal_response_has_its_reason_and_request() {
    let (_, refusal) = refused(with_name(), "GET / HTTP/1.1\r\nOrigin: b\r\n\r\n");
    assert_eq!(refusal.status(), 400);
    assert_eq!(refusal.reason(), CloseReason::Refused(ProtocolError::MissingHost));
    assert_eq!(refusal.refusal().and_then(|refusal| refusal.field("origin")), Some(&b"b"[..]));
    assert!(refusal.request().is_none());

    let mut config = with_name();
    config.limits.max_body_size = 1;
    let input = "POST /large HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let (_, refusal) = refused(config, input);
    assert_eq!(refusal.reason(), CloseReason::Refused(ProtocolError::BodyTooLarge));
    assert_eq!(refusal.request().map(|request| request.path()), Some("/large"));

    let mut config = with_name();
    config.timeouts.handler = Some(Duration::from_secs(1));
    let mut connection = connection(config);
    feed(&mut connection, b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    drop(request(&mut connection));
    connection.handle_timeout(now(1000));
    let refusal = connection.poll_refusal().expect("a refusal");
    assert_eq!((refusal.status().as_u16(), refusal.reason()), (503, CloseReason::TimedOut(Timer::Handler)));
    assert_eq!(refusal.request().map(|request| request.path()), Some("/slow"));
    assert!(refusal.refusal().is_none());
    connection.replace_refusal(&fields(), PAGE).unwrap();
    let out = sent(&mut connection, 1000);
    assert!(out.starts_with("HTTP/1.1 503 ") && out.ends_with(PAGE), "{out}");
}

#[test]
fn partly_sent_refusal_is_not_replaced() {
    let (mut connection, _) = refused(with_name(), "bad\r\n");
    let default = "the request line must be: method, one space, target, one space, version (RFC 9112 3)\n";
    let Some(Transmit::Bytes(mut bytes)) = connection.poll_transmit() else { panic!("nothing to send") };
    assert!(bytes.next().unwrap().ends_with(default.as_bytes()));
    connection.handle_sent(1, now(0));
    assert_eq!(connection.replace_refusal(&fields(), PAGE), Err(Misuse::HeadSent));
    assert!(sent(&mut connection, 0).ends_with(default));
    assert_eq!(connection.replace_refusal(&fields(), PAGE), Err(Misuse::NoRequest));

    let (mut connection, _) = refused(with_name(), "bad\r\n");
    let mut queue = TransmitQueue::default();
    assert!(connection.take_transmit(&mut queue));
    assert_eq!(connection.replace_refusal(&fields(), PAGE), Err(Misuse::HeadSent));

    let (mut connection, _) = refused(with_name(), "bad\r\n");
    connection.replace_refusal(&fields(), PAGE).unwrap();
    assert_eq!(connection.replace_refusal(&fields(), "twice"), Err(Misuse::NoRequest));
    assert_eq!(sent(&mut connection, 0), page("HTTP/1.1", "400 Bad Request", PAGE));
}

#[test]
fn only_a_refusal_can_be_replaced() {
    let mut connection = connection(with_name());
    assert_eq!(connection.replace_refusal(&fields(), PAGE), Err(Misuse::NoRequest));
    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    events(&mut connection);
    let request = id(&connection);
    connection.respond_with(request, &ResponseHead::default(), "whole").unwrap();
    assert!(connection.poll_refusal().is_none());
    assert_eq!(connection.replace_refusal(&fields(), PAGE), Err(Misuse::NoRequest));
    assert!(sent(&mut connection, 0).ends_with("whole"));
    feed(&mut connection, b"bad\r\n", 0);
    events(&mut connection);
    connection.handle_io_error(now(0));
    assert!(connection.poll_refusal().is_none());
    assert_eq!(connection.replace_refusal(&fields(), PAGE), Err(Misuse::NoRequest));
}

#[test]
fn framing_fields_are_refused_and_the_default_stays() {
    for (name, value, field) in [
        ("Content-Length", "1", "Content-Length"),
        ("transfer-encoding", "chunked", "Transfer-Encoding"),
        ("Trailer", "X", "Trailer"),
        ("Upgrade", "x", "Upgrade"),
        ("Connection", "close", "Connection"),
    ] {
        let (mut connection, _) = refused(with_name(), "GET / HTTP/3.0\r\n");
        let mut fields = fields();
        fields.push(name, value).unwrap();
        assert_eq!(connection.replace_refusal(&fields, PAGE), Err(Misuse::Framing(field)));
        let out = sent(&mut connection, 0);
        assert!(out.ends_with("this server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 2.5)\n"), "{out}");
    }
    let (mut connection, _) = refused(with_name(), "GET / HTTP/3.0\r\n");
    let fields = FieldLines::try_from_iter([("Content-Length", PAGE.len().to_string())]).unwrap();
    connection.replace_refusal(&fields, PAGE).unwrap();
    assert_eq!(sent(&mut connection, 0).matches("Content-Length: ").count(), 1);
}

#[test]
fn replaced_response_reports_the_bytes_of_its_own_body() {
    let large = "x".repeat(100_000);
    for (method, body) in [("GET", &large[..]), ("GET", PAGE), ("GET", ""), ("HEAD", PAGE)] {
        let mut connection = connection(with_name());
        let input = format!("GET / HTTP/1.1\r\nHost: a\r\n\r\n{method} / HTTP/1.1\r\n\r\n");
        feed(&mut connection, input.as_bytes(), 0);
        let first = request(&mut connection);
        connection.respond_with(first.id(), &ResponseHead::default(), "whole").unwrap();
        events(&mut connection);
        assert!(connection.poll_refusal().is_some());
        connection.replace_refusal(&fields(), body.to_owned()).unwrap();
        assert!(stats(&mut connection).is_empty(), "nothing has left");
        sent(&mut connection, 0);
        let ends = stats(&mut connection);
        let due = if method == "HEAD" { 0 } else { body.len() as u64 };
        assert_eq!(ends.iter().map(|end| end.body_bytes).collect::<Vec<_>>(), [5, due]);
        assert!(ends.iter().all(|end| end.complete) && ends[1].request.is_none());
    }
    // Only part of it is sent.
    let (mut connection, _) = refused(with_name(), "bad\r\n");
    connection.replace_refusal(&fields(), large.clone()).unwrap();
    connection.handle_sent(1000, now(0));
    connection.handle_io_error(now(0));
    let ends = stats(&mut connection);
    assert!(ends.len() == 1 && !ends[0].complete && (700..1000).contains(&ends[0].body_bytes), "{ends:?}");
}
