//! Tests of client addresses reported by proxies.

use serde_json::json;

use crate::demo::Demo;
use crate::process::wait_until;
use crate::programs::curl;

/// Returns the address and the scheme that the demo derives from these fields.
fn seen(demo: &Demo, fields: &str) -> (String, String) {
    let report = demo.connect().request("GET", "/x", fields, "").json();
    (report["remote_ip"].as_str().unwrap().into(), report["scheme"].as_str().unwrap().into())
}

fn pair(ip: &str, scheme: &str) -> (String, String) {
    (ip.into(), scheme.into())
}

const SPOOFED: [&str; 5] = [
    "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n",
    "X-Real-IP: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n",
    "Forwarded: for=203.0.113.9;proto=https\r\n",
    "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: https\r\n",
    "Forwarded: for=\"203.0.113.9:4711\";proto=HTTPS\r\n",
];

#[test]
fn forwarded_fields_are_ignored_by_default() {
    let elsewhere = ["--xheaders", "10.0.0.0/8", "--xheaders", "2001:db8::/32"];
    for demo in [Demo::start(&[]), Demo::start(&elsewhere)] {
        for fields in SPOOFED {
            assert_eq!(seen(&demo, fields), pair("127.0.0.1", "http"), "{fields}");
        }
    }
}

#[test]
fn forwarded_fields_of_trusted_proxies_are_used() {
    let everybody = Demo::start(&["--xheaders", "all"]);
    for fields in SPOOFED {
        assert_eq!(seen(&everybody, fields), pair("203.0.113.9", "https"), "{fields}");
    }
    assert_eq!(seen(&everybody, ""), pair("127.0.0.1", "http"));
    // Fields that the proxy does not set are ignored.
    let [x_forwarded, x_real_ip, forwarded, x_forwarded_twice, forwarded_port] = SPOOFED;
    for (from, expected) in [
        ("x-forwarded", vec![(x_forwarded, "https"), (x_forwarded_twice, "https")]),
        ("x-real-ip", vec![(x_real_ip, "http")]),
        ("forwarded", vec![(forwarded, "https"), (forwarded_port, "https")]),
    ] {
        let demo = Demo::start(&["--xheaders", "10.0.0.0/8", "--xheaders", "127.0.0.1", "--xheaders-from", from]);
        for fields in SPOOFED {
            let (ip, scheme) = match expected.iter().find(|(known, _)| *known == fields) {
                Some((_, scheme)) => ("203.0.113.9", *scheme),
                None if from == "x-forwarded" && fields.contains("-Proto: https") => ("127.0.0.1", "https"),
                None => ("127.0.0.1", "http"),
            };
            assert_eq!(seen(&demo, fields), pair(ip, scheme), "{from}: {fields}");
        }
    }
}

