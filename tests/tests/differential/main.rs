//! Tests of every published input through a proxy: this server must find the same message
//! boundaries as nginx and HAProxy in the bytes that they forward. Needs the Debian packages nginx
//! and haproxy.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and clippy.toml excepts only the test functions themselves"
)]

mod framing;
mod program;
mod proxy;
mod reference;
mod relay;
mod server;

use std::thread;

use httpants_tests::corpus::{self, Input};

use framing::{Message, Rest};
use proxy::{Kind, Logged, Proxy};
use relay::{Passed, Relay};
use server::{Recording, Seen};

#[test]
#[ignore = "needs nginx (Debian package nginx)"]
fn requests_forwarded_by_nginx_have_the_same_framing() {
    check(Kind::Nginx);
}

#[test]
#[ignore = "needs nginx (Debian package nginx)"]
fn requests_forwarded_by_lax_nginx_have_the_same_framing() {
    check(Kind::LaxNginx);
}

#[test]
#[ignore = "needs HAProxy (Debian package haproxy)"]
fn requests_forwarded_by_haproxy_have_the_same_framing() {
    check(Kind::Haproxy);
}

#[test]
#[ignore = "needs HAProxy (Debian package haproxy)"]
fn requests_forwarded_by_lax_haproxy_have_the_same_framing() {
    check(Kind::LaxHaproxy);
}

/// The number of simultaneous clients. Most of the time they wait for the proxy to close.
const CLIENTS: usize = 48;

/// Sends every input to the proxy, and after each, from another client, a request, which must get
/// its own response.
fn check(kind: Kind) {
    let server = Recording::start();
    let relay = Relay::start(server.address);
    let proxy = Proxy::start(kind, relay.address);
    let inputs = corpus::load().unwrap();
    thread::scope(|scope| {
        for share in inputs.chunks(inputs.len().div_ceil(CLIENTS)) {
            scope.spawn(|| share.iter().for_each(|input| attack(&proxy, input)));
        }
    });
    let log = proxy.finish();
    let passed = relay.finish();
    let seen = server.finish();
    passed.iter().for_each(|connection| compare_with_bytes(connection, &seen));
    compare_with_log(&log, &seen);
    let count = log.iter().filter(|logged| logged.passed).count() - inputs.len();
    println!("{kind:?}: of {} inputs {count} requests were forwarded, over {} connections", inputs.len(), passed.len());
    assert!(count > 300, "only {count} requests were forwarded");
}

fn attack(proxy: &Proxy, input: &Input) {
    proxy.exchange(&input.bytes);
    let target = format!("/probe/{}", input.name.escape_default()).replace(|c: char| !c.is_ascii_alphanumeric(), "/");
    let probe = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let response = proxy.exchange(probe.as_bytes());
    let response = String::from_utf8_lossy(&response);
    let own = response.starts_with("HTTP/1.1 200") && response.ends_with(&format!("\r\n\r\nGET {target}"));
    assert!(own, "after {}, {target} gets:\n{response}", input.name);
}

/// Compares the requests that this server received on a connection with those that another parser
/// finds in the bytes. The server may have received fewer only if it refused the next one, and must
/// refuse bytes that are not a request.
fn compare_with_bytes(connection: &Passed, seen: &Seen) {
    let (messages, rest) = framing::read(&connection.requests);
    let none = Vec::new();
    let ours = seen.get(&connection.port).unwrap_or(&none);
    let whole = ours.len() == messages.len() && !matches!(rest, Rest::Wrong(_));
    let refused = connection
        .responses
        .windows(10)
        .any(|line| matches!(line, [b'H', b'T', b'T', b'P', b'/', b'1', b'.', _, b' ', b'4' | b'5']));
    let same = messages.iter().zip(ours).take_while(|(theirs, ours)| theirs == ours).count();
    assert!(
        same == ours.len() && (whole || refused),
        "ours: {:?}\nanother: {:?}, then {rest:?}\nat the end of {}",
        &ours[same..],
        &messages[same..],
        connection.requests[connection.requests.len().saturating_sub(1000)..].escape_ascii()
    );
}

/// Compares the requests that this server received with those that the proxy logged as forwarded:
/// no others, and all for which the proxy logged a response.
fn compare_with_log(log: &[Logged], seen: &Seen) {
    let line = |method: &str, target: &str| format!("{method} {target}");
    let mut ours: Vec<_> = seen.values().flatten().map(|message| line(&message.method, &message.target)).collect();
    let mut responded = Vec::new();
    // First the requests that the server must have received.
    let (mut passed, others): (Vec<_>, Vec<_>) =
        log.iter().filter(|logged| logged.passed).partition(|logged| logged.status == 200);
    passed.extend(others);
    for logged in passed {
        match ours.iter().position(|line| *line == logged.line) {
            Some(at) => drop(ours.swap_remove(at)),
            None if logged.status == 200 => responded.push(&logged.line),
            None => {}
        }
    }
    assert!(
        ours.is_empty() && responded.is_empty(),
        "seen, but not forwarded: {ours:?}\nwith a response, but not seen: {responded:?}"
    );
}

fn one_request_passed(seen: Vec<Message>, responses: &[u8]) {
    let requests = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\n".to_vec();
    let passed = Passed { port: 1, requests, responses: responses.to_vec() };
    compare_with_bytes(&passed, &Seen::from([(1, seen)]));
}

fn get(target: &str) -> Message {
    Message { method: "GET".into(), target: target.into(), content: Vec::new() }
}

#[test]
#[should_panic(expected = "GET /b")]
fn comparison_detects_an_extra_request() {
    one_request_passed(vec![get("/a")], b"");
    one_request_passed(vec![get("/a"), get("/b")], b"");
}

#[test]
#[should_panic(expected = "GET /a")]
fn comparison_detects_a_missing_request() {
    one_request_passed(vec![], b"HTTP/1.1 400 Bad Request\r\n");
    one_request_passed(vec![], b"");
}

#[test]
#[should_panic(expected = "not forwarded")]
fn comparison_detects_a_request_missing_in_the_log() {
    let logged = |target: &str| Logged { line: format!("GET {target}"), status: 200, passed: true };
    compare_with_log(&[logged("/a")], &Seen::from([(1, vec![get("/a")])]));
    compare_with_log(&[logged("/a")], &Seen::from([(1, vec![get("/a"), get("/hidden")])]));
}
