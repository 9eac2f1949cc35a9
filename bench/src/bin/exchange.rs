//! `exchange CASE ITERATIONS`: whole exchanges in the core, without a socket. `callgrind.py` counts
//! the instructions of one exchange.

use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::forms::{FormLimits, Multipart, MultipartEvent};
use httpants_core::{
    Config, Connection, ConnectionInfo, Event, FieldLines, Now, RequestHead, RequestId, ResponseHead, Transmit,
    UnixTime,
};

use form::PIECE;
use requests::{CONSTANT_FIELDS, VARYING_FIELDS};

#[path = "../../inputs/form.rs"]
mod form;
#[path = "../../inputs/requests.rs"]
mod requests;

/// Returns the input of one iteration, and the size of one read.
fn input(case: &str) -> Option<(Vec<u8>, usize)> {
    Some(match case {
        "head-15k-bytewise" => (long_head(15_000), 1),
        "head-30k-bytewise" => (long_head(30_000), 1),
        "head-60k-bytewise" => (long_head(60_000), 1),
        "encoding-prepared" => (requests::input("encoding")?, PIECE),
        _ => (requests::input(case)?, PIECE),
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

/// What a server does with a request.
trait Application {
    fn receive_head(&mut self, request: RequestHead);
    fn receive_data(&mut self, data: Bytes);
    fn respond(&mut self, connection: &mut Connection, request: RequestId);
}

/// Drops the content, and responds with a head that was made once.
struct Constant {
    head: ResponseHead,
    content: usize,
}

impl Constant {
    fn new(fields: FieldLines) -> Self {
        Self { head: ResponseHead::with_fields(Default::default(), fields), content: 0 }
    }
}

impl Application for Constant {
    fn receive_head(&mut self, request: RequestHead) {
        drop(black_box(request));
    }

    fn receive_data(&mut self, data: Bytes) {
        self.content += black_box(data).len();
    }

    fn respond(&mut self, connection: &mut Connection, request: RequestId) {
        let content = Bytes::from_static(b"Hello, World!");
        connection.respond_with(request, &self.head, content).expect("a response is expected");
    }
}

fn text_plain() -> FieldLines {
    let mut fields = FieldLines::new();
    fields.push("Content-Type", "text/plain").expect("a good field");
    fields
}

fn page_fields() -> FieldLines {
    let mut fields = FieldLines::new();
    for (name, value) in CONSTANT_FIELDS.into_iter().chain(black_box(VARYING_FIELDS)) {
        fields.push(name, value).expect("a good field");
    }
    fields
}

/// Makes the head of each response anew.
struct Page;

impl Application for Page {
    fn receive_head(&mut self, request: RequestHead) {
        drop(black_box(request));
    }

    fn receive_data(&mut self, _: Bytes) {
        panic!("requests have no content");
    }

    fn respond(&mut self, connection: &mut Connection, request: RequestId) {
        let head = ResponseHead::with_fields(Default::default(), page_fields());
        let content = Bytes::from_static(b"Hello, World!");
        connection.respond_with(request, &head, content).expect("a response is expected");
    }
}

/// Responds with the number of parts and of bytes of a form.
#[derive(Default)]
struct Upload {
    form: Option<Multipart>,
    parts: usize,
    bytes: usize,
}

impl Upload {
    /// Returns whether the form is complete.
    fn poll(&mut self) -> bool {
        let form = self.form.as_mut().expect("a form");
        while let Some(event) = form.poll_event().expect("a good form") {
            match event {
                MultipartEvent::PartStart(part) => self.parts += usize::from(!black_box(part).name().is_empty()),
                MultipartEvent::Data(data) => self.bytes += black_box(data).len(),
                MultipartEvent::PartEnd => {}
                MultipartEvent::End => return true,
                other => panic!("{other:?}"),
            }
        }
        false
    }
}

impl Application for Upload {
    fn receive_head(&mut self, request: RequestHead) {
        let form = Multipart::for_headers(request.headers(), &FormLimits::default());
        *self = Self { form: Some(form.expect("a good boundary")), parts: 0, bytes: 0 };
    }

    fn receive_data(&mut self, data: Bytes) {
        self.form.as_mut().expect("a form").receive(data);
        self.poll();
    }

    fn respond(&mut self, connection: &mut Connection, request: RequestId) {
        self.form.as_mut().expect("a form").handle_eof();
        assert!(self.poll());
        let head = ResponseHead::with_fields(Default::default(), text_plain());
        let content = format!("{} {}", self.parts, self.bytes);
        connection.respond_with(request, &head, content).expect("a response is expected");
    }
}

/// An in-memory socket; the responses of an iteration are written to `out`.
struct Server<A> {
    connection: Connection,
    application: A,
    out: Vec<u8>,
}

impl<A: Application> Server<A> {
    fn new(application: A) -> Self {
        let mut config = Config::default();
        config.limits.head = 65_535;
        let connection = Connection::new(Arc::new(config), ConnectionInfo::default(), now());
        Self { connection, application, out: Vec::with_capacity(PIECE) }
    }

    fn exchange(&mut self, input: &[u8], piece: usize) {
        let mut rest = input;
        self.out.clear();
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
                        self.application.receive_head(request);
                        if !has_body {
                            self.application.respond(&mut self.connection, id);
                        }
                    }
                    Event::Data(_, data) => self.application.receive_data(data),
                    Event::End(id, _) => self.application.respond(&mut self.connection, id),
                    Event::ResponseEnd(stats) => assert!(black_box(stats).complete),
                    other => panic!("{other:?}"),
                }
            }
            let Some(transmit) = self.connection.poll_transmit() else { break };
            let Transmit::Bytes(slices) = transmit else { panic!("a file") };
            let before = self.out.len();
            slices.for_each(|slice| self.out.extend_from_slice(slice));
            let count = black_box(&self.out).len() - before;
            self.connection.handle_sent(count as u64, now());
        }
        assert!(self.connection.poll_close().is_none());
        black_box(self.connection.poll_timeout());
    }
}

fn now() -> Now {
    black_box(Now::new(Duration::from_secs(100), UnixTime::from_secs(1_795_352_400)))
}

/// Prints the responses to the last iteration.
fn run(application: impl Application, case: &str, iterations: u64) -> io::Result<()> {
    let (input, piece) = input(case).expect("a case that callgrind.py names");
    let mut server = Server::new(application);
    for _ in 0..iterations {
        server.exchange(black_box(&input), piece);
    }
    io::stdout().write_all(&server.out)
}

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, case, iterations] = &arguments[..] else { panic!("exchange CASE ITERATIONS") };
    let iterations = iterations.parse().expect("a number");
    match case.as_str() {
        "encoding" => run(Page, case, iterations),
        "encoding-prepared" => run(Constant::new(page_fields()), case, iterations),
        "multipart" => run(Upload::default(), case, iterations),
        _ => run(Constant::new(text_plain()), case, iterations),
    }
}
