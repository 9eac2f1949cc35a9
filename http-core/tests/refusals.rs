//! Tests of the reports about refused peers, which do not depend on how the bytes are cut.
#![cfg(test)]

mod common;

use common::{connection, events, feed, now};
use httpants_core::{
    CloseReason, Config, Connection, ConnectionInfo, Event, Preface, ProtocolError, ProxyHeaderError, Refusal,
    RequestId,
};

/// The contents of a refusal: the error, the request, the request line, the fields, the offset.
type Report = (ProtocolError, Option<u64>, String, Vec<(String, String)>, u64);

fn report(refusal: &Refusal) -> Report {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let fields: Vec<_> = refusal.fields().map(|(name, value)| (text(name), text(value))).collect();
    for (name, _) in &fields {
        let first = fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
        assert_eq!(refusal.field(&name.to_ascii_uppercase()).map(text), first);
    }
    assert_eq!(refusal.field("no-such-field"), None);
    let request = refusal.request().map(RequestId::index);
    (refusal.error(), request, text(refusal.request_line()), fields, refusal.offset())
}

/// Returns the refusal of these bytes in pieces of this size. A request without a body gets a
/// response.
fn refused(config: Config, bytes: &[u8], piece: usize) -> Report {
    let mut connection = connection(config);
    let mut refusal = None;
    for piece in bytes.chunks(piece) {
        if !connection.wants_recv() {
            break;
        }
        feed(&mut connection, piece, 0);
        while let Some(event) = connection.poll_event() {
            match event {
                Event::Request(request) if request.has_body() => {}
                Event::Request(request) => {
                    connection.respond_with(request.id(), &Default::default(), "").unwrap();
                }
                Event::End(id, _) => connection.respond_with(id, &Default::default(), "").unwrap(),
                Event::Refused(why) => assert!(refusal.replace(report(&why)).is_none(), "refused twice"),
                Event::Closed(CloseReason::Refused(fault)) => {
                    assert_eq!(refusal.as_ref().map(|refusal| refusal.0), Some(fault));
                }
                Event::Data(..) | Event::ResponseEnd(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    refusal.unwrap_or_else(|| panic!("not refused: {}", bytes.escape_ascii()))
}

/// Returns the report about this input, and asserts that it is the same at several cuts and after a
/// request that was served. The offset is relative to the start of the input.
fn check(config: impl Fn() -> Config, input: &str) -> Report {
    let mut whole = refused(config(), input.as_bytes(), usize::MAX);
    for piece in [1, 2, 3, 5, 7, 11, 20, 50] {
        assert_eq!(refused(config(), input.as_bytes(), piece), whole, "in pieces of {piece}: {input:?}");
    }
    let before = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let after = refused(config(), format!("{before}{input}").as_bytes(), usize::MAX);
    whole.4 += before.len() as u64;
    whole.1 = whole.1.map(|index| index + 1);
    assert_eq!(after, whole, "after another request: {input:?}");
    whole.4 -= before.len() as u64;
    whole.1 = whole.1.map(|index| index - 1);
    whole
}

fn fields(names: &[(&str, &str)]) -> Vec<(String, String)> {
    names.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

const LINE: &str = "GET /a HTTP/1.1";

#[test]
fn refusal_has_the_request_line_as_read() {
    for (input, fault, line) in [
        ("GET /a\r\nHost: a\r\n\r\n", ProtocolError::Version, "GET /a"),
        ("GET /a HTTP/3.0\r\nHost: a\r\n\r\n", ProtocolError::MajorVersion, "GET /a HTTP/3.0"),
        ("GET /a HTTP/1.1\nHost: a\n\n", ProtocolError::BareLineFeed, LINE),
        ("G\u{e9}T /a HTTP/1.1\r\nHost: a\r\n\r\n", ProtocolError::Method, "G\u{e9}T /a HTTP/1.1"),
        ("\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", ProtocolError::BareLineFeed, ""),
        ("\u{16}\u{3}\u{1}\n\nGET / HTTP/1.1\r\n", ProtocolError::Method, "\u{16}"),
    ] {
        assert_eq!(check(Config::default, input), (fault, None, line.to_owned(), vec![], 0), "{input:?}");
    }
}

#[test]
fn refusal_has_the_line_its_offset_and_preceding_fields() {
    for (line, fault) in [
        ("X Y: 1\r\n", ProtocolError::FieldName),
        (" folded\r\n", ProtocolError::FieldName),
        ("X: a\u{0}\r\n", ProtocolError::FieldValue),
        ("X: a\rb\r\n", ProtocolError::FieldValue),
        ("X: a\n", ProtocolError::BareLineFeed),
        ("\rX\r\n", ProtocolError::BareCarriageReturn),
    ] {
        let input = format!("{LINE}\r\nHost: a\r\nB:  two \r\n{line}C: 3\r\n\r\nGET /next HTTP/1.1\r\n");
        let expected = (fault, None, LINE.to_owned(), fields(&[("Host", "a"), ("B", "two")]), 17 + 9 + 10);
        assert_eq!(check(Config::default, &input), expected, "{line:?}");
    }
}

#[test]
fn refusal_of_a_whole_head_has_all_fields() {
    for (lines, fault, names) in [
        ("A: 1\r\n", ProtocolError::MissingHost, fields(&[("A", "1")])),
        ("Host: a\r\nHost: b\r\n", ProtocolError::DuplicateHost, fields(&[("Host", "a"), ("Host", "b")])),
        (
            "Host: a\r\nContent-Length: +1\r\n",
            ProtocolError::ContentLength,
            fields(&[("Host", "a"), ("Content-Length", "+1")]),
        ),
        (
            "Host: a\r\nTransfer-Encoding: gzip\r\nB: 2\r\n",
            ProtocolError::TransferCoding,
            fields(&[("Host", "a"), ("Transfer-Encoding", "gzip"), ("B", "2")]),
        ),
    ] {
        let input = format!("{LINE}\r\n{lines}\r\nGET /next HTTP/1.1\r\nHost: next\r\n\r\n");
        assert_eq!(check(Config::default, &input), (fault, None, LINE.to_owned(), names, 0), "{lines:?}");
    }
}

#[test]
fn refusal_over_a_limit_has_the_head_up_to_it() {
    let few = || {
        let mut config = Config::default();
        config.limits.fields = 2;
        config
    };
    let input = format!("{LINE}\r\nHost: a\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n");
    let names = fields(&[("Host", "a"), ("B", "2"), ("C", "3")]);
    assert_eq!(check(few, &input), (ProtocolError::TooManyFields, None, LINE.to_owned(), names, 0));

    let short = || {
        let mut config = Config::default();
        config.limits.head = 40;
        config
    };
    let input = format!("{LINE}\r\nHost: a\r\nB: {}\r\nC: 3\r\n\r\n", "x".repeat(100));
    let names = fields(&[("Host", "a")]);
    assert_eq!(check(short, &input), (ProtocolError::HeadTooLong, None, LINE.to_owned(), names, 0));
    let input = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100));
    let line = format!("GET /{}", "x".repeat(35));
    assert_eq!(check(short, &input), (ProtocolError::TargetTooLong, None, line, vec![], 0));
}

#[test]
fn offset_is_that_of_the_first_excess_empty_line() {
    let mut limits = Config::default().limits;
    limits.empty_lines = 2;
    let config = || {
        let mut config = Config::default();
        config.limits = limits.clone();
        config
    };
    let report = check(config, "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n");
    assert_eq!(report, (ProtocolError::EmptyLines, None, String::new(), vec![], 4));
}

#[test]
fn refusal_of_a_body_has_the_request_and_the_offset() {
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let start = chunked.len() as u64;
    for (body, fault, offset) in [
        ("x\r\n", ProtocolError::ChunkSize, 0),
        ("3\r\nabcX\r\n", ProtocolError::ChunkLineEnd, 6),
        ("3\r\nabc\r\n5;\x01\r\nhello", ProtocolError::ChunkExtension, 6),
        ("3\r\nabc\r\nfffffffffffffffff\r\n", ProtocolError::ChunkSize, 6),
        ("3\r\nabc\r\n0\r\nA: 1\r\nB C: 2\r\n\r\n", ProtocolError::FieldName, 6),
        ("3\r\nabc\r\n0\r\nA: 1\n\r\n", ProtocolError::BareLineFeed, 6),
    ] {
        let report = check(Config::default, &format!("{chunked}{body}"));
        assert_eq!(report, (fault, Some(1), String::new(), vec![], start + offset), "{body:?}");
    }
    let small = || {
        let mut config = Config::default();
        config.limits.max_body_size = 4;
        config
    };
    let report = check(small, &format!("{chunked}3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n"));
    assert_eq!(report, (ProtocolError::BodyTooLarge, Some(1), String::new(), vec![], start + 6));
    let sized = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    let report = check(small, &format!("{sized}hello"));
    assert_eq!(report, (ProtocolError::BodyTooLarge, Some(1), String::new(), vec![], sized.len() as u64));
}

#[test]
fn refusal_of_a_late_request_has_the_received_part() {
    for (input, line, names) in [
        ("GET /a", "GET /a", fields(&[])),
        ("GET /a HTTP/1.1\r\nHost: a\r\nB: 2\r\nC: unfinish", LINE, fields(&[("Host", "a"), ("B", "2")])),
    ] {
        let mut connection = connection(Config::default());
        feed(&mut connection, input.as_bytes(), 0);
        assert_eq!(events(&mut connection), [""; 0]);
        connection.handle_timeout(now(15_000));
        assert!(matches!(connection.poll_event(), Some(Event::TimedOut(_))));
        let Some(Event::Refused(refusal)) = connection.poll_event() else { panic!("{input}") };
        assert_eq!(report(&refusal), (ProtocolError::HeadTimeout, None, line.to_owned(), names, 0));
        assert_eq!(events(&mut connection), ["Closed"]);
    }
}

#[test]
fn refusal_has_the_bytes_received_instead_of_a_handshake() {
    let mut plain = Connection::with_handshake(Config::default().into(), ConnectionInfo::default(), now(0));
    assert_eq!(plain.receive_preface(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", now(0)), Preface::Refused);
    let Some(Event::Refused(refusal)) = plain.poll_event() else { panic!() };
    assert_eq!(report(&refusal), (ProtocolError::PlainRequest, None, LINE.to_owned(), vec![], 0));
    assert_eq!(events(&mut plain), ["Closed"]);

    let mut config = Config::default();
    config.proxy_protocol = true;
    let mut wrong = Connection::with_handshake(config.into(), ConnectionInfo::default(), now(0));
    assert_eq!(wrong.receive_preface(b"PROXY UNKNOWN", now(0)), Preface::NeedMore);
    assert_eq!(wrong.receive_preface(b"PROXY TCP5 x\r\n", now(0)), Preface::Refused);
    let Some(Event::Refused(refusal)) = wrong.poll_event() else { panic!() };
    assert_eq!(report(&refusal), (ProtocolError::ProxyHeader, None, "PROXY TCP5 x".to_owned(), vec![], 0));
    assert_eq!(refusal.proxy_header(), Some(ProxyHeaderError::Line));
    assert_eq!(events(&mut wrong), ["Closed"]);
}

#[test]
fn refused_head_is_kept_up_to_the_head_limit() {
    let config = |proxy_protocol| {
        let mut config = Config::default();
        (config.proxy_protocol, config.limits.head) = (proxy_protocol, 20);
        config
    };
    let input = [b'x'; 50];
    for proxy_protocol in [false, true] {
        let (_, _, request_line, ..) = refused(config(proxy_protocol), &input, usize::MAX);
        assert_eq!(request_line.len(), 20, "PROXY protocol: {proxy_protocol}");
        let mut connection =
            Connection::with_handshake(config(proxy_protocol).into(), ConnectionInfo::default(), now(0));
        assert_eq!(connection.receive_preface(&input, now(0)), Preface::Refused);
        let Some(Event::Refused(refusal)) = connection.poll_event() else { panic!("not refused") };
        assert_eq!(refusal.request_line().len(), 20, "handshake, PROXY protocol: {proxy_protocol}");
    }
}

#[test]
fn refused_head_is_kept_up_to_65535_bytes() {
    let mut config = Config::default();
    (config.limits.head, config.limits.recv_buffer) = (usize::MAX, 1 << 20);
    let mut connection = Connection::with_handshake(config.into(), ConnectionInfo::default(), now(0));
    assert_eq!(connection.receive_preface(&[b'x'; 70_000], now(0)), Preface::Refused);
    let Some(Event::Refused(refusal)) = connection.poll_event() else { panic!("not refused") };
    assert_eq!(refusal.request_line().len(), 65_535);
}
