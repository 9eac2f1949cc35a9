//! Tests of log lines, parsed as by other programs.

use std::time::Duration;

use httpants_driver::{AccessLog, Address, ConnectionInfo, Request, Server};
use httpants_testkit::memory::{Client, Faults, Memory};
use regex::Regex;

use crate::site::{Site, get};

/// A line of the Combined Log Format, parsed with a pattern like that of log tools.
#[derive(Debug, PartialEq)]
struct Line {
    host: String,
    time: String,
    request: String,
    status: u16,
    bytes: u64,
    referer: String,
    agent: String,
}

fn parse(line: &str) -> Line {
    let pattern = concat!(
        r#"^(\S+) (\S+) (\S+) \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "#,
        r#""([^"]*)" (\d{3}) (\d+|-) "([^"]*)" "([^"]*)"$"#
    );
    let found =
        Regex::new(pattern).unwrap().captures(line).unwrap_or_else(|| panic!("not a line of the format: {line}"));
    let field = |number: usize| found[number].to_owned();
    assert_eq!((&found[2], &found[3]), ("-", "-"));
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line}");
    Line {
        host: field(1),
        time: field(4),
        request: field(5),
        status: found[6].parse().unwrap(),
        bytes: if &found[7] == "-" { 0 } else { found[7].parse().unwrap() },
        referer: field(8),
        agent: field(9),
    }
}

/// Returns the request line, the status and the number of bytes of each line.
fn responses(site: &Site) -> Vec<(String, u16, u64)> {
    site.lines().iter().map(|line| parse(line)).map(|line| (line.request, line.status, line.bytes)).collect()
}

fn response(request: &str, status: u16, bytes: u64) -> (String, u16, u64) {
    (request.into(), status, bytes)
}

/// Returns the length of the body of one response.
fn content(received: &[u8]) -> usize {
    received.len() - (received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4)
}

#[test]
fn line_has_apaches_combined_format() {
    let site = Site::new();
    site.exchange(b"GET /a?b=c HTTP/1.0\r\nReferer: http://b/\r\nUser-Agent: curl/8.14 (x; y)\r\n\r\n");
    let line = concat!(
        r#"192.0.2.1 - - [22/Nov/2026:13:00:00 +0000] "GET /a?b=c HTTP/1.0" 200 5 "#,
        r#""http://b/" "curl/8.14 (x; y)""#
    );
    assert_eq!(site.lines(), [line]);
}

