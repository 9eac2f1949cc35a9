//! `exchange CASE ITERATIONS`: whole exchanges in the core, without a socket. `callgrind.py` counts
//! the instructions of one exchange.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{
    Config, Connection, ConnectionInfo, Event, FieldLines, Now, RequestId, ResponseHead, Transmit, UnixTime,
};

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
const MIB: usize = 1 << 20;
/// Maximum size of one read of a socket.
const PIECE: usize = 64 << 10;

/// Returns the input of one iteration, and the size of one read.
fn input(case: &str) -> Option<(Vec<u8>, usize)> {
    let upload = |framing: &str, content: Vec<u8>| {
        let head =
            format!("POST /upload HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\n{framing}\r\n\r\n");
        [head.into_bytes(), content].concat()
    };
    Some(match case {
        "min" => (MIN.into(), PIECE),
        "wrk" => (WRK.into(), PIECE),
        "browser" => (BROWSER.into(), PIECE),
        "wrk-x16" => (WRK.repeat(16).into(), PIECE),
        "browser-x16" => (BROWSER.repeat(16).into(), PIECE),
        "content-length-1m" => (upload(&format!("Content-Length: {MIB}"), vec![b'x'; MIB]), PIECE),
        "chunked-4k-1m" => {
            let chunk = [b"1000\r\n".to_vec(), vec![b'x'; 4096], b"\r\n".to_vec()].concat();
            (upload("Transfer-Encoding: chunked", [chunk.repeat(MIB / 4096), b"0\r\n\r\n".to_vec()].concat()), PIECE)
        }
        "head-15k-bytewise" => (long_head(15_000), 1),
        "head-30k-bytewise" => (long_head(30_000), 1),
        "head-60k-bytewise" => (long_head(60_000), 1),
        _ => return None,
    })
}

/// Returns a head of `size` bytes: 60 fields of equal size.
fn long_head(size: usize) -> Vec<u8> {
    let start = "GET / HTTP/1.1\r\nHost: a\r\n";
    let line = |size: usize| format!("X-Field: {}\r\n", "v".repeat(size - 11));
    let each = (size - start.len() - 2) / 60;
    let last = size - start.len() - 2 - 59 * each;
    format!("{start}{}{}\r\n", line(each).repeat(59), line(last)).into_bytes()
}

/// An in-memory socket; responses are written to `out`.
struct Server {
    connection: Connection,
    head: ResponseHead,
    out: Vec<u8>,
    content: usize,
    responses: u64,
}

impl Server {
    fn new() -> Self {
        let mut config = Config::default();
        config.limits.head = 65_535;
        let mut fields = FieldLines::new();
        fields.push("Content-Type", "text/plain").expect("a good field");
        Self {
            connection: Connection::new(Arc::new(config), ConnectionInfo::default(), now()),
            head: ResponseHead::with_fields(Default::default(), fields),
            out: Vec::with_capacity(PIECE),
            content: 0,
            responses: 0,
        }
    }

    fn exchange(&mut self, input: &[u8], piece: usize) {
        let mut rest = input;
        while !rest.is_empty() {
            let room = self.connection.recv_buf();
            let count = room.len().min(rest.len()).min(piece);
            room[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            self.connection.handle_recv(count, now());
            self.turn();
        }
    }

    /// Does what a driver does after every read.
    fn turn(&mut self) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                match event {
                    Event::Request(request) => {
                        let (id, has_body) = (request.id(), request.has_body());
                        drop(black_box(request));
                        if !has_body {
                            self.respond(id);
                        }
                    }
                    Event::Data(_, data) => self.content += black_box(data).len(),
                    Event::End(id, _) => self.respond(id),
                    Event::ResponseEnd(stats) => assert!(black_box(stats).complete),
                    other => panic!("{other:?}"),
                }
            }
            let Some(transmit) = self.connection.poll_transmit() else { break };
            let Transmit::Bytes(slices) = transmit else { panic!("a file") };
            self.out.clear();
            slices.for_each(|slice| self.out.extend_from_slice(slice));
            let count = black_box(&self.out).len();
            self.connection.handle_sent(count as u64, now());
        }
        assert!(self.connection.poll_close().is_none());
        black_box(self.connection.poll_timeout());
    }

    fn respond(&mut self, request: RequestId) {
        let content = Bytes::from_static(b"Hello, World!");
        self.connection.respond_with(request, &self.head, content).expect("a response is expected");
        self.responses += 1;
    }
}

fn now() -> Now {
    black_box(Now::new(Duration::from_secs(100), UnixTime::from_secs(1_795_352_400)))
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, case, iterations] = &arguments[..] else { panic!("exchange CASE ITERATIONS") };
    let (input, piece) = input(case).expect("a case that callgrind.py names");
    let mut server = Server::new();
    for _ in 0..iterations.parse().expect("a number") {
        server.exchange(black_box(&input), piece);
    }
    println!("{} responses, the last {:?}", server.responses, String::from_utf8_lossy(&server.out));
}
