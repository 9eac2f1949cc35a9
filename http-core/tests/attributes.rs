//! Tests of the properties of a request: variables, cookies, and the client.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::sync::Arc;
use std::time::Duration;

use httpants_core::cookies::{self, Cookie, Cookies, KeyRing};
use httpants_core::forms::urlencoded;
use httpants_core::proxy::{ProxyPolicy, XHeaders};
use httpants_core::{
    Close, CloseReason, Config, Connection, ConnectionInfo, Event, Misuse, Now, ProtocolError, RequestHead,
    ResponseHead, Transmit, UnixTime,
};

const NOW: Now = Now::new(Duration::ZERO, UnixTime::from_secs(1_795_352_400));

fn connection(change: impl FnOnce(&mut Config)) -> Connection {
    let mut config = Config::default();
    change(&mut config);
    let peer = ConnectionInfo::new(
        "10.0.0.1:5000".parse::<std::net::SocketAddr>().unwrap(),
        "10.0.0.2:80".parse::<std::net::SocketAddr>().unwrap(),
    );
    Connection::new(Arc::new(config), peer, NOW)
}

fn request(connection: &mut Connection, head: &str) -> RequestHead {
    assert_eq!(connection.receive(head.as_bytes(), NOW), head.len());
    loop {
        match connection.poll_event() {
            Some(Event::ResponseEnd(stats)) => assert!(stats.complete),
            Some(Event::Request(request)) => return request,
            other => panic!("{other:?}"),
        }
    }
}

fn sent(connection: &mut Connection) -> String {
    let mut all = Vec::new();
    while let Some(Transmit::Bytes(slices)) = connection.poll_transmit() {
        let bytes = slices.flatten().copied().collect::<Vec<_>>();
        connection.handle_sent(bytes.len() as u64, NOW);
        all.extend(bytes);
    }
    String::from_utf8(all).unwrap()
}

#[test]
fn query_variables_are_in_order_and_limited() {
    let mut connection = connection(|_| {});
    let first = request(&mut connection, "GET /?a=1&b=%C3%A9+x&a=2&c=&d HTTP/1.1\r\nHost: x\r\n\r\n");
    let variables = urlencoded::query(&first).unwrap();
    assert_eq!(variables.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "\u{e9} x"), ("a", "2")]);
    while connection.poll_event().is_some() {}
    connection.respond_with(first.id(), &ResponseHead::default(), "").unwrap();
    drop(first);
    let many = format!("GET /?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a=1&".repeat(1001));
    let second = request(&mut connection, &many);
    assert_eq!(urlencoded::query(&second).unwrap_err().status().as_u16(), 413);
}

fn policy(xheaders: XHeaders) -> ProxyPolicy {
    let mut policy = ProxyPolicy::default();
    policy.xheaders = xheaders;
    policy
}

#[test]
fn forwarded_fields_are_read_only_from_trusted_proxies() {
    let head = "GET / HTTP/1.1\r\nHost: inside\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n\
                X-Forwarded-Proto: https\r\nX-Forwarded-Host: Outside:1\r\n\r\n";
    let mut connection = connection(|_| {});
    let request = request(&mut connection, head);
    assert_eq!((request.host(), &*request.hostname()), ("inside", "inside"));
    let off = ProxyPolicy::default();
    let direct = off.client(&request);
    assert_eq!(direct.remote_ip().unwrap().to_string(), "10.0.0.1");
    assert_eq!((direct.scheme(), direct.host(), &*direct.full_url()), ("http", "inside", "http://inside/"));
    let trusted = policy(XHeaders::trusted(["10.0.0.0/8"]).unwrap().proto().host());
    let following = trusted.client(&request);
    assert_eq!(following.remote_ip().unwrap().to_string(), "192.0.2.7");
    assert_eq!((following.scheme(), following.is_secure(), following.host()), ("https", true, "Outside:1"));
    assert_eq!((&*following.hostname(), &*following.full_url()), ("outside", "https://Outside:1/"));
    let other = policy(XHeaders::trusted(["172.16.0.0/12"]).unwrap());
    assert_eq!(other.client(&request).remote_ip().unwrap().to_string(), "10.0.0.1");
}

