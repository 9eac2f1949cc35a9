//! Tests of TLS connections: bytes before or in place of the handshake, and its timeouts.
#![cfg(test)]

#[path = "common/mod.rs"]
mod common;

use common::now;
use httpants_core::proxy::ProxyPolicy;
use httpants_core::{
    Address, Close, CloseReason, Config, Connection, ConnectionInfo, Event, Now, Preface, ProtocolError, Receiving,
    ResponseHead, Sending, Timer, Transmit,
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const HEADER: &[u8] = b"PROXY TCP4 203.0.113.9 10.0.0.1 50000 443\r\n";
const HELLO: &[u8] = &[22, 3, 1, 0, 5];

fn connection(change: impl FnOnce(&mut Config)) -> Connection {
    let mut config = Config::default();
    change(&mut config);
    Connection::with_handshake(config.into(), ConnectionInfo::default(), now(0))
}

fn running_timer(connection: &Connection) -> Option<(Timer, u128)> {
    let deadline = connection.poll_timeout()?;
    Some((deadline.timer, deadline.at.as_millis()))
}

fn closed(connection: &mut Connection) -> Option<CloseReason> {
    let mut before = None;
    loop {
        match connection.poll_event()? {
            Event::TimedOut(timer) => before = Some(CloseReason::TimedOut(timer)),
            Event::ProxyHeader => {}
            Event::Refused(refusal) => before = Some(CloseReason::Refused(refusal.error())),
            Event::Closed(reason) => {
                let is_reported_before = matches!(reason, CloseReason::TimedOut(_) | CloseReason::Refused(_));
                assert_eq!(before, is_reported_before.then_some(reason));
                return Some(reason);
            }
            event => panic!("{event:?}"),
        }
    }
}

fn is_over(connection: &mut Connection) {
    assert!(connection.poll_transmit().is_none());
    assert_eq!(connection.poll_close(), Some(Close::Now));
    assert_eq!(running_timer(connection), None);
}

#[test]
fn secured_connection_serves_https_within_the_accept_timeout() {
    let mut connection = connection(|_| {});
    assert_eq!(running_timer(&connection), Some((Timer::Handshake, 10_000)));
    assert!(!connection.wants_recv() && connection.recv_buf().is_empty() && !connection.is_idle());
    assert_eq!(connection.receive(REQUEST, now(0)), 0, "nothing counts that came unsecured");
    assert_eq!(connection.receive_preface(HELLO, now(1_000)), Preface::Handshake);
    connection.handle_secured(now(9_000));
    assert_eq!(running_timer(&connection), Some((Timer::Accept, 24_000)));
    assert_eq!(connection.receive(REQUEST, now(9_000)), REQUEST.len());
    let Some(Event::Request(request)) = connection.poll_event() else { panic!() };
    assert!(request.connection_info().secure);
    assert_eq!(ProxyPolicy::default().client(&request).full_url(), "https://a/");
}

#[test]
fn secured_connection_shuts_down_writing_before_it_closes() {
    let mut connection = connection(|_| {});
    connection.handle_secured(now(0));
    connection.handle_timeout(now(15_000));
    assert_eq!(closed(&mut connection), Some(CloseReason::TimedOut(Timer::Accept)));
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
    assert_eq!(running_timer(&connection), Some((Timer::Linger, 17_000)));
    connection.handle_eof(now(15_001));
    assert!(connection.poll_event().is_none());
    is_over(&mut connection);
}

#[test]
fn handshake_timeout_closes_without_a_response() {
    let mut connection = connection(|_| {});
    assert_eq!(connection.receive_preface(HELLO, now(5_000)), Preface::Handshake);
    connection.handle_timeout(now(9_999));
    assert_eq!(connection.state().recv, Receiving::Handshake);
    connection.handle_timeout(now(10_000));
    assert_eq!(closed(&mut connection), Some(CloseReason::TimedOut(Timer::Handshake)));
    is_over(&mut connection);
}

#[test]
fn shutdown_drops_a_handshake() {
    let mut connection = connection(|_| {});
    connection.handle_shutdown(now(1));
    assert_eq!(closed(&mut connection), Some(CloseReason::Shutdown));
    is_over(&mut connection);
}

#[test]
fn end_of_stream_during_the_handshake_is_a_failure() {
    let mut connection = connection(|_| {});
    connection.handle_eof(now(1));
    assert_eq!(closed(&mut connection), Some(CloseReason::Truncated));
    is_over(&mut connection);
}

#[test]
fn failed_handshake_lingers_for_the_alert() {
    let mut connection = connection(|_| {});
    connection.handle_handshake_failed(now(1_000));
    assert_eq!(closed(&mut connection), Some(CloseReason::HandshakeFailed));
    assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
    assert_eq!(running_timer(&connection), Some((Timer::Linger, 3_000)));
    assert_eq!(connection.receive(REQUEST, now(1_500)), REQUEST.len(), "to be dropped");
    assert!(connection.poll_event().is_none());
    connection.handle_secured(now(1_500));
    connection.handle_timeout(now(3_000));
    is_over(&mut connection);
}

#[test]
fn failure_after_the_handshake_is_ignored() {
    let mut connection = connection(|_| {});
    connection.handle_secured(now(0));
    connection.handle_handshake_failed(now(0));
    assert_eq!(connection.receive_preface(REQUEST, now(0)), Preface::Refused);
    assert_eq!(connection.receive(REQUEST, now(0)), REQUEST.len());
    assert!(matches!(connection.poll_event(), Some(Event::Request(_))));
}

#[test]
fn plain_request_gets_400_at_every_cut() {
    for length in 1..=REQUEST.len() {
        let mut connection = connection(|_| {});
        assert_eq!(connection.receive_preface(&[], now(0)), Preface::NeedMore);
        assert_eq!(connection.receive_preface(&REQUEST[..length], now(0)), Preface::Refused);
        assert_eq!(closed(&mut connection), Some(CloseReason::Refused(ProtocolError::PlainRequest)));
        let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { panic!() };
        let response: Vec<u8> = slices.flatten().copied().collect();
        connection.handle_sent(response.len() as u64, now(0));
        let response = String::from_utf8(response).unwrap();
        assert!(response.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{response}");
        assert!(response.contains("\r\nConnection: close\r\n"), "{response}");
        assert!(response.ends_with("a plain HTTP request was sent to a port that speaks TLS (RFC 9110 4.2.2)\n"));
        assert_eq!(connection.poll_close(), Some(Close::ShutdownWrite));
        assert_eq!(connection.state().send, Sending::Shut);
    }
}

#[test]
fn non_letters_are_passed_to_the_tls_library() {
    for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_alphabetic()) {
        assert_eq!(connection(|_| {}).receive_preface(&[byte], now(0)), Preface::Handshake, "{byte}");
    }
}

#[test]
fn proxy_header_precedes_the_handshake_at_every_cut() {
    let bytes = [HEADER, HELLO].concat();
    for length in 0..=bytes.len() {
        let mut connection = connection(|config| config.proxy_protocol = true);
        assert_eq!(running_timer(&connection), Some((Timer::Accept, 15_000)));
        let first = connection.receive_preface(&bytes[..length], now(2_000));
        if length < HEADER.len() {
            assert_eq!((first, running_timer(&connection)), (Preface::NeedMore, Some((Timer::Accept, 15_000))));
            assert_eq!(connection.receive_preface(&bytes, now(2_000)), Preface::Header(HEADER.len()));
        } else {
            assert_eq!(first, Preface::Header(HEADER.len()));
        }
        assert_eq!(running_timer(&connection), Some((Timer::Handshake, 12_000)));
        assert_eq!(connection.receive_preface(&bytes[HEADER.len()..], now(2_000)), Preface::Handshake);
        assert_eq!(connection.connection_info().remote_addr, Address::Ip("203.0.113.9:50000".parse().unwrap()));
        connection.handle_secured(now(3_000));
        assert_eq!(connection.receive(REQUEST, now(3_000)), REQUEST.len(), "the header is not due again");
        assert!(matches!(connection.poll_event(), Some(Event::ProxyHeader)));
        let Some(Event::Request(request)) = connection.poll_event() else { panic!() };
        assert_eq!(*request.connection_info(), *connection.connection_info());
        assert!(request.connection_info().secure);
    }
}

#[test]
fn proxy_header_is_awaited_and_invalid_ones_get_no_response() {
    let mut slow = connection(|config| config.proxy_protocol = true);
    assert_eq!(slow.receive_preface(b"", now(0)), Preface::NeedMore);
    assert!(!slow.lacks_proxy_header(), "nothing was received");
    assert_eq!(slow.receive_preface(b"PROXY", now(14_000)), Preface::NeedMore);
    slow.handle_timeout(now(15_000));
    assert_eq!(closed(&mut slow), Some(CloseReason::TimedOut(Timer::Accept)));
    assert!(slow.lacks_proxy_header());
    is_over(&mut slow);
    for wrong in [HELLO, REQUEST] {
        let mut wronged = connection(|config| config.proxy_protocol = true);
        assert_eq!(wronged.receive_preface(wrong, now(0)), Preface::Refused);
        assert_eq!(closed(&mut wronged), Some(CloseReason::Refused(ProtocolError::ProxyHeader)));
        assert!(wronged.lacks_proxy_header());
        is_over(&mut wronged);
    }
    let mut plain = connection(|config| config.proxy_protocol = true);
    let bytes = [HEADER, REQUEST].concat();
    assert_eq!(plain.receive_preface(&bytes, now(0)), Preface::Header(HEADER.len()));
    assert!(!plain.lacks_proxy_header());
    assert_eq!(plain.receive_preface(REQUEST, now(0)), Preface::Refused);
    assert_eq!(closed(&mut plain), Some(CloseReason::Refused(ProtocolError::PlainRequest)));
}

/// Every request of a connection has the TLVs of the proxy, with or without TLS after the header.
#[test]
fn tlvs_of_a_proxy_are_on_every_request() {
    let header: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xcb\0\x71\x09\x0a\0\0\x01\xc3\x50\x01\xbb\x02\0\x01a";
    let now = Now::default();
    for secured in [true, false] {
        let mut config = Config::default();
        config.proxy_protocol = true;
        let info = ConnectionInfo::default();
        let mut connection = match secured {
            true => Connection::with_handshake(config.into(), info, now),
            false => Connection::new(config.into(), info, now),
        };
        if secured {
            let Preface::Header(length) = connection.receive_preface(header, now) else { panic!("no header") };
            assert_eq!(length, header.len());
            connection.handle_secured(now);
        } else {
            assert_eq!(connection.receive(header, now), header.len());
        }
        for _ in 0..2 {
            let _ = connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", now);
            let request = core::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
                Event::Request(request) => Some(request),
                _ => None,
            });
            let request = request.unwrap();
            assert_eq!(request.proxy_tlvs().iter().collect::<Vec<_>>(), [(2, &b"a"[..])]);
            connection.respond_with(request.id(), &ResponseHead::default(), "").unwrap();
        }
    }
}
