//! `in_memory PEER CASE ITERATIONS`: exchanges of other protocol code, without a socket, as
//! `exchange` does them for httpants. `in_memory.py` measures them.

use std::cell::Cell;
use std::convert::Infallible;
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::header::{self, HeaderValue};

const MIN: &str = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
const WRK: &str = "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n";
const BROWSER: &str = concat!(
    "GET /plaintext HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n",
    "sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n",
    "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 ",
    "Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n",
    "Cookie: session=4f1c9a7be2d84c0fa1b2c3d4e5f60718; theme=dark; csrftoken=Zm9vYmFyYmF6cXV4\r\n\r\n",
);
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\
    date: Sun, 22 Nov 2026 13:00:00 GMT\r\n\r\nHello, World!";
const MIB: usize = 1 << 20;
/// Maximum size of one read of a socket.
const PIECE: usize = 64 << 10;
/// The time, which http-net and httpants get as an argument.
const NOW: u64 = 1_795_352_400;

fn input(case: &str) -> Option<Vec<u8>> {
    let upload = |framing: &str, body: Vec<u8>| {
        [format!("POST /upload HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n").into_bytes(), body].concat()
    };
    Some(match case {
        "min" => MIN.into(),
        "wrk" => WRK.into(),
        "browser" => BROWSER.into(),
        "wrk-x16" => WRK.repeat(16).into(),
        "browser-x16" => BROWSER.repeat(16).into(),
        "content-length-1m" => upload(&format!("Content-Length: {MIB}"), vec![b'x'; MIB]),
        "chunked-4k-1m" => {
            let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
            upload("Transfer-Encoding: chunked", [chunk.repeat(MIB / 4096), b"0\r\n\r\n".to_vec()].concat())
        }
        _ => return None,
    })
}

/// The head parser of most Rust servers and a constant response: the least that a server does.
fn httparse(input: &[u8], iterations: u64) {
    let mut out = Vec::with_capacity(PIECE);
    for _ in 0..iterations {
        let mut rest = black_box(input);
        out.clear();
        while !rest.is_empty() {
            let mut fields = [httparse::EMPTY_HEADER; 64];
            let mut request = httparse::Request::new(&mut fields);
            let httparse::Status::Complete(length) = request.parse(rest).expect("a head") else {
                panic!("a whole head")
            };
            let mut closes = false;
            for field in request.headers.iter() {
                closes |= field.name.eq_ignore_ascii_case("connection") && field.value == b"close";
                assert!(!field.name.eq_ignore_ascii_case("content-length"));
                assert!(!field.name.eq_ignore_ascii_case("transfer-encoding"));
            }
            assert!(!closes);
            black_box(request.path);
            out.extend_from_slice(RESPONSE);
            rest = &rest[length..];
        }
        black_box(&out);
    }
}

fn http_net_response() -> http_net::Response {
    http_net::Response::new(200).header("server", "x").header("content-type", "text/plain").body(&b"Hello, World!"[..])
}

/// http-net as fast as it can be driven: its own receive buffer, a response that is built once.
fn http_net_best(input: &[u8], iterations: u64) {
    use http_net::{DateCache, Limits, ServerConn, ServerEvent};
    let (response, mut dates) = (http_net_response(), DateCache::new());
    let limits = Limits::new().with_max_body(2 << 20);
    let mut connection = ServerConn::with_buffer(Vec::with_capacity(limits.buffer_capacity()), limits);
    let mut out = Vec::with_capacity(PIECE);
    for _ in 0..iterations {
        let mut rest = black_box(input);
        out.clear();
        while !rest.is_empty() {
            let room = connection.read_buf();
            let count = room.len().min(rest.len()).min(PIECE);
            room[..count].copy_from_slice(&rest[..count]);
            connection.commit(count);
            rest = &rest[count..];
            loop {
                match connection.poll().expect("a request") {
                    ServerEvent::Request(request) => {
                        black_box(request.path());
                    }
                    ServerEvent::Body(body) => {
                        black_box(body);
                    }
                    ServerEvent::RequestEnd => {
                        let date = dates.update(black_box(NOW));
                        connection.respond_into(&response, Some(date), &mut out).expect("a response");
                        if connection.remaining_input().is_empty() && connection.keep_alive() {
                            break;
                        }
                    }
                    ServerEvent::NeedInput => break,
                    event => panic!("{event:?}"),
                }
            }
        }
        black_box(&out);
    }
}

