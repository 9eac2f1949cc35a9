//! Tests of the servers for HTTP Garden and Http11Probe, and of the comparison with other servers.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts a program on a port that the system chooses; the program prints the port.
    fn start(program: &str) -> Self {
        let mut child = Command::new(program).arg("0").stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Self { child, address: (Ipv4Addr::LOCALHOST, port).into() }
    }

    /// Returns the bodies of all responses, each with its status.
    fn exchange(&self, bytes: &[u8]) -> Vec<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(bytes).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let mut responses = Vec::new();
        let mut rest = text.as_str();
        while let Some((head, tail)) = rest.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
            let (body, next) = tail.split_at(length);
            responses.push((head[9..12].parse().unwrap(), body.to_owned()));
            rest = next;
        }
        responses
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn garden_responds_with_each_request_in_base64() {
    let server = Server::start(env!("CARGO_BIN_EXE_garden"));
    let responses = server.exchange(
        b"POST /a?b HTTP/1.1\r\nHost: a\r\nX: \xff\r\nx: 2\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n\
        GET / HTTP/1.0\r\n\r\n",
    );
    let [(200, first), (200, second)] = responses.as_slice() else { panic!("{responses:?}") };
    let first: Value = serde_json::from_str(first).unwrap();
    let text = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let keys = ["method", "uri", "version", "body"].map(|key| text(&first[key]));
    assert_eq!(keys, [&b"POST"[..], b"/a?b", b"1.1", b"abc"]);
    let fields: Vec<_> = first["headers"].as_array().unwrap().iter().map(|f| (text(&f[0]), text(&f[1]))).collect();
    let expected = [("Host", &b"a"[..]), ("X", b"\xff"), ("x", b"2"), ("Transfer-Encoding", b"chunked")];
    assert_eq!(fields, expected.map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())));
    assert_eq!(text(&serde_json::from_str::<Value>(second).unwrap()["version"]), b"1.0");
    let refused = server.exchange(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    assert!(refused[0].0 == 400 && serde_json::from_str::<Value>(&refused[0].1).is_err(), "{refused:?}");
    assert_eq!(server.exchange(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nConnection: close\r\n\r\n")[0].0, 405);
}

#[test]
fn probe_has_the_endpoints_of_http11probe() {
    let server = Server::start(env!("CARGO_BIN_EXE_probe"));
    let close = "Host: a\r\nConnection: close\r\n";
    for (request, expected) in [
        (format!("GET / HTTP/1.1\r\n{close}\r\n"), "OK"),
        (format!("OPTIONS / HTTP/1.1\r\n{close}\r\n"), "OK"),
        (format!("POST / HTTP/1.1\r\n{close}Content-Length: 5\r\n\r\nhello"), "hello"),
        (format!("GET /echo HTTP/1.1\r\n{close}X_y: z\r\n\r\n"), "Host: a\nConnection: close\nX_y: z\n"),
        (format!("GET /cookie HTTP/1.1\r\n{close}Cookie: foo=bar; baz=qux; x\r\n\r\n"), "foo=bar\nbaz=qux\n"),
    ] {
        assert_eq!(server.exchange(request.as_bytes()), [(200, expected.to_owned())], "{request}");
    }
}

/// In this package the server has no features, so bodies of any type are buffered unparsed.
#[test]
fn probe_returns_large_bodies_and_those_of_forms() {
    let server = Server::start(env!("CARGO_BIN_EXE_probe"));
    // The larger body is stored in a temporary file.
    let large = "0123456789abcdef".repeat(20 << 10);
    for (content_type, body) in [("text/plain", &*large), ("application/x-www-form-urlencoded", "a=1&b=%20")] {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {content_type}\r\n");
        let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
        let responses = server.exchange(request.as_bytes());
        assert!(responses == [(200, body.to_owned())], "{content_type}: {:?}", responses.first().map(|first| first.0));
    }
}

/// A table is written for each server, and the verdicts of this server are those of the corpus.
#[test]
#[ignore = "runs Python, nginx and Node.js"]
fn comparison_runs_on_a_sample() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("differences.md");
    let marks = "<!-- Written by oracle/compare: begin -->\n<!-- Written by oracle/compare: end -->\n";
    std::fs::write(&output, format!("before\n{marks}after\n")).unwrap();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("compare");
    let mut command = Command::new("python3");
    command.arg(program).args(["--every", "20", "--quiet", "0.3", "--only", "nginx", "--only", "Node.js"]);
    command.args(["--httpants", env!("CARGO_BIN_EXE_garden"), "--output"]).arg(&output);
    let result = command.output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let text = std::fs::read_to_string(output).unwrap();
    for part in ["before\n", "\nafter\n", "| nginx | ", " | proxy | ", "| Node.js | ", "| `field-name` | "] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}