#[test]
fn common_is_combined_without_referer_and_agent() {
    let memory = Memory::new();
    let lines = std::sync::Arc::<std::sync::Mutex<Vec<String>>>::default();
    let written = std::sync::Arc::clone(&lines);
    let log = AccessLog::common(move |line| written.lock().unwrap().push(line.into()));
    memory.start(Server::with_runtime(memory.clone(), async |_: Request| "").access_log(log));
    let client = memory.connect_from(ConnectionInfo::new(Address::Unix, Address::Unix));
    client.send(b"HEAD / HTTP/1.1\r\nHost: a\r\nReferer: x\r\n\r\n");
    memory.run();
    assert_eq!(*lines.lock().unwrap(), [r#"- - - [22/Nov/2026:13:00:00 +0000] "HEAD / HTTP/1.1" 200 -"#]);
}

#[test]
fn host_is_the_client_behind_a_trusted_proxy() {
    let site = Site::new();
    site.exchange(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 2001:db8::7\r\n\r\n");
    assert_eq!(parse(&site.lines()[0]).host, "2001:db8::7");
}

#[test]
fn peer_input_cannot_end_a_line_or_field() {
    let site = Site::new();
    let (client, _) = site.exchange(
        b"G'T /\"%0d%0a\\x? HTTP/1.1\r\nHost: a\r\nReferer: \" 200 1 \"\\\"\r\nUser-Agent: \xff\t\xc2\x9b31m\"\r\n\r\n",
    );
    drop(client);
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \x1b[31m\r\n\r\n"[..],
        b"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\"\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nReferer: a\rb\r\n\r\n",
        b"G\"T / HTTP/1.1\r\nHost: a\r\n\r\n",
    ] {
        site.exchange(bytes);
    }
    let lines = site.lines();
    assert_eq!(lines.len(), 6, "{lines:?}");
    let parsed: Vec<Line> = lines.iter().map(|line| parse(line)).collect();
    assert_eq!(parsed[0].request, r"G'T /\x22%0d%0a\x5Cx? HTTP/1.1");
    assert_eq!(parsed[0].referer, r"\x22 200 1 \x22\x5C\x22");
    assert_eq!(parsed[0].agent, r"\xFF\x09\xC2\x9B31m\x22");
    assert!(parsed[1..].iter().all(|line| (line.status, &*line.agent) == (400, "-")), "{lines:?}");
    let shown: Vec<_> = parsed[1..].iter().map(|line| &*line.request).collect();
    let get = "GET / HTTP/1.1";
    assert_eq!(shown, [get, r"GET /\x1B[2J HTTP/1.1", r"\x16", get, r"G\x22T / HTTP/1.1"]);
}

#[test]
fn responses_without_a_handler_have_lines() {
    let site = Site::new();
    site.exchange(b"nonsense\r\n\r\n");
    site.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(70_000)).as_bytes());
    site.exchange(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(30_000)).as_bytes());
    site.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n");
    site.exchange(b"GET /panic HTTP/1.1\r\nHost: a\r\n\r\n");
    let (_late, _) = site.exchange(b"GET / HTTP/1.1\r\nHo");
    let (_later, _) = site.exchange(b"POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nx");
    site.memory.advance(Duration::from_secs(120));
    let lines = responses(&site);
    let statuses: Vec<_> = lines.iter().map(|(request, status, _)| (&**request, *status)).collect();
    let cut = format!("GET /{}", "x".repeat(256 - "GET /".len()));
    assert_eq!(
        statuses,
        [
            ("nonsense", 400),
            ("GET / HTTP/1.1", 431),
            (&*cut, 414),
            ("POST / HTTP/1.1", 413),
            ("GET /panic HTTP/1.1", 500),
            ("POST /late HTTP/1.1", 408),
            ("GET / HTTP/1.1", 408),
        ]
    );
    assert!(lines.iter().all(|(_, _, bytes)| *bytes > 0), "{lines:?}");
}

#[test]
fn bytes_counts_the_body_bytes_sent() {
    let site = Site::new();
    site.exchange(&get("/large"));
    site.exchange(&get("/chunks"));
    site.exchange(b"HEAD /large HTTP/1.1\r\nHost: a\r\n\r\n");
    site.exchange(&get("/status?204"));
    let (_, refusal) = site.exchange(b"x\r\n\r\n");
    assert_eq!(
        responses(&site),
        [
            response("GET /large HTTP/1.1", 200, 100_000),
            response("GET /chunks HTTP/1.1", 200, 90_000),
            response("HEAD /large HTTP/1.1", 200, 0),
            response("GET /status?204 HTTP/1.1", 204, 0),
            response("x", 400, content(&refusal) as u64),
        ]
    );
}

#[test]
fn aborted_response_logs_the_bytes_sent() {
    let site = Site::new();
    let client = site.memory.connect();
    client.take_only(5_000);
    client.send(&[get("/large"), get("/")].concat());
    site.memory.run();
    assert_eq!(site.lines(), [""; 0], "it is still being sent");
    let received = client.take_received();
    client.reset();
    site.memory.run();
    let taken = content(&received) as u64;
    assert!(taken > 4_000);
    let mut expected = vec![response("GET /large HTTP/1.1", 200, taken)];
    expected.extend(responses(&site).into_iter().skip(1));
    assert_eq!(responses(&site), expected);
    assert!(responses(&site).len() <= 2 && responses(&site)[1..].iter().all(|(_, _, bytes)| *bytes == 0));
}