/// Tests RFC 9112 sections 3.2.4 and 3.3.
#[test]
fn options_asterisk_has_no_path() {
    let mut connection = connection(|_| {});
    for (line, url, full) in [
        ("OPTIONS *", "*", "http://x"),
        ("OPTIONS http://x", "*", "http://x"),
        ("OPTIONS http://x/", "/", "http://x/"),
        ("OPTIONS http://x?a", "/?a", "http://x/?a"),
        ("GET http://x", "/", "http://x/"),
    ] {
        let request = request(&mut connection, &format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert_eq!((request.url(), &*ProxyPolicy::default().client(&request).full_url()), (url, full), "{line}");
        assert_eq!(request.path(), url.split('?').next().unwrap(), "{line}");
        connection.respond_with(request.id(), &ResponseHead::default(), "").unwrap();
        drop(sent(&mut connection));
    }
}

#[test]
fn cookies_are_received_and_set() {
    let keys = KeyRing::new(["a secret of some length"]).unwrap();
    let value = keys.sign("login", "jo", NOW.wall, Duration::from_secs(60));
    let mut connection = connection(|_| {});
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: a=1; a=2\r\nCookie: login={value}; moved={value}\r\n\r\n");
    let request = request(&mut connection, &head);
    assert_eq!(Cookies::new(request.headers()).text("a"), Some("1"));
    assert_eq!(keys.signed_cookie(&request, "login").as_deref(), Some(&b"jo"[..]));
    assert_eq!((keys.signed_cookie(&request, "moved"), keys.signed_cookie(&request, "a")), (None, None));

    let id = request.id();
    cookies::set(connection.response_fields_mut(id).unwrap(), Cookie::new("plain", "1")).unwrap();
    let login = keys.cookie("login", "jo", NOW.wall, KeyRing::LIFETIME).secure(true);
    cookies::set(connection.response_fields_mut(id).unwrap(), login).unwrap();
    assert!(cookies::set(connection.response_fields_mut(id).unwrap(), Cookie::new("bad name", "x")).is_err());
    connection.respond_with(request.id(), &ResponseHead::default(), "").unwrap();
    let response = sent(&mut connection);
    assert_eq!(response.matches("Set-Cookie: ").count(), 2, "{response}");
    let line = response.lines().find(|line| line.starts_with("Set-Cookie: login=1.")).unwrap();
    assert!(["HttpOnly", "Secure", "Path=/", "Max-Age=2592000"].iter().all(|part| line.contains(part)), "{line}");
    assert_eq!(connection.response_fields_mut(id).err(), Some(Misuse::NoRequest));
}

#[test]
fn added_fields_affect_framing_and_are_kept_on_misuse() {
    let mut connection = connection(|_| {});
    let id = request(&mut connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").id();
    connection.response_fields_mut(id).unwrap().push("Content-Length", "5").unwrap();
    connection.response_fields_mut(id).unwrap().push("Connection", "close").unwrap();
    connection.response_fields_mut(id).unwrap().push("X-Added", "1").unwrap();
    let head = ResponseHead::default();
    assert_eq!(connection.respond_with(id, &head, "four"), Err(Misuse::Framing("Content-Length")));
    connection.respond_with(id, &head, "fifth").unwrap();
    let response = sent(&mut connection);
    assert!(response.contains("\r\nX-Added: 1\r\nContent-Length: 5\r\nConnection: close\r\n"), "{response}");
}

#[test]
fn client_is_secure_over_https_or_by_a_trusted_proxy() {
    let forwarded = "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n";
    let plain = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    for (direct, trusted, head, secure) in [
        (false, "10.0.0.0/8", forwarded, true),
        (false, "10.0.0.0/8", plain, false),
        (false, "172.16.0.0/12", forwarded, false),
        (true, "172.16.0.0/12", plain, true),
    ] {
        let policy = policy(XHeaders::trusted([trusted]).unwrap().proto());
        let address = |text: &str| text.parse::<std::net::SocketAddr>().unwrap();
        let mut peer = ConnectionInfo::new(address("10.0.0.1:5000"), address("10.0.0.2:443"));
        peer.secure = direct;
        let mut connection = Connection::new(Arc::new(Config::default()), peer, NOW);
        let request = request(&mut connection, head);
        assert_eq!(policy.client(&request).is_secure(), secure, "{trusted} {head}");
    }
}

#[test]
fn response_can_select_its_cookies() {
    let mut connection = connection(|_| {});
    for (names, expected) in [(None, vec!["a=1", "b=2"]), (Some(&["b"][..]), vec!["b=2"]), (Some(&[][..]), vec![])] {
        let id = request(&mut connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").id();
        let added = connection.response_fields_mut(id).unwrap();
        cookies::set(added, Cookie::new("a", "1")).unwrap();
        cookies::set(added, Cookie::new("b", "2")).unwrap();
        added.push("X-Other", "stays").unwrap();
        let mut writer = connection.response_writer(id);
        assert_eq!(writer.send_cookies(None, false), Err(Misuse::HeadDue));
        writer.send_status(200).unwrap();
        writer.send_cookies(names, false).unwrap();
        writer.finish().unwrap();
        let response = sent(&mut connection);
        let cookies: Vec<_> = response.lines().filter_map(|line| line.strip_prefix("Set-Cookie: ")).collect();
        assert_eq!(cookies, expected);
        assert!(response.contains("X-Other: stays"));
    }
}

#[test]
fn connection_without_a_leading_proxy_header_is_closed() {
    let v1 = b"PROXY TCP4 203.0.113.9 192.0.2.80 50000 443\r\n".to_vec();
    let v2 = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"[..],
        &[203, 0, 113, 9],
        &[192, 0, 2, 80],
        &50_000u16.to_be_bytes(),
        &443u16.to_be_bytes(),
    ]
    .concat();
    let local = [&b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"[..]].concat();
    for (header, remote) in [(v1, "203.0.113.9"), (v2, "203.0.113.9"), (local, "10.0.0.1")] {
        let all = [&header[..], b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"].concat();
        for cut in 1..all.len() {
            let mut connection = connection(|config| config.proxy_protocol = true);
            let mut seen = None;
            for part in [&all[..cut], &all[cut..]] {
                assert_eq!(connection.receive(part, NOW), part.len());
                while let Some(event) = connection.poll_event() {
                    if let Event::Request(request) = event {
                        seen = request.connection_info().remote_addr.ip();
                    }
                }
            }
            assert_eq!(seen.unwrap().to_string(), remote, "cut at {cut}");
            assert_eq!(connection.connection_info().remote_addr.ip(), seen);
        }
    }
    let mut connection = connection(|config| config.proxy_protocol = true);
    assert_eq!(connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", NOW), 27);
    let Some(Event::Refused(refusal)) = connection.poll_event() else { panic!() };
    assert_eq!((refusal.error(), refusal.request(), refusal.offset()), (ProtocolError::ProxyHeader, None, 0));
    assert!(matches!(connection.poll_event(), Some(Event::Closed(CloseReason::Refused(ProtocolError::ProxyHeader)))));
    assert!(connection.poll_transmit().is_none());
    assert_eq!(connection.poll_close(), Some(Close::Now));
}

#[test]
fn time_is_frozen_when_the_response_is_finished() {
    let mut connection = connection(|_| {});
    let request = request(&mut connection, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let after = |seconds| NOW.after(Duration::from_secs(seconds));
    connection.handle_time(after(3));
    assert_eq!(request.time(connection.now()), Duration::from_secs(3));
    connection.respond_with(request.id(), &ResponseHead::default(), "").unwrap();
    connection.handle_sent(1000, after(5));
    assert_eq!(request.time(connection.now()), Duration::from_secs(3));
}
