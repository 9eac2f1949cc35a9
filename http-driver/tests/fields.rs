//! Tests of response fields.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use httpants_driver::protocol::proxy::XHeaders;
use httpants_driver::{Misuse, Request, Response, Server};
use httpants_testkit::memory::Memory;

#[test]
fn signed_cookie_removal_has_its_attributes() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), |request: Request| async move {
        let lifetime = Duration::from_secs(60);
        if request.path() == "/set" {
            request.set_signed_cookie("a", "1")?;
            request.set_signed_cookie("__Host-a", "1")?;
            request.set_signed_cookie_with("b", "1", lifetime, |cookie| cookie.path("/b").secure(false))?;
        } else {
            request.remove_signed_cookie("a")?;
            request.remove_signed_cookie("__Host-a")?;
            request.remove_signed_cookie_with("b", |cookie| cookie.path("/b").secure(false))?;
        }
        Ok::<_, Misuse>("done")
    });
    let server = server.cookie_secrets(["a secret"]).unwrap().xheaders(XHeaders::TrustAll);
    memory.start(server);
    let attributes = |path: &str, scheme: &str| {
        let client = memory.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: {scheme}\r\n\r\n").as_bytes());
        memory.run();
        let received = String::from_utf8(client.take_received()).unwrap();
        let lines = received.lines().filter_map(|line| line.strip_prefix("Set-Cookie: "));
        let attributes = lines.map(|line| {
            let (name, rest) = line.split_once('=').unwrap();
            let (_, attributes) = rest.split_once("; ").unwrap();
            format!("{name}: {}", attributes.split("; Max-Age").next().unwrap())
        });
        attributes.collect::<Vec<_>>()
    };
    for (scheme, secure) in [("http", ""), ("https", "; Secure")] {
        let expected = [
            format!("a: HttpOnly; SameSite=Lax{secure}; Path=/"),
            "__Host-a: HttpOnly; SameSite=Lax; Secure; Path=/".to_owned(),
            "b: HttpOnly; SameSite=Lax; Path=/b".to_owned(),
        ];
        assert_eq!(attributes("/set", scheme), expected, "{scheme}");
        assert_eq!(attributes("/remove", scheme), expected, "{scheme}");
    }
}

#[test]
fn redirect_percent_encodes_its_location() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), |_: Request| async {
        Response::redirect("/\u{fc} %41%\\\r\nX-Injected: 1")
    });
    memory.start(server);
    let client = memory.connect();
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    memory.run();
    let received = String::from_utf8(client.take_received()).unwrap();
    assert!(received.starts_with("HTTP/1.1 302 Found\r\n"), "{received}");
    assert!(received.contains("\r\nLocation: /%C3%BC%20%41%25%5C%0D%0AX-Injected:%201\r\n"), "{received}");
}

#[test]
fn signed_cookies_are_secure_over_https() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), |request: Request| async move {
        request.set_signed_cookie("a", "1")?;
        request.set_signed_cookie_with("b", "1", Duration::from_secs(60), |cookie| cookie.secure(false))?;
        Ok::<_, Misuse>("done")
    });
    memory.start(server.xheaders(XHeaders::TrustAll));
    for (scheme, secure) in [("http", false), ("https", true)] {
        let client = memory.connect();
        client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: {scheme}\r\n\r\n").as_bytes());
        memory.run();
        let received = String::from_utf8(client.take_received()).unwrap();
        let line = |name: &str| received.lines().find(|line| line.contains(name)).unwrap().contains("; Secure");
        assert_eq!((line("Set-Cookie: a="), line("Set-Cookie: b=")), (secure, false), "{received}");
    }
}