#[test]
fn request_of_a_disconnected_client_has_a_line() {
    let site = Site::new();
    let (client, _) = site.exchange(&get("/slow"));
    client.reset();
    site.memory.advance(Duration::from_secs(10));
    let (_client, _) = site.exchange(&get("/slow"));
    site.handle.close();
    site.memory.run();
    assert_eq!(responses(&site), [response("GET /slow HTTP/1.1", 499, 0), response("GET /slow HTTP/1.1", 499, 0)]);
}

#[test]
fn upgrade_is_logged_at_the_handover() {
    let site = Site::new();
    site.exchange(b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(responses(&site), [response("GET /upgrade HTTP/1.1", 101, 0)]);
}

#[test]
fn pipelined_requests_are_logged_in_order() {
    let mut sent: Vec<u8> = (0..20).flat_map(|number| get(["/large", "/chunks", "/a"][number % 3])).collect();
    sent.extend_from_slice(b"x\r\n\r\n");
    for seed in 0..10 {
        let site = Site::with_memory(Memory::with_faults(seed, Faults::all()));
        site.exchange(&sent);
        let lines = responses(&site);
        assert_eq!(lines.len(), 21, "seed {seed}");
        for (number, line) in lines[..20].iter().enumerate() {
            let (path, bytes) = [("/large", 100_000), ("/chunks", 90_000), ("/a", 5)][number % 3];
            assert_eq!(*line, response(&format!("GET {path} HTTP/1.1"), 200, bytes), "seed {seed}");
        }
        assert_eq!(lines[20].1, 400);
    }
}

/// Returns a client that sends this many requests with heads of 8 KB, and reads nothing.
fn ask_without_reading(site: &Site, count: usize) -> Client {
    let client = site.memory.connect();
    client.take_only(0);
    let request = format!("GET /a HTTP/1.1\r\nHost: a\r\nUser-Agent: {}\r\n\r\n", "x".repeat(8_000));
    client.send(request.repeat(count).as_bytes());
    site.memory.run();
    client
}

/// The connection keeps the head of a request until its response is sent. A peer that does not read
/// must not be able to make it keep many.
#[test]
fn pending_log_lines_are_bounded() {
    // All later requests are in the socket, or all are in the buffer of the connection.
    for (count, buffer) in [(40, 8 << 10), (10, 128 << 10)] {
        let site = Site::with_config(Memory::new(), |config| config.limits.recv_buffer = buffer);
        let client = ask_without_reading(&site, count);
        assert_eq!(site.handle.counters().requests, 9, "those that pass 64 KiB");
        assert_eq!(site.lines(), [""; 0], "none was sent");
        // The connection continues only when its responses can be sent.
        client.take_only(usize::MAX);
        site.memory.run();
        assert_eq!(responses(&site), vec![response("GET /a HTTP/1.1", 200, 5); count]);
        assert_eq!(site.handle.counters().responses.successful, count as u64);
    }
}

#[test]
fn requests_with_unsent_responses_have_lines() {
    type End<'a> = &'a dyn Fn(&Site, &Client);
    let ends: [End<'_>; 4] = [
        &|site, _| site.memory.advance(Duration::from_secs(300)),
        &|_, client| client.reset(),
        &|site, _| site.handle.close(),
        &|site, client| {
            client.take_only(50);
            site.memory.run();
            site.handle.shutdown(Duration::ZERO);
        },
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let site = Site::new();
        let client = ask_without_reading(&site, 20);
        end(&site, &client);
        site.memory.run();
        assert_eq!(site.handle.connections(), 0);
        assert_eq!(responses(&site), vec![response("GET /a HTTP/1.1", 200, 0); 9], "end {number}");
        assert_eq!(site.handle.counters().requests, 9);
    }
}