#[test]
fn client_written_forwarded_entries_are_ignored() {
    let trusted = ["--xheaders", "127.0.0.0/8", "--xheaders", "10.0.0.0/8"];
    let demo = Demo::start(&trusted);
    for (fields, ip) in [
        ("X-Forwarded-For: 192.0.2.66, 203.0.113.9, 10.0.0.2\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 192.0.2.66\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
        ("X-Forwarded-For: 192.0.2.66, 2001:db8::1\r\n", "2001:db8::1"),
        ("X-Real-IP: 192.0.2.66\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
        ("Forwarded: for=192.0.2.66;proto=https\r\nX-Forwarded-For: 203.0.113.9\r\n", "203.0.113.9"),
        ("X-Forwarded-For: nonsense\r\n", "127.0.0.1"),
        ("X-Forwarded-For: 203.0.113.9, nonsense\r\n", "127.0.0.1"),
        ("X-Real-IP: 192.0.2.66\r\n", "127.0.0.1"),
        ("Forwarded: for=192.0.2.66\r\n", "127.0.0.1"),
        ("X-Forwarded-Proto: gopher\r\n", "127.0.0.1"),
    ] {
        assert_eq!(seen(&demo, fields), pair(ip, "http"), "{fields}");
    }
    let demo = Demo::start(&[&trusted[..], &["--xheaders-from", "forwarded"]].concat());
    let fields = "X-Forwarded-For: 192.0.2.66\r\nForwarded: for=192.0.2.66, for=\"[2001:db8::1]:80\"\r\n";
    assert_eq!(seen(&demo, fields), pair("2001:db8::1", "http"));
    let demo = Demo::start(&[&trusted[..], &["--xheaders-from", "x-real-ip"]].concat());
    for (fields, ip) in [
        ("X-Forwarded-For: 192.0.2.66\r\nX-Real-IP: 203.0.113.9\r\n", "203.0.113.9"),
        ("X-Real-IP: nonsense\r\nX-Forwarded-For: 192.0.2.66\r\n", "127.0.0.1"),
        ("X-Real-IP: 192.0.2.66\r\nX-Real-IP: 203.0.113.9\r\n", "127.0.0.1"),
    ] {
        assert_eq!(seen(&demo, fields), pair(ip, "http"), "{fields}");
    }
}

#[test]
fn full_url_has_the_scheme_of_the_trusted_proxy() {
    let fields = "X-Forwarded-Proto: https\r\n";
    for (flags, url) in [
        (&[][..], "http://demo.test/x"),
        (&["--xheaders", "all"], "https://demo.test/x"),
        (&["--xheaders", "127.0.0.1"], "https://demo.test/x"),
    ] {
        let report = Demo::start(flags).connect().request("GET", "/x", fields, "").json();
        assert_eq!(report["full_url"], json!(url));
    }
}

/// A PROXY header of version 2: TCP over IPv4, from 203.0.113.9:4711.
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0\x71\x09\x7f\0\0\x01\x12\x67\0\x50";
const REQUEST: &[u8] = b"GET /x HTTP/1.1\r\nHost: demo.test\r\n\r\n";

#[test]
fn proxy_protocol_v1_and_v2_set_the_client_address() {
    let demo = Demo::start(&["--proxy-protocol"]);
    for (header, ip) in [
        (&b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n"[..], "203.0.113.9"),
        (b"PROXY TCP6 2001:db8::1 ::1 4711 80\r\n", "2001:db8::1"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (VERSION_2, "203.0.113.9"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", "127.0.0.1"),
    ] {
        let mut client = demo.connect();
        for byte in header {
            client.send([*byte]);
        }
        // One header per connection, and two requests.
        client.send(REQUEST.repeat(2));
        for _ in 0..2 {
            assert_eq!(client.response().json()["remote_ip"], ip);
        }
    }
}

#[test]
fn connection_without_required_proxy_header_is_closed() {
    let demo = Demo::start(&["--proxy-protocol"]);
    for wrong in [
        REQUEST,
        b"PROXY TCP4 nonsense\r\n",
        b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 99999\r\n",
        b"\r\n\r\n\0\r\nNOPE\n\x20\0\0\0",
    ] {
        let mut client = demo.connect();
        client.send([wrong, REQUEST].concat());
        match client.try_response("GET") {
            Ok(None) => {}
            Ok(Some(response)) => assert_eq!((response.status, client.is_at_end()), (400, true)),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
    let mut client = demo.connect();
    client.send([VERSION_2, REQUEST].concat());
    assert_eq!(client.response().status, 200);
}

#[test]
fn only_invalid_proxy_headers_are_logged() {
    let demo = Demo::start(&["--proxy-protocol"]);
    // Connections without bytes and errors of other requests are not logged.
    let mut probe = demo.connect();
    probe.half_close();
    assert!(probe.is_at_end());
    for path in ["/x", "/status/404", "/status/503", "/stream?chunks=2"] {
        let mut client = demo.connect();
        client.send(VERSION_2);
        client.get(path);
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.response().status, 400);
    }
    assert_eq!(demo.stderr(), "");

    for (sent, reason) in [
        (REQUEST, "reason=the connection must begin with a header of the PROXY protocol"),
        (b"PROXY TCP4 nonsense\r\n", "reason=a PROXY line must be TCP4 or TCP6 "),
        (b"PROXY TCP4 203.0", "reason=incomplete PROXY header: "),
    ] {
        let logged = demo.stderr().len();
        let mut client = demo.connect();
        client.send(sent);
        client.half_close();
        wait_until("it is logged", || demo.stderr().len() > logged);
        let log = demo.stderr().split_off(logged);
        assert!(log.contains(" INFO ") && log.contains("missing or invalid PROXY header; connection closed"), "{log}");
        assert!(log.contains("peer=127.0.0.1:") && log.contains(reason) && log.matches('\n').count() == 1, "{log}");
    }
}

#[test]
fn unexpected_proxy_header_is_400() {
    let demo = Demo::start(&[]);
    for header in [&b"PROXY TCP4 203.0.113.9 127.0.0.1 4711 80\r\n"[..], VERSION_2] {
        let mut client = demo.connect();
        client.send([header, REQUEST].concat());
        let response = client.response();
        assert_eq!((response.status, client.is_at_end()), (400, true));
    }
}

#[test]
#[ignore = "needs curl (Debian: curl)"]
fn curl_sends_a_proxy_header() {
    let demo = Demo::start(&["--proxy-protocol"]);
    let report = curl(&["--haproxy-protocol", &demo.url("/x")], b"");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&report).unwrap()["remote_ip"], "127.0.0.1");
}
