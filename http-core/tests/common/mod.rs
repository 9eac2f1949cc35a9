//! Requests, and a socket without a machine under it.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{Config, Connection, Event, FieldLines, Now, Peer, RequestId, ResponseHead, Transmit, UnixTime};

pub(crate) const MIN: &str = "GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n";
pub(crate) const WRK: &str =
    "GET /plaintext HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench/1.0\r\nAccept: */*\r\n\r\n";
pub(crate) const BROWSER: &str = concat!(
    "GET /plaintext HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\nCache-Control: max-age=0\r\n",
    "sec-ch-ua: \"Chromium\";v=\"131\", \"Not_A Brand\";v=\"24\"\r\nsec-ch-ua-mobile: ?0\r\n",
    "sec-ch-ua-platform: \"Linux\"\r\nUpgrade-Insecure-Requests: 1\r\n",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 ",
    "Safari/537.36\r\nAccept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n",
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-GB,en;q=0.9\r\n",
    "Cookie: session=4f1c9a7be2d84c0fa1b2c3d4e5f60718; theme=dark; csrftoken=Zm9vYmFyYmF6cXV4\r\n\r\n",
);

/// So many milliseconds after the start of a test.
pub(crate) fn now(millis: u64) -> Now {
    Now::new(Duration::ZERO, UnixTime::from_secs(1_795_352_400)).after(Duration::from_millis(millis))
}

/// A connection whose every request is answered with `Hello, World!` at its end.
pub(crate) struct Server {
    pub(crate) connection: Connection,
    pub(crate) millis: u64,
    pub(crate) answered: usize,
    /// Responses of which all has left.
    pub(crate) completed: usize,
    /// Bytes that the answers had together.
    pub(crate) sent: u64,
    pub(crate) content: usize,
    head: ResponseHead,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        let mut fields = FieldLines::new();
        fields.push("Content-Type", "text/plain").unwrap();
        Self {
            connection: Connection::new(Arc::new(config), Peer::default(), now(0)),
            millis: 0,
            answered: 0,
            completed: 0,
            sent: 0,
            content: 0,
            head: ResponseHead::with_fields(Default::default(), fields),
        }
    }

    /// The client sends this; what it is answered is taken at once. Some time passes.
    pub(crate) fn exchange(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            self.millis += 3;
            let taken = self.connection.receive(input, now(self.millis));
            assert!(taken > 0, "nothing is taken in {:?}", self.connection.state());
            input = &input[taken..];
            self.turn();
        }
    }

    pub(crate) fn turn(&mut self) {
        loop {
            while let Some(event) = self.connection.poll_event() {
                match event {
                    Event::Data(_, data) => self.content += data.len(),
                    Event::Request(request) if request.has_body() => {}
                    Event::Request(request) => self.respond(request.id()),
                    Event::End(id, _) => self.respond(id),
                    Event::ResponseEnd(stats) => {
                        self.completed += 1;
                        assert!(stats.complete && stats.body_bytes == 13, "{stats:?}");
                        assert_eq!(stats.request.map(RequestId::index), Some(self.completed as u64));
                    }
                    other => panic!("{other:?}"),
                }
            }
            let count = match self.connection.poll_transmit() {
                Some(Transmit::Bytes(slices)) => slices.map(|slice| slice.len() as u64).sum(),
                Some(_) => panic!("nobody sent a file"),
                None => return assert_eq!(self.completed, self.answered),
            };
            self.sent += count;
            self.connection.handle_sent(count, now(self.millis));
        }
    }

    fn respond(&mut self, request: RequestId) {
        self.connection.respond_with(request, &self.head, Bytes::from_static(b"Hello, World!")).unwrap();
        self.answered += 1;
    }
}
