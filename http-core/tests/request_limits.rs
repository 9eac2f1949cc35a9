//! Tests of limits of one request that override those of the configuration.
#![cfg(test)]

mod common;

use std::time::Duration;

use common::{connection, events, feed, id, now, request, timeout};
use httpants_core::{
    CloseReason, Config, Connection, Event, Misuse, ProtocolError, RequestLimits, ResponseHead, Timer,
};

/// Returns a connection that reads the body of a request whose head ends with these fields.
fn reading(config: Config, fields: &str, limits: &RequestLimits) -> Connection {
    let mut connection = connection(config);
    feed(&mut connection, format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").as_bytes(), 0);
    let request = request(&mut connection).id();
    connection.set_request_limits(request, limits).unwrap();
    connection
}

/// Returns the reason for which a connection closes after this content.
fn verdict(mut connection: Connection, content: &str) -> Option<CloseReason> {
    feed(&mut connection, content.as_bytes(), 0);
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Closed(reason) => Some(reason),
        _ => None,
    })
}

#[test]
fn request_has_its_own_max_body_size() {
    let too_large = Some(CloseReason::Refused(ProtocolError::BodyTooLarge));
    for (configured, own, length, expected) in [
        (3, None, 3, None),
        (3, None, 4, too_large),
        (3, Some(5), 5, None),
        (3, Some(5), 6, too_large),
        (9, Some(5), 5, None),
        (9, Some(5), 6, too_large),
        (9, Some(0), 1, too_large),
        (0, Some(1), 1, None),
    ] {
        let mut config = Config::default();
        config.limits.max_body_size = configured;
        let limits = own.map_or_else(RequestLimits::new, |size| RequestLimits::new().max_body_size(size));
        assert_eq!(limits.body_size(), own);
        let content = "x".repeat(length);
        let fields = format!("Content-Length: {length}");
        assert_eq!(verdict(reading(config.clone(), &fields, &limits), &content), expected, "{length} {limits:?}");
        let chunk = format!("{length:x}\r\n{content}\r\n0\r\n\r\n");
        let fields = "Transfer-Encoding: chunked";
        assert_eq!(verdict(reading(config, fields, &limits), &chunk), expected, "{length} {limits:?}, in a chunk");
    }
}

#[test]
fn request_has_its_own_chunk_overhead() {
    let trailers = "0\r\nT: 1\r\n\r\n";
    let refused = Some(CloseReason::Refused(ProtocolError::ChunkOverhead));
    for (configured, own, expected) in [
        (6, None, None),
        (5, None, refused),
        (5, Some(6), None),
        (0, Some(6), None),
        (100, Some(5), refused),
        (100, Some(0), refused),
    ] {
        let mut config = Config::default();
        config.limits.chunk_overhead = configured;
        let limits = own.map_or_else(RequestLimits::new, |bytes| RequestLimits::new().chunk_overhead(bytes));
        let connection = reading(config, "Transfer-Encoding: chunked", &limits);
        assert_eq!(verdict(connection, trailers), expected, "{configured} {limits:?}");
    }
}

#[test]
fn request_has_its_own_timeouts() {
    let seconds = Duration::from_secs;
    let mut config = Config::default();
    (config.timeouts.body, config.timeouts.handler) = (Some(seconds(10)), Some(seconds(20)));
    (config.timeouts.body_rate, config.timeouts.body_rate_grace) = (1000, seconds(5));
    let new = RequestLimits::new;
    let rate = (5_000, Timer::BodyRate);
    for (limits, body, handler) in [
        (new(), Some(rate), Some(20_000)),
        (new().max_body_size(1000).chunk_overhead(1), Some(rate), Some(20_000)),
        (new().body_timeout(seconds(3)), Some((3_000, Timer::Body)), Some(20_000)),
        (new().body_timeout(seconds(30)), Some(rate), Some(20_000)),
        (new().body_timeout(None).body_rate(0), None, Some(20_000)),
        (new().body_rate(0), Some((10_000, Timer::Body)), Some(20_000)),
        (new().body_rate_grace(seconds(8)), Some((8_000, Timer::BodyRate)), Some(20_000)),
        (new().body_rate(1_000_000).body_rate_grace(seconds(0)), Some((1, Timer::BodyRate)), Some(20_000)),
        (new().handler_timeout(seconds(7)), Some(rate), Some(7_000)),
        (new().handler_timeout(None), Some(rate), None),
    ] {
        let mut connection = reading(config.clone(), "Content-Length: 1", &limits);
        assert_eq!(timeout(&connection), body, "{limits:?}");
        feed(&mut connection, b"x", 0);
        assert_eq!(events(&mut connection), ["Data", "End"]);
        assert_eq!(timeout(&connection), handler.map(|at| (at, Timer::Handler)), "{limits:?}");
    }
}

#[test]
fn limits_end_with_the_request() {
    let mut config = Config::default();
    (config.limits.max_body_size, config.limits.chunk_overhead) = (3, 5);
    config.timeouts.handler = Some(Duration::from_secs(20));
    let limits = RequestLimits::new().handler_timeout(None).max_body_size(100).chunk_overhead(100);
    let mut connection = reading(config, "Transfer-Encoding: chunked", &limits);
    feed(&mut connection, b"5\r\nhello\r\n0\r\nT: 12345\r\n\r\n", 0);
    assert_eq!(events(&mut connection), ["Data", "End"]);
    let first = id(&connection);
    connection.respond_with(first, &ResponseHead::default(), "x").unwrap();
    connection.handle_sent(u64::MAX, now(0));
    assert_eq!(events(&mut connection), ["ResponseEnd"]);
    assert_eq!(connection.set_request_limits(first, &limits), Err(Misuse::NoRequest));

    feed(&mut connection, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000);
    let second = request(&mut connection).id();
    assert_eq!(connection.set_request_limits(first, &limits), Err(Misuse::NoRequest));
    assert_eq!(timeout(&connection), Some((21_000, Timer::Handler)));
    connection.respond_with(second, &ResponseHead::default(), "x").unwrap();
    connection.handle_sent(u64::MAX, now(1000));
    assert_eq!(events(&mut connection), ["ResponseEnd"]);

    feed(&mut connection, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 2000);
    drop(request(&mut connection));
    assert_eq!(verdict(connection, "5\r\n"), None, "the whole chunk counts with its first byte");
}

#[test]
fn set_limits_override_other_limits() {
    let seconds = Duration::from_secs;
    let own = RequestLimits::new().max_body_size(1).body_timeout(None).body_rate(3);
    let other = RequestLimits::new()
        .max_body_size(11)
        .chunk_overhead(12)
        .body_timeout(seconds(13))
        .body_rate(14)
        .body_rate_grace(seconds(15))
        .handler_timeout(seconds(16));
    let both = RequestLimits::new()
        .max_body_size(1)
        .chunk_overhead(12)
        .body_timeout(None)
        .body_rate(3)
        .body_rate_grace(seconds(15))
        .handler_timeout(seconds(16));
    assert_eq!(own.clone().or(other.clone()), both);
    assert_eq!(RequestLimits::new().or(other.clone()), other);
    assert_eq!(other.clone().or(own), other);
    assert_ne!(both, other);
}