/// http-net as its documentation uses it.
fn http_net_ordinary(input: &[u8], iterations: u64) {
    use http_net::{DateCache, Limits, Response, ServerConn, ServerEvent};
    let mut dates = DateCache::new();
    let mut connection = ServerConn::with_buffer(Vec::new(), Limits::new().with_max_body(2 << 20));
    let mut out = Vec::with_capacity(PIECE);
    for _ in 0..iterations {
        let mut rest = black_box(input);
        out.clear();
        loop {
            match connection.poll().expect("a request") {
                ServerEvent::Request(request) => {
                    black_box(request.path());
                }
                ServerEvent::Body(body) => {
                    black_box(body);
                }
                ServerEvent::RequestEnd => {
                    let response = Response::text(200, "Hello, World!").header("server", "x");
                    let date = dates.update(black_box(NOW));
                    connection.respond_with_date(&response, date, &mut out).expect("a response");
                }
                ServerEvent::NeedInput if rest.is_empty() => break,
                ServerEvent::NeedInput => rest = &rest[connection.feed(&rest[..rest.len().min(PIECE)])..],
                event => panic!("{event:?}"),
            }
        }
        black_box(&out);
    }
}

/// The codec of actix-web, without its dispatcher.
fn actix_codec(input: &[u8], iterations: u64) {
    use actix_http::body::BodySize;
    use actix_http::h1::{Codec, Message};
    use tokio_util::codec::{Decoder, Encoder};
    actix_rt::System::new().block_on(async {
        let mut codec = Codec::default();
        let (mut received, mut out) = (BytesMut::with_capacity(PIECE), BytesMut::with_capacity(PIECE));
        for _ in 0..iterations {
            received.extend_from_slice(black_box(input));
            while let Some(Message::Item(request)) = codec.decode(&mut received).expect("a request") {
                black_box(request.path());
                let response = actix_http::Response::build(actix_http::StatusCode::OK)
                    .insert_header((actix_http::header::SERVER, "x"))
                    .insert_header((actix_http::header::CONTENT_TYPE, "text/plain"))
                    .message_body(())
                    .expect("a response");
                let head = Message::Item((response.drop_body(), BodySize::Sized(13)));
                codec.encode(head, &mut out).expect("a response");
                codec.encode(Message::Chunk(Some(Bytes::from_static(b"Hello, World!"))), &mut out).expect("a body");
            }
            assert!(received.is_empty());
            black_box(&out);
            out.clear();
        }
    });
}

/// A client of hyper that sends its input again and again: one piece per poll, and none while a
/// response is awaited.
struct Memory {
    input: Vec<u8>,
    at: usize,
    iterations: u64,
    may_receive: Rc<Cell<bool>>,
    is_response_awaited: bool,
}

impl hyper::rt::Read for Memory {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.may_receive.get() || self.is_response_awaited {
            return Poll::Pending;
        }
        if self.at == 0 && self.iterations == 0 {
            return Poll::Ready(Ok(()));
        }
        // A piece ends where a read of a socket would, whatever the size of hyper's buffer is.
        let piece = PIECE - self.at % PIECE;
        let count = buffer.remaining().min(self.input.len() - self.at).min(piece);
        buffer.put_slice(&self.input[self.at..self.at + count]);
        self.at += count;
        if self.at == self.input.len() {
            (self.at, self.is_response_awaited) = (0, true);
            self.iterations -= 1;
        }
        if self.at % PIECE == 0 || self.at == 0 {
            self.may_receive.set(false);
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_response_awaited = false;
        Poll::Ready(Ok(black_box(bytes).len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.is_response_awaited = false;
        Poll::Ready(Ok(slices.iter().map(|slice| black_box(slice).len()).sum()))
    }
}

async fn plaintext(request: hyper::Request<hyper::body::Incoming>) -> Result<hyper::Response<Full<Bytes>>, Infallible> {
    black_box(request.uri().path());
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        black_box(frame.expect("a body"));
    }
    let mut response = hyper::Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("x"));
    Ok(response)
}

fn hyper(input: &[u8], iterations: u64) {
    let may_receive = Rc::new(Cell::new(true));
    let memory = Memory {
        input: input.to_vec(),
        at: 0,
        iterations,
        may_receive: may_receive.clone(),
        is_response_awaited: false,
    };
    let mut http = hyper::server::conn::http1::Builder::new();
    http.pipeline_flush(true);
    let mut connection = pin!(http.serve_connection(memory, hyper::service::service_fn(plaintext)));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        may_receive.set(true);
        if let Poll::Ready(served) = connection.as_mut().poll(&mut context) {
            return served.expect("a connection");
        }
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, peer, case, iterations] = &arguments[..] else { panic!("in_memory PEER CASE ITERATIONS") };
    let input = input(case).expect("a case of in_memory.py");
    let iterations = iterations.parse().expect("a number");
    match peer.as_str() {
        "httparse" => httparse(&input, iterations),
        "http-net-best" => http_net_best(&input, iterations),
        "http-net-ordinary" => http_net_ordinary(&input, iterations),
        "actix-codec" => actix_codec(&input, iterations),
        "hyper" => hyper(&input, iterations),
        _ => panic!("a peer of in_memory.py"),
    }
}
