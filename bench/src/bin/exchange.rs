//! `exchange CASE ITERATIONS`: whole exchanges in the core, without a socket. `callgrind.py` counts
//! the instructions of one exchange.

use std::hint::black_box;
use std::io;

use bytes::Bytes;
use httpants_core::{Connection, FieldLines, RequestId, ResponseHead};

use form::PIECE;
use server::Application;

#[path = "../../inputs/form.rs"]
mod form;
#[path = "../../inputs/requests.rs"]
mod requests;
#[path = "../server.rs"]
mod server;

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

/// Drops the body, and responds with a head that was created once.
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
    fn receive_data(&mut self, data: Bytes) {
        self.content += black_box(data).len();
    }

    fn respond(&mut self, connection: &mut Connection, request: RequestId) {
        let content = Bytes::from_static(b"Hello, World!");
        connection.respond_with(request, &self.head, content).expect("a response is expected");
    }
}

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, case, iterations] = &arguments[..] else { panic!("exchange CASE ITERATIONS") };
    let (input, piece) = input(case).expect("a case that callgrind.py names");
    let fields = if case == "encoding-prepared" { server::page_fields() } else { server::text_plain() };
    server::run(Constant::new(fields), &input, piece, iterations.parse().expect("a number"))
}
