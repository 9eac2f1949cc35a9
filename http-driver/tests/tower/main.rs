//! Tests of a tower service as a handler, in memory.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod bodies;
mod on_upgrade;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use httpants_driver::protocol::cookies::KeyRing;
use httpants_driver::tower::{TowerService, Upgrade};
use httpants_driver::{Body, BodyError, BodyPolicy, BoxError, Handle, Request, Server, Upgraded};
use httpants_testkit::memory::{Client, Faults, Memory};
use tower::limit::ConcurrencyLimitLayer;
use tower::{Layer, Service, service_fn};

type TestResponse = Response<UnsyncBoxBody<Bytes, BoxError>>;

fn full(content: impl Into<Bytes>) -> TestResponse {
    Response::new(Full::new(content.into()).map_err(Into::into).boxed_unsync())
}

fn empty(status: StatusCode) -> TestResponse {
    let mut response = Response::new(Empty::new().map_err(Into::into).boxed_unsync());
    *response.status_mut() = status;
    response
}

/// A body of these frames, optionally with an error at the end.
struct Frames {
    frames: VecDeque<Frame<Bytes>>,
    breaks: bool,
    size: Option<u64>,
}

impl Frames {
    fn of(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Self {
        Self { frames: frames.into_iter().collect(), breaks: false, size: None }
    }

    fn response(self) -> TestResponse {
        Response::new(self.boxed_unsync())
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let end = self.breaks.then(|| Err("the source\nbroke".into()));
        Poll::Ready(self.frames.pop_front().map(Ok).or(end))
    }

    fn size_hint(&self) -> SizeHint {
        self.size.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn trailers(fields: &[(&'static str, &'static str)]) -> Frame<Bytes> {
    Frame::trailers(fields.iter().map(|&(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect())
}

fn data(text: &'static str) -> Frame<Bytes> {
    Frame::data(Bytes::from_static(text.as_bytes()))
}

async fn application(request: http::Request<Body>) -> Result<TestResponse, BoxError> {
    let path = request.uri().path().to_owned();
    Ok(match path.as_str() {
        "/echo" => Response::new(request.into_body().map_err(Into::into).boxed_unsync()),
        "/collect" => {
            let size = http_body::Body::size_hint(request.body()).exact();
            let collected = request.into_body().collect().await?;
            let trailers = collected.trailers().cloned().unwrap_or_default();
            full(format!("{size:?} {} {trailers:?}", collected.to_bytes().len()))
        }
        "/early" => full("early"),
        "/error" => return Err("on\npurpose".into()),
        "/broken" => Frames { breaks: true, ..Frames::of([data("half")]) }.response(),
        "/short" => Frames { size: Some(10), ..Frames::of([data("half")]) }.response(),
        "/trailers" => {
            let last = [("x-sum", "7"), ("content-length", "1"), ("transfer-encoding", "gzip"), ("expires", "0")];
            Frames::of([data("a"), data("b"), trailers(&last)]).response()
        }
        "/digests" => {
            let last =
                [("content-digest", "a"), ("x-sum", "7"), ("digest", "b"), ("repr-digest", "c"), ("content-md5", "d")];
            let mut response = Frames::of([data("a"), trailers(&last)]).response();
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
            response
        }
        "/announced-digest" => {
            let mut response = Frames::of([data("a"), trailers(&[("content-digest", "a")])]).response();
            response.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
            response.headers_mut().insert("trailer", HeaderValue::from_static("Content-Digest"));
            response
        }
        "/sized-trailers" => {
            Frames { size: Some(1), ..Frames::of([data("a"), trailers(&[("x-sum", "7")])]) }.response()
        }
        "/no-content" | "/not-modified" => {
            let mut response =
                empty(if path == "/no-content" { StatusCode::NO_CONTENT } else { StatusCode::NOT_MODIFIED });
            response.headers_mut().insert("content-length", HeaderValue::from_static("0"));
            response
        }
        "/known" => {
            let known = request.extensions().get::<Arc<Request>>().unwrap();
            known.set_signed_cookie("seen", "yes").unwrap();
            let added = request.extensions().get::<u16>().unwrap();
            full(format!("{} {added}", known.remote_ip().unwrap()))
        }
        "/no-handler" => empty(StatusCode::SWITCHING_PROTOCOLS),
        "/upgrade" => {
            let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
            response.headers_mut().insert("upgrade", HeaderValue::from_static("echo"));
            response.extensions_mut().insert(Upgrade::new(echo::<Upgraded>));
            response
        }
        "" => {
            let mut response = empty(StatusCode::OK);
            response.extensions_mut().insert(Upgrade::new(echo::<Upgraded>));
            response
        }
        _ => empty(StatusCode::NOT_FOUND),
    })
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let mut buffer = [0; 16];
    while let Ok(count @ 1..) = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await {
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            match poll_fn(|context| Pin::new(&mut stream).poll_write(context, rest)).await {
                Ok(sent) => rest = &rest[sent..],
                Err(_) => return,
            }
        }
    }
}

fn start<S>(memory: &Memory, service: S) -> Handle
where
    S: Service<http::Request<Body>, Response = TestResponse> + Clone + 'static,
    S::Error: Into<BoxError>,
{
    let service = TowerService::new(service).extend(|_, extensions| {
        extensions.insert(7_u16);
    });
    let keys = KeyRing::new(["secret"]).unwrap();
    let server = Server::with_runtime(memory.clone(), service).max_body_size(300_000);
    memory.start(server.cookie_keys(keys))
}

fn exchange(memory: &Memory, bytes: &[u8]) -> (Client, String) {
    let client = memory.connect();
    client.send(bytes);
    memory.run();
    let received = String::from_utf8(client.take_received()).unwrap();
    (client, received)
}

fn head(method: &str, path: &str, fields: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

/// Returns the response to a request without a body.
fn response(path: &str) -> String {
    let memory = Memory::new();
    start(&memory, service_fn(application));
    exchange(&memory, &head("GET", path, "")).1
}

#[test]
fn bodies_stream_both_ways_at_any_cut() {
    let content = "x".repeat(200_000);
    let length = [head("POST", "/echo", "Content-Length: 200000\r\n"), content.clone().into_bytes()].concat();
    let chunked = [
        &head("POST", "/collect", "Transfer-Encoding: chunked\r\n")[..],
        b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n",
    ]
    .concat();
    for seed in 0..8 {
        let memory = Memory::with_faults(seed, if seed == 0 { Faults::default() } else { Faults::all() });
        start(&memory, service_fn(application));
        let (client, received) = exchange(&memory, &[&length[..], &chunked, &length].concat());
        let mut parts = received.split(content.as_str());
        let first = parts.next().unwrap();
        assert!(first.ends_with("\r\nContent-Length: 200000\r\n\r\n"), "seed {seed}: {first}");
        let second = parts.next().unwrap();
        assert!(second.contains(r#"None 5 {"x-sum": "1", "x-sum": "2"}"#), "seed {seed}: {second}");
        assert_eq!(parts.collect::<Vec<_>>(), [""]);
        assert!(!client.is_ended());
    }
}

#[test]
fn buffered_form_is_readable_or_an_error() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), TowerService::new(service_fn(application)));
    memory.start(server.body_policy(|_| BodyPolicy::Buffer));
    let post = |content_type: &str, content: &str| {
        let fields = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", content.len());
        exchange(&memory, &[&head("POST", "/collect", &fields)[..], content.as_bytes()].concat()).1
    };
    assert!(post("application/x-www-form-urlencoded", "a=b").ends_with("\r\n\r\nSome(3) 3 {}"));
    let form = |text: &str| format!("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{text}\r\n--x--\r\n");
    let (small, large) = (form("b"), form(&"b".repeat(300_000)));
    assert!(post("multipart/form-data; boundary=x", &small).ends_with(&format!("Some({0}) {0} {{}}", small.len())));
    assert!(post("multipart/form-data; boundary=x", &large).starts_with("HTTP/1.1 500 "));
}

#[test]
fn size_hint_is_exact_with_content_length() {
    let memory = Memory::new();
    start(&memory, service_fn(application));
    let request = [&head("PUT", "/collect", "Content-Length: 2\r\n")[..], b"hi"].concat();
    assert!(exchange(&memory, &request).1.ends_with("\r\n\r\nSome(2) 2 {}"));
    assert!(exchange(&memory, &head("PUT", "/collect", "")).1.ends_with("\r\n\r\nSome(0) 0 {}"));
}

#[test]
fn continue_is_sent_when_the_body_is_polled() {
    let memory = Memory::new();
    start(&memory, service_fn(application));
    let expect =
        |path: &str, length: u32| head("POST", path, &format!("Expect: 100-continue\r\nContent-Length: {length}\r\n"));
    let (client, received) = exchange(&memory, &expect("/collect", 2));
    assert_eq!(received, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(b"hi");
    memory.run();
    assert!(client.take_received().ends_with(b"Some(2) 2 {}"));
    let (client, received) = exchange(&memory, &expect("/early", 2));
    assert!(received.starts_with("HTTP/1.1 200 OK\r\n") && received.contains("\r\nConnection: close\r\n"));
    assert!(client.is_ended());
    let (_client, received) = exchange(&memory, &expect("/collect", 300_001));
    assert!(received.starts_with("HTTP/1.1 413 "), "{received}");
}

#[test]
fn too_large_body_is_refused_when_polled() {
    let memory = Memory::new();
    let error = Rc::new(RefCell::new(None));
    let seen = Rc::clone(&error);
    start(
        &memory,
        service_fn(move |request: http::Request<Body>| {
            let seen = Rc::clone(&seen);
            async move {
                *seen.borrow_mut() = request.into_body().collect().await.err();
                Ok::<_, BoxError>(full("too late"))
            }
        }),
    );
    let announced = head("POST", "/", "Content-Length: 300001\r\n");
    let grown = [
        head("POST", "/", "Transfer-Encoding: chunked\r\n"),
        format!("493e1\r\n{}\r\n0\r\n\r\n", "x".repeat(300_001)).into_bytes(),
    ]
    .concat();
    for request in [announced, grown] {
        let (client, received) = exchange(&memory, &request);
        assert!(received.starts_with("HTTP/1.1 413 ") && !received.contains("too late"), "{received}");
        assert!(client.is_ended());
        let fault = error.take().as_ref().and_then(BodyError::protocol_error);
        assert_eq!(fault.map(|fault| fault.status().as_u16()), Some(413));
    }
}

#[test]
fn truncated_body_is_an_error() {
    let memory = Memory::new();
    let outcome = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&outcome);
    start(
        &memory,
        service_fn(move |request: http::Request<Body>| {
            let seen = Rc::clone(&seen);
            async move {
                let cut_off = request.into_body().collect().await.is_err();
                seen.borrow_mut().push(cut_off);
                Ok::<_, BoxError>(full("too late"))
            }
        }),
    );
    for fields in ["Content-Length: 10\r\n", "Transfer-Encoding: chunked\r\n"] {
        let (client, received) = exchange(&memory, &[&head("POST", "/", fields)[..], b"5\r\nhel"].concat());
        assert_eq!(received, "");
        client.end();
        memory.run();
        assert!(client.is_closed() && client.take_received().is_empty());
    }
    assert_eq!(*outcome.borrow(), [true, true]);
}

#[test]
fn service_is_called_once_it_is_ready() {
    let memory = Memory::new();
    let (running, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let (count, peak) = (Rc::clone(&running), Rc::clone(&most));
    let service = service_fn(move |request: http::Request<Body>| {
        let (count, peak) = (Rc::clone(&count), Rc::clone(&peak));
        async move {
            count.set(count.get() + 1);
            peak.set(peak.get().max(count.get()));
            let collected = request.into_body().collect().await;
            count.set(count.get() - 1);
            collected.map(|_| full("done"))
        }
    });
    start(&memory, ConcurrencyLimitLayer::new(2).layer(service));
    let clients = [(); 5].map(|()| exchange(&memory, &head("POST", "/", "Content-Length: 1\r\n")).0);
    assert_eq!(running.get(), 2, "the others wait for the service");
    for client in &clients {
        client.send(b"x");
        memory.run();
    }
    assert!(clients.iter().all(|client| client.take_received().ends_with(b"done")));
    assert_eq!((running.get(), most.get()), (0, 2));
}

#[test]
fn failures_are_500_or_break_the_connection() {
    assert!(response("/error").starts_with("HTTP/1.1 500 "));
    assert!(response("/no-handler").starts_with("HTTP/1.1 500 "));
    for path in ["/error", "/no-handler"] {
        let memory = Memory::new();
        start(&memory, service_fn(application));
        let (_client, received) = exchange(&memory, &head("HEAD", path, ""));
        assert!(received.starts_with("HTTP/1.1 500 ") && received.ends_with("\r\n\r\n"), "{path}: {received}");
    }
    for (path, cut_off) in [("/broken", "\r\n\r\n4\r\nhalf\r\n"), ("/short", "Content-Length: 10\r\n\r\nhalf")] {
        let memory = Memory::new();
        start(&memory, service_fn(application));
        let (client, received) = exchange(&memory, &[head("GET", path, ""), head("GET", "/early", "")].concat());
        assert!(received.starts_with("HTTP/1.1 200 ") && received.ends_with(cut_off), "{path}: {received}");
        assert!(client.is_ended());
    }
}

#[test]
fn errors_of_the_server_have_the_page_of_the_application() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), TowerService::new(service_fn(application)));
    memory.start(server.on_error(|error, _| Some(format!("page: {error}").into())));
    for (request, status, end) in [
        (head("GET", "/error", ""), 500, "page: Internal Server Error"),
        (head("GET", "/no-handler", ""), 500, "page: Internal Server Error"),
        (head("GET", "/a b", ""), 400, "target, one space, version (RFC 9112 3)"),
        (head("GET", "/missing", ""), 404, "\r\n\r\n"),
    ] {
        let (_client, received) = exchange(&memory, &request);
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")) && received.ends_with(end), "{received}");
    }
}

#[test]
fn trailer_fields_follow_a_chunked_body() {
    assert!(response("/trailers").ends_with("\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nx-sum: 7\r\n\r\n"));
    assert!(response("/sized-trailers").ends_with("\r\nContent-Length: 1\r\n\r\na"));
}

#[test]
fn bodiless_responses_have_no_body() {
    let memory = Memory::new();
    start(&memory, service_fn(application));
    for path in ["/early", "/echo", "/trailers", "/broken"] {
        let (client, received) = exchange(&memory, &head("HEAD", path, ""));
        assert!(received.starts_with("HTTP/1.1 200 ") && received.ends_with("\r\n\r\n"), "{path}: {received}");
        assert_eq!(received.contains("Content-Length: 5"), path == "/early");
        assert!(!client.is_ended());
    }
    for path in ["/no-content", "/not-modified"] {
        let (_client, received) = exchange(&memory, &head("GET", path, ""));
        assert!(received.ends_with("\r\n\r\n") && !received.to_lowercase().contains("content-length"), "{received}");
    }
}

#[test]
fn extensions_contain_the_request() {
    let received = response("/known");
    assert!(received.ends_with("\r\n\r\n192.0.2.1 7"), "{received}");
    assert!(received.contains("\r\nSet-Cookie: seen="));
}

/// A body that never yields anything, and records its drop.
struct Silent(Arc<AtomicBool>);

impl http_body::Body for Silent {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Pending
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn body_is_dropped_when_the_client_disconnects() {
    let memory = Memory::new();
    let dropped = Arc::new(AtomicBool::new(false));
    let is_dropped = Arc::clone(&dropped);
    start(
        &memory,
        service_fn(move |_: http::Request<Body>| {
            let response = Response::new(Silent(Arc::clone(&is_dropped)).boxed_unsync());
            async { Ok::<_, BoxError>(response) }
        }),
    );
    let (client, received) = exchange(&memory, &head("GET", "/", ""));
    assert!(received.ends_with("\r\n\r\n"), "the head was sent");
    assert!(!dropped.load(Ordering::Relaxed));
    client.reset();
    memory.run();
    assert!(dropped.load(Ordering::Relaxed));
}

#[test]
fn service_may_handle_an_upgrade() {
    let memory = Memory::new();
    start(&memory, service_fn(application));
    for request in [
        head("GET", "/upgrade", "Connection: upgrade\r\nUpgrade: echo\r\n"),
        b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n".to_vec(),
    ] {
        let (client, received) = exchange(&memory, &[&request[..], b"early "].concat());
        assert!(received.ends_with("\r\n\r\nearly "), "{received}");
        client.send(b"late");
        memory.run();
        assert_eq!(client.take_received(), b"late");
    }
}

/// A router with a page for every path also responds 2xx to CONNECT, but opens no tunnel.
#[test]
fn success_to_connect_without_upgrade_is_501() {
    for content in ["", "a page"] {
        let memory = Memory::new();
        // The future of the service keeps the request, with all extensions, until it is dropped.
        let service = service_fn(move |request: http::Request<Body>| {
            let mut held = Some(request);
            poll_fn(move |_| {
                assert!(held.as_mut().is_some());
                Poll::Ready(Ok::<_, BoxError>(full(content)))
            })
        });
        let handle = start(&memory, service);
        let (client, received) = exchange(&memory, b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
        assert!(received.starts_with("HTTP/1.1 501 "), "{received}");
        drop(client);
        memory.run();
        assert_eq!(handle.counters().tunnels_refused, 1);
    }
}

#[test]
fn invalid_header_is_a_failure() {
    let memory = Memory::new();
    start(
        &memory,
        service_fn(async |_: http::Request<Body>| {
            let mut response = full("x");
            let mut fields = HeaderMap::new();
            fields.insert("transfer-encoding", HeaderValue::from_static("gzip"));
            *response.headers_mut() = fields;
            Ok::<_, BoxError>(response)
        }),
    );
    assert!(exchange(&memory, &head("GET", "/", "")).1.starts_with("HTTP/1.1 500 "));
}
