//! The measurements of each proxy: one function for each row of the table.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tungstenite::Message;

use super::proxy::{Kind, Proxy};
use super::relay::Relay;
use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::process::wait_until;
use crate::programs::curl;

/// A proxy for a demo, with a relay between them.
struct Site {
    proxy: Proxy,
    relay: Relay,
    demo: Demo,
    root: TempDir,
}

/// Size of the first part of an upload. Apache forwards bytes when it has at least 16 KiB.
const FIRST: usize = 64 << 10;

/// Returns a name that is written differently in paths, URLs and header fields, and its path. Caddy
/// interprets `?` in a field as the beginning of a query.
fn file(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Caddy => ("a b%25#\u{fc}+.txt", "/file/a%20b%2525%23%C3%BC+.txt"),
        _ => ("a b%25?#\u{fc}+.txt", "/file/a%20b%2525%3F%23%C3%BC+.txt"),
    }
}

impl Site {
    fn start(kind: Kind, runtime: &str, flags: &[&str]) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
        fs::write(root.path().join(file(kind).0), "0123456789").unwrap();
        let directory = fs::canonicalize(root.path()).unwrap();
        let flags = [flags, &["--runtime", runtime, "--file-root", directory.to_str().unwrap()]].concat();
        let demo = Demo::start(&flags);
        let relay = Relay::start(demo.address());
        let proxy = Proxy::start(kind, relay.address(), &directory);
        Self { proxy, relay, demo, root }
    }

    fn connect(&self) -> Client {
        Client::connect(self.proxy.address())
    }
}

/// Returns how long to wait: longer for an event that should happen than for one that should not.
fn patience(expected: &str) -> Duration {
    if expected == "no" { Duration::from_secs(2) } else { PATIENCE }
}

fn yes(is_so: bool) -> String {
    if is_so { "yes".into() } else { "no".into() }
}

/// Returns the client address and the scheme that the demo reports for a client at 127.0.0.2 that
/// sends forged fields.
fn seen(site: &Site, scheme: &str) -> (Value, Value) {
    let mut arguments = vec!["--insecure", "--interface", "127.0.0.2"];
    for field in [
        "X-Forwarded-For: 192.0.2.66",
        "X-Forwarded-Proto: gopher",
        "X-Real-IP: 192.0.2.66",
        "Forwarded: for=192.0.2.66;proto=gopher",
    ] {
        arguments.extend(["--header", field]);
    }
    let url = format!("{}/x", site.proxy.url(scheme));
    arguments.push(&url);
    let report: Value = serde_json::from_str(&curl(&arguments, b"")).unwrap();
    (report["remote_ip"].clone(), report["scheme"].clone())
}

fn is_seen(site: &Site) -> String {
    yes(["http", "https"].into_iter().all(|scheme| seen(site, scheme) == ("127.0.0.2".into(), scheme.into())))
}

pub(super) fn x_forwarded(kind: Kind, runtime: &str) -> String {
    is_seen(&Site::start(kind, runtime, &["--xheaders", "127.0.0.1"]))
}

pub(super) fn forwarded(kind: Kind, runtime: &str) -> String {
    is_seen(&Site::start(kind, runtime, &["--xheaders", "127.0.0.1", "--xheaders-from", "forwarded"]))
}

/// Returns the version of the PROXY protocol in which the demo, which has TLS itself, receives the
/// client's address.
pub(super) fn proxy_protocol(kind: Kind, runtime: &str) -> String {
    let certified = crate::tls::Certified::new();
    let (certificate, key) = (certified.text("server.pem"), certified.text("server.key"));
    let site = Site::start(kind, runtime, &["--proxy-protocol", "--tls-cert", &certificate, "--tls-key", &key]);
    assert_eq!(seen(&site, "https"), ("127.0.0.2".into(), "https".into()));
    // The other connections, which check whether the port is open, come from 127.0.0.1.
    let received = site.relay.received();
    let begins_with = |front: &[u8]| received.iter().any(|header| header.starts_with(front));
    match (begins_with(b"PROXY TCP4 127.0.0.2 "), begins_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x02")) {
        (true, false) => "v1".into(),
        (false, true) => "v2".into(),
        both => panic!("headers of version 1 and 2: {both:?}, of {} connections", received.len()),
    }
}

/// Returns the response header field for which the proxy sends a file.
pub(super) fn sent_files(kind: Kind, runtime: &str) -> String {
    let flags: &[&str] = match kind {
        Kind::Nginx | Kind::NginxBuffered => &["--sendfile-prefix", "/private"],
        Kind::Caddy => &["--sendfile-prefix", "/", "--sendfile-unescaped"],
        _ => &["--sendfile-unescaped"],
    };
    let (_, path) = file(kind);
    let mut sent = ["X-Accel-Redirect", "X-Sendfile"].into_iter().filter(|field| {
        let site = Site::start(kind, runtime, &[&["--sendfile", field], flags].concat());
        let mut client = site.connect();
        let response = client.get(path);
        if response.text() != "0123456789" {
            return false;
        }
        assert_eq!((response.status, response.header(field)), (200, None), "{field}");
        assert!(!site.relay.received().is_empty());
        let response = client.request("GET", path, "Range: bytes=3-5\r\n", "");
        assert_eq!((response.status, response.text()), (206, "345"), "ranges are the proxy's");
        assert_eq!(client.get("/file/none").status, 404);
        let direct = client.get(&path.replace("/file", "/private"));
        assert_ne!(direct.text(), "0123456789", "the file has no other address");
        assert!(site.root.path().join(file(kind).0).exists());
        true
    });
    sent.next().unwrap_or("no").into()
}

