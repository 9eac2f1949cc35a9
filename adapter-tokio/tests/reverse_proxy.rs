//! Test of the example `reverse_proxy` between a client and an upstream server, on real sockets.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may panic")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use futures_util::stream;
use httpants_tokio::{BodyPolicy, BoxError, Bytes, FieldLines, Handle, Handler, Request, Response, Server};

#[allow(dead_code, reason = "its main function is not called")]
#[path = "../examples/reverse_proxy.rs"]
mod example;

const MIB: usize = 1 << 20;

/// A server on another thread, shut down on drop.
struct Running {
    address: SocketAddr,
    handle: Handle,
}

impl Running {
    fn start(handler: impl Handler<Future: Send> + Send + Sync) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let bound = Server::new(handler).max_body_size(1 << 30).listener(socket).bind().unwrap();
        let handle = bound.handle();
        thread::spawn(move || bound.run().unwrap());
        Self { address, handle }
    }

    fn before(upstream: SocketAddr) -> Self {
        Self::start(example::proxy(upstream.to_string().parse().unwrap(), "edge".parse().unwrap()))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream
    }

    /// Sends bytes and returns what was received until the server closed.
    fn ask(&self, bytes: impl AsRef<[u8]>) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes.as_ref()).unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).unwrap();
        received
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handle.close();
    }
}

/// The upstream server: streams bodies, and records what it received.
struct Upstream;

impl Handler for Upstream {
    type Output = Response;
    type Future = std::pin::Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(&self, request: Request) -> Self::Future {
        Box::pin(respond(request))
    }

    fn body_policy(&self, _: &httpants_tokio::RequestHead) -> BodyPolicy {
        BodyPolicy::Stream
    }
}

async fn respond(mut request: Request) -> Response {
    match request.path() {
        "/echo" => Response::stream(request.into_body()),
        "/fields" => {
            let lines = request.headers().iter_raw().map(|(name, value)| format!("{name}: {}", value.escape_ascii()));
            let mut lines: Vec<String> = lines.collect();
            lines.sort_unstable();
            Response::text(lines.join("\n")).with_header("X-Path", request.url())
        }
        "/broken" => Response::stream(stream::iter([Ok::<_, BoxError>(Bytes::from("half")), Err("broken".into())])),
        "/trailers" => {
            let _ = request.body_mut().bytes().await;
            let sum = request.trailers().text("X-Sum").unwrap_or("none").to_owned();
            let mut responder = request.responder();
            let mut trailers = FieldLines::new();
            let sent = trailers.push("X-Sum-Back", &sum).and(responder.send_status(200));
            match (sent, responder.send(sum).await) {
                (Ok(()), Ok(())) => responder.finish_with_trailers(&trailers).await.into(),
                (Err(misuse), _) | (_, Err(misuse)) => misuse.into(),
            }
        }
        _ => Response::new(404),
    }
}

fn text(received: &[u8]) -> String {
    String::from_utf8_lossy(received).into_owned()
}

/// Returns the head and the content of a response.
fn parts(received: &[u8]) -> (String, &[u8]) {
    let end = received.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    (text(&received[..end]).to_ascii_lowercase(), &received[end + 4..])
}

#[test]
fn bodies_are_streamed_both_ways() {
    let upstream = Running::start(Upstream);
    let proxy = Running::before(upstream.address);
    let mut stream = proxy.connect();
    write!(stream, "POST /echo HTTP/1.0\r\nHost: a\r\nContent-Length: {}\r\n\r\n", 64 * MIB).unwrap();
    let piece: Vec<u8> = (0..MIB).map(|index| (index % 251) as u8).collect();
    stream.write_all(&piece).unwrap();
    // The response begins while most of the request is not sent yet.
    let mut received = vec![0; MIB / 2];
    stream.read_exact(&mut received).unwrap();
    let mut reader = stream.try_clone().unwrap();
    let reading = thread::spawn(move || reader.read_to_end(&mut received).map(|_| received));
    for _ in 1..64 {
        stream.write_all(&piece).unwrap();
    }
    let received = reading.join().unwrap().unwrap();
    let (head, content) = parts(&received);
    assert!(head.starts_with("http/1.0 200 "), "{head}");
    assert!(content == piece.repeat(64), "{} bytes", content.len());
}

