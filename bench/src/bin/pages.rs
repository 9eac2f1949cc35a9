//! `pages CASE ITERATIONS`: exchanges in the core like those of `exchange`, with responses that are
//! built each time. They are a separate program, because they would affect what the compiler
//! inlines in `exchange`.

use std::hint::black_box;
use std::io;

use bytes::Bytes;
use httpants_core::forms::{FormLimits, Multipart, MultipartEvent};
use httpants_core::{Connection, RequestHead, RequestId, ResponseHead};

use form::PIECE;
use server::{Application, page_fields, text_plain};

#[path = "../../inputs/form.rs"]
mod form;
#[path = "../../inputs/requests.rs"]
mod requests;
#[path = "../server.rs"]
mod server;

/// An application that builds the head of each response.
struct Page;

impl Application for Page {
    fn receive_data(&mut self, _: Bytes) {
        panic!("requests have no content");
    }

    fn respond(&mut self, connection: &mut Connection, request: RequestId) {
        let head = ResponseHead::with_fields(Default::default(), page_fields());
        let content = Bytes::from_static(b"Hello, World!");
        connection.respond_with(request, &head, content).expect("a response is expected");
    }
}

/// An application that responds with the numbers of parts and bytes of a form.
#[derive(Default)]
struct Upload {
    form: Option<Multipart>,
    parts: usize,
    bytes: usize,
}

impl Upload {
    /// Parses what was received; returns whether the form is complete.
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
    fn receive_head(&mut self, request: &RequestHead) {
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

fn main() -> io::Result<()> {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, case, iterations] = &arguments[..] else { panic!("pages CASE ITERATIONS") };
    let input = requests::input(case).expect("a case that callgrind.py names");
    let iterations = iterations.parse().expect("a number");
    match case.as_str() {
        "encoding" => server::run(Page, &input, PIECE, iterations),
        "multipart" => server::run(Upload::default(), &input, PIECE, iterations),
        _ => panic!("a case that callgrind.py names"),
    }
}