/// Returns whether connections to the demo are kept open, across client connections or within one.
pub(super) fn kept_connections(kind: Kind, runtime: &str) -> String {
    let site = Site::start(kind, runtime, &[]);
    let mut client = site.connect();
    for _ in 0..20 {
        assert_eq!(client.get("/plaintext").text(), "Hello, World!");
    }
    drop(client);
    let within_one = site.relay.received().len();
    for _ in 0..20 {
        assert_eq!(site.connect().get("/plaintext").text(), "Hello, World!");
    }
    match (within_one, site.relay.received().len()) {
        (1, 1..=5) => "yes".into(),
        (1, 21) => "of one client".into(),
        counts => format!("{counts:?}"),
    }
}

/// Returns whether the first bytes of an upload reach the demo before the last are sent.
pub(super) fn streamed_uploads(kind: Kind, runtime: &str, expected: &str) -> String {
    let site = Site::start(kind, runtime, &[]);
    let mut client = site.connect();
    let first = "x".repeat(FIRST - 1) + "y";
    client.send(format!("POST /echo-len HTTP/1.1\r\nHost: demo.test\r\nContent-Length: 200000\r\n\r\n{first}"));
    let arrives = || {
        let received = site.relay.received();
        received.iter().any(|bytes| bytes.ends_with(b"xy"))
    };
    let is_streamed = if expected == "no" {
        std::thread::sleep(patience(expected));
        arrives()
    } else {
        wait_until("the first bytes arrive", arrives);
        true
    };
    client.send("x".repeat(200_000 - FIRST));
    assert_eq!(client.response().text(), "200000");
    yes(is_streamed)
}

/// Returns whether a 413 of the demo reaches a client that is still sending.
pub(super) fn early_413(kind: Kind, runtime: &str, expected: &str) -> String {
    let site = Site::start(kind, runtime, &["--max-request", "1000"]);
    let mut client = site.connect();
    client.stream().set_read_timeout(Some(patience(expected))).unwrap();
    let head = "POST /echo-len HTTP/1.1\r\nHost: demo.test\r\nContent-Length: 100000000\r\n\r\n";
    client.send(head.to_owned() + &"x".repeat(FIRST));
    status(&mut client, 413)
}

/// Returns whether a 413 of the demo reaches a client that reads only after it has sent 10 MB.
pub(super) fn late_413(kind: Kind, runtime: &str) -> String {
    let site = Site::start(kind, runtime, &["--max-request", "1000"]);
    let mut client = site.connect();
    client.send("POST /echo-len HTTP/1.1\r\nHost: demo.test\r\nContent-Length: 10000000\r\n\r\n");
    // The proxy may close before everything is sent; only the response matters then.
    let _ = client.try_send("x".repeat(10_000_000));
    status(&mut client, 413)
}

/// Returns whether a 408 of the demo reaches a client that stops sending.
pub(super) fn slow_408(kind: Kind, runtime: &str, expected: &str) -> String {
    let site = Site::start(kind, runtime, &["--body-timeout", "0.3"]);
    let mut client = site.connect();
    client.stream().set_read_timeout(Some(patience(expected))).unwrap();
    let head = "POST /echo-len HTTP/1.1\r\nHost: demo.test\r\nContent-Length: 1000000\r\n\r\n";
    client.send(head.to_owned() + &"x".repeat(FIRST));
    status(&mut client, 408)
}

fn status(client: &mut Client, expected: u16) -> String {
    match client.try_response("POST") {
        Ok(Some(response)) if response.status == expected => "yes".into(),
        Ok(Some(response)) => response.status.to_string(),
        Ok(None) => "closed".into(),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {
            "no".into()
        }
        Err(error) => error.to_string(),
    }
}

/// Returns whether the first bytes of a response that takes minutes reach the client at once.
pub(super) fn streamed_responses(kind: Kind, runtime: &str) -> String {
    let site = Site::start(kind, runtime, &[]);
    let mut client = site.connect();
    client.send("GET /stream?chunks=1000&size=10&delay=300 HTTP/1.1\r\nHost: demo.test\r\n\r\n");
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"xxxxxxxxxx") {
        bytes.extend(client.bytes(1));
    }
    yes(bytes.starts_with(b"HTTP/1.1 200 OK\r\n"))
}

/// Returns whether a WebSocket is usable in both directions, and closed by either side.
pub(super) fn websockets(kind: Kind, runtime: &str) -> String {
    let site = Site::start(kind, runtime, &[]);
    let stream = TcpStream::connect(site.proxy.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let url = format!("ws://{}/ws", site.proxy.address());
    let Ok((mut socket, response)) = tungstenite::client(url, stream) else { return "no".into() };
    assert_eq!(response.status(), 101);
    for message in [Message::text("hello"), Message::binary(vec![0xA5; 1 << 20])] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
    }
    site.demo.terminate();
    let closed = socket.read().unwrap();
    assert!(matches!(closed, Message::Close(Some(frame)) if u16::from(frame.code) == 1001), "a shutdown is announced");
    "yes".into()
}