#[test]
fn connection_fields_are_not_passed_on() {
    let upstream = Running::start(Upstream);
    let proxy = Running::before(upstream.address);
    let request = "GET /fields?a=b HTTP/1.1\r\nHost: a.example\r\nConnection: close, X-Hop, Cookie\r\nX-Hop: 1\r\nX-End: 2\r\n\
        Cookie: c=d\r\nKeep-Alive: timeout=1\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Forwarded-For: 10.0.0.1\r\n\
        Forwarded: for=10.0.0.1\r\nVia: 1.0 cache\r\n\r\n";
    let received = proxy.ask(request);
    let (head, content) = parts(&received);
    assert!(head.contains("\r\nx-path: /fields?a=b") && head.contains("\r\nconnection: close"), "{head}");
    assert_eq!(
        text(content),
        "cookie: c=d\nhost: a.example\nvia: 1.0 cache, 1.1 edge\nx-end: 2\nx-forwarded-for: 127.0.0.1\n\
         x-forwarded-host: a.example\nx-forwarded-proto: http"
    );
}

#[test]
fn upstream_connection_fields_are_not_passed_back() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Running::before(socket.local_addr().unwrap());
    let serving = thread::spawn(move || {
        let (mut stream, _) = socket.accept().unwrap();
        let mut head = [0; 4096];
        let length = stream.read(&mut head).unwrap();
        let response =
            b"HTTP/1.1 200 OK\r\nConnection: close, x-hop, set-cookie\r\nX-Hop: 1\r\nKeep-Alive: a\r\nTrailer: b\r\n\
            Proxy-Authenticate: Basic\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nhi";
        stream.write_all(response).unwrap();
        text(&head[..length])
    });
    let received = proxy.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let (head, content) = parts(&received);
    assert_eq!((content, head.lines().next()), (&b"hi"[..], Some("http/1.1 200 ok")));
    assert!(head.contains("\r\nset-cookie: c=d") && head.contains("\r\nconnection: close"), "{head}");
    assert!(head.contains("\r\nvia: 1.1 edge"), "{head}");
    for name in ["x-hop", "keep-alive", "trailer", "proxy-authenticate"] {
        assert!(!head.contains(&format!("\r\n{name}:")), "{head}");
    }
    assert!(serving.join().unwrap().starts_with("GET / HTTP/1.1\r\n"));
}

#[test]
fn trailers_are_passed_on() {
    let upstream = Running::start(Upstream);
    let proxy = Running::before(upstream.address);
    let request = "POST /trailers HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n\
        2\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n";
    let received = text(&proxy.ask(request)).to_ascii_lowercase();
    assert!(received.contains("\r\n1\r\n7\r\n0\r\nx-sum-back: 7\r\n\r\n"), "{received}");
}

#[test]
fn unreachable_upstream_is_502() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Running::before(socket.local_addr().unwrap());
    drop(socket);
    let received = text(&proxy.ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert!(received.starts_with("HTTP/1.1 502 "), "{received}");
}

#[test]
fn aborted_upstream_response_is_aborted_downstream() {
    let upstream = Running::start(Upstream);
    let proxy = Running::before(upstream.address);
    let received = text(&proxy.ask("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert!(received.starts_with("HTTP/1.1 200 ") && received.ends_with("\r\n4\r\nhalf\r\n"), "{received}");
}

#[test]
fn connect_is_not_passed_on() {
    let upstream = Running::start(Upstream);
    let proxy = Running::before(upstream.address);
    let received = text(&proxy.ask("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\nConnection: close\r\n\r\n"));
    assert!(received.starts_with("HTTP/1.1 501 "), "{received}");
}
