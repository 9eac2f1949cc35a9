//! `in_memory PEER CASE ITERATIONS`: exchanges of other protocol code, without a socket, as
//! `exchange` does them for httpants. Prints the responses to the last iteration. `in_memory.py`
//! measures them.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::hint::black_box;
use std::io::{self, Write};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use http_body_util::{BodyExt, BodyStream, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};

use form::PIECE;
use requests::{CONSTANT_FIELDS, VARYING_FIELDS};

#[path = "../../../inputs/form.rs"]
mod form;
#[path = "../../../inputs/requests.rs"]
mod requests;

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nserver: x\r\ncontent-type: text/plain\r\ncontent-length: 13\r\n\
    date: Sun, 22 Nov 2026 13:00:00 GMT\r\n\r\nHello, World!";
/// The current time, which http-net and httpants get as an argument.
const NOW: u64 = 1_795_352_400;
/// The names of the fields of a page; actix has types of an older `http`.
const CONSTANT_NAMES: [HeaderName; 7] = [
    header::CONTENT_TYPE,
    header::CACHE_CONTROL,
    header::VARY,
    header::CONTENT_SECURITY_POLICY,
    header::REFERRER_POLICY,
    header::STRICT_TRANSPORT_SECURITY,
    header::X_CONTENT_TYPE_OPTIONS,
];
const VARYING_NAMES: [HeaderName; 3] = [header::ETAG, header::LAST_MODIFIED, header::SET_COOKIE];

/// The head parser of most Rust servers and a constant response: the minimum work of a server.
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
    print(&out);
}

fn print(responses: &[u8]) {
    io::stdout().write_all(responses).expect("stdout");
}

fn http_net_response(case: &str) -> http_net::Response {
    let mut response = http_net::Response::new(200).header("server", "x");
    if case == "encoding" {
        for (name, value) in CONSTANT_FIELDS.into_iter().chain(black_box(VARYING_FIELDS)) {
            response = response.header(name, value);
        }
    } else {
        response = response.header("content-type", "text/plain");
    }
    response.body(&b"Hello, World!"[..])
}

/// http-net in its fastest use: its own receive buffer, a response that is built once.
fn http_net_best(case: &str, input: &[u8], iterations: u64) {
    use http_net::{DateCache, Limits, ServerConn, ServerEvent};
    let (response, mut dates) = (http_net_response(case), DateCache::new());
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
    print(&out);
}

/// http-net as used in its documentation.
fn http_net_ordinary(case: &str, input: &[u8], iterations: u64) {
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
                    let response = match case {
                        "encoding" => http_net_response(case),
                        _ => Response::text(200, "Hello, World!").header("server", "x"),
                    };
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
    print(&out);
}

fn actix_response(case: &str) -> actix_http::Response<()> {
    use actix_http::header;
    let mut response = actix_http::Response::build(actix_http::StatusCode::OK);
    response.insert_header((header::SERVER, "x"));
    if case == "encoding" {
        let constant = [
            header::CONTENT_TYPE,
            header::CACHE_CONTROL,
            header::VARY,
            header::CONTENT_SECURITY_POLICY,
            header::REFERRER_POLICY,
            header::STRICT_TRANSPORT_SECURITY,
            header::X_CONTENT_TYPE_OPTIONS,
        ];
        for (name, (_, value)) in constant.into_iter().zip(CONSTANT_FIELDS) {
            response.insert_header((name, header::HeaderValue::from_static(value)));
        }
        let varying = [header::ETAG, header::LAST_MODIFIED, header::SET_COOKIE];
        for (name, (_, value)) in varying.into_iter().zip(black_box(VARYING_FIELDS)) {
            response.insert_header((name, value));
        }
    } else {
        response.insert_header((header::CONTENT_TYPE, "text/plain"));
    }
    response.message_body(()).expect("a response").drop_body()
}

/// The codec of actix-web, without its dispatcher.
fn actix_codec(case: &str, input: &[u8], iterations: u64) {
    use actix_http::body::BodySize;
    use actix_http::h1::{Codec, Message};
    use tokio_util::codec::{Decoder, Encoder};
    actix_rt::System::new().block_on(async {
        let mut codec = Codec::default();
        let (mut received, mut out) = (BytesMut::with_capacity(PIECE), BytesMut::with_capacity(PIECE));
        for _ in 0..iterations {
            out.clear();
            received.extend_from_slice(black_box(input));
            while let Some(Message::Item(request)) = codec.decode(&mut received).expect("a request") {
                black_box(request.path());
                let head = Message::Item((actix_response(case), BodySize::Sized(13)));
                codec.encode(head, &mut out).expect("a response");
                codec.encode(Message::Chunk(Some(Bytes::from_static(b"Hello, World!"))), &mut out).expect("a body");
            }
            assert!(received.is_empty());
            black_box(&out);
        }
        print(&out);
    });
}

/// A client of hyper that sends its input repeatedly: one piece per poll, and none while it waits
/// for a response.
struct Memory {
    input: Vec<u8>,
    at: usize,
    iterations: u64,
    may_receive: Rc<Cell<bool>>,
    is_response_awaited: bool,
    /// The responses to the last input.
    out: Rc<RefCell<Vec<u8>>>,
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
        if self.at == 0 {
            self.out.borrow_mut().clear();
        }
        // A piece ends at the position at which a read of a socket would, whatever the size of
        // hyper's buffer.
        let piece = PIECE - self.at % PIECE;
        let count = buffer.remaining().min(self.input.len() - self.at).min(piece);
        buffer.put_slice(&self.input[self.at..self.at + count]);
        self.at += count;
        if self.at == self.input.len() {
            (self.at, self.is_response_awaited) = (0, true);
            self.iterations -= 1;
        }
        if self.at.is_multiple_of(PIECE) || self.at == 0 {
            self.may_receive.set(false);
        }
        Poll::Ready(Ok(()))
    }
}

impl Memory {
    fn write(&mut self, bytes: &[u8]) {
        self.out.borrow_mut().extend_from_slice(black_box(bytes));
    }
}

impl hyper::rt::Write for Memory {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.is_response_awaited = false;
        self.write(bytes);
        Poll::Ready(Ok(bytes.len()))
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
        slices.iter().for_each(|slice| self.write(slice));
        Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()))
    }
}

type HyperResponse = hyper::Response<Full<Bytes>>;

async fn plaintext(request: hyper::Request<Incoming>) -> Result<HyperResponse, Infallible> {
    black_box(request.uri().path());
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        black_box(frame.expect("a body"));
    }
    Ok(text_plain(Bytes::from_static(b"Hello, World!")))
}

fn text_plain(content: Bytes) -> HyperResponse {
    let mut response = hyper::Response::new(Full::new(content));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response.headers_mut().insert(header::SERVER, HeaderValue::from_static("x"));
    response
}

async fn page(request: hyper::Request<Incoming>) -> Result<HyperResponse, Infallible> {
    black_box(request.uri().path());
    let mut response = hyper::Response::new(Full::new(Bytes::from_static(b"Hello, World!")));
    let headers = response.headers_mut();
    headers.insert(header::SERVER, HeaderValue::from_static("x"));
    for (name, (_, value)) in CONSTANT_NAMES.into_iter().zip(CONSTANT_FIELDS) {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, (_, value)) in VARYING_NAMES.into_iter().zip(black_box(VARYING_FIELDS)) {
        headers.insert(name, HeaderValue::try_from(value).expect("a good value"));
    }
    Ok(response)
}

/// Parses a form with multer.
async fn upload(request: hyper::Request<Incoming>) -> Result<HyperResponse, multer::Error> {
    let content_type = request.headers()[header::CONTENT_TYPE].to_str().expect("a media type");
    let boundary = multer::parse_boundary(content_type)?;
    let pieces = BodyStream::new(request.into_body()).try_filter_map(async |frame| Ok(frame.into_data().ok()));
    let mut form = multer::Multipart::new(pieces, boundary);
    let (mut parts, mut bytes) = (0, 0);
    while let Some(mut field) = form.next_field().await? {
        parts += usize::from(!black_box(field.name()).expect("a name").is_empty());
        while let Some(piece) = field.chunk().await? {
            bytes += black_box(piece).len();
        }
    }
    Ok(text_plain(format!("{parts} {bytes}").into()))
}

/// Serves the same client repeatedly, with hyper's own connection loop.
fn hyper<E, F>(input: &[u8], iterations: u64, handler: impl Fn(hyper::Request<Incoming>) -> F)
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
    F: Future<Output = Result<HyperResponse, E>>,
{
    let (may_receive, out) = (Rc::new(Cell::new(true)), Rc::new(RefCell::new(Vec::with_capacity(PIECE))));
    let memory = Memory {
        input: input.to_vec(),
        at: 0,
        iterations,
        may_receive: may_receive.clone(),
        is_response_awaited: false,
        out: out.clone(),
    };
    let mut http = hyper::server::conn::http1::Builder::new();
    http.pipeline_flush(true);
    let mut connection = pin!(http.serve_connection(memory, hyper::service::service_fn(handler)));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        may_receive.set(true);
        if let Poll::Ready(served) = connection.as_mut().poll(&mut context) {
            served.expect("a connection");
            return print(&out.borrow());
        }
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, peer, case, iterations] = &arguments[..] else { panic!("in_memory PEER CASE ITERATIONS") };
    let input = requests::input(case).expect("a case of in_memory.py");
    let iterations = iterations.parse().expect("a number");
    match (peer.as_str(), case.as_str()) {
        ("httparse", _) => httparse(&input, iterations),
        ("http-net-best", _) => http_net_best(case, &input, iterations),
        ("http-net-ordinary", _) => http_net_ordinary(case, &input, iterations),
        ("actix-codec", _) => actix_codec(case, &input, iterations),
        ("hyper", "encoding") => hyper(&input, iterations, page),
        ("hyper", "multipart") => hyper(&input, iterations, upload),
        ("hyper", _) => hyper(&input, iterations, plaintext),
        _ => panic!("a peer of in_memory.py"),
    }
}
