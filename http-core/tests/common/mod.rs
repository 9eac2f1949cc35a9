//! Requests, and a simulated socket.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use httpants_core::{
    Config, Connection, ConnectionInfo, Event, FieldLines, Now, RequestHead, RequestId, ResponseHead, Timer, Transmit,
    TransmitQueue, UnixTime,
};

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

/// Returns the time at `millis` milliseconds after the start of a test.
pub(crate) fn now(millis: u64) -> Now {
    Now::new(Duration::ZERO, UnixTime::from_secs(1_795_352_400)).after(Duration::from_millis(millis))
}

/// A server on one connection. It responds to each request when it is complete, with `Hello,
/// World!` or a body of `content` bytes.
pub(crate) struct Server {
    pub(crate) connection: Connection,
    pub(crate) millis: u64,
    pub(crate) responses: usize,
    /// Number of responses that were sent completely.
    pub(crate) completed: usize,
    /// Total number of bytes of all responses.
    pub(crate) sent: u64,
    pub(crate) content: usize,
    pub(crate) body: Bytes,
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
            connection: Connection::new(Arc::new(config), ConnectionInfo::default(), now(0)),
            millis: 0,
            responses: 0,
            completed: 0,
            sent: 0,
            content: 0,
            body: Bytes::from_static(b"Hello, World!"),
            head: ResponseHead::with_fields(Default::default(), fields),
        }
    }

    /// Receives `input` from the client and sends the responses at once. The time advances.
    pub(crate) fn exchange(&mut self, mut input: &[u8]) {
        while !input.is_empty() {
            self.millis += 3;
            let taken = self.connection.receive(input, now(self.millis));
            assert!(taken > 0, "nothing is taken in {:?}", self.connection.state());
            input = &input[taken..];
            self.drive();
        }
    }

    /// Does the same with the buffers moved out of the connection while the socket is used.
    pub(crate) fn exchange_with_taken_queue(&mut self, mut input: &[u8], queue: &mut TransmitQueue) {
        while !input.is_empty() {
            self.millis += 3;
            let mut buffer = self.connection.lend_recv_buf().expect("bytes are wanted");
            let room = buffer.room();
            let taken = room.len().min(input.len());
            room[..taken].copy_from_slice(&input[..taken]);
            input = &input[taken..];
            self.connection.return_recv_buf(buffer, taken, now(self.millis));
            self.events();
            while self.connection.take_transmit(queue) {
                while let Some(Transmit::Bytes(slices)) = queue.poll() {
                    let count = slices.map(|slice| slice.len() as u64).sum();
                    self.sent += count;
                    let sent = queue.advance(count);
                    self.connection.handle_transmitted(queue, sent, now(self.millis));
                }
                self.events();
            }
        }
        assert_eq!(self.completed, self.responses);
    }

    pub(crate) fn drive(&mut self) {
        loop {
            self.events();
            let count = match self.connection.poll_transmit() {
                Some(Transmit::Bytes(slices)) => slices.map(|slice| slice.len() as u64).sum(),
                Some(_) => panic!("no file was sent"),
                None => return assert_eq!(self.completed, self.responses),
            };
            self.sent += count;
            self.connection.handle_sent(count, now(self.millis));
        }
    }

    fn events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Data(_, data) => self.content += data.len(),
                Event::Request(request) if request.has_body() => {}
                Event::Request(request) => self.respond(request.id()),
                Event::End(id, _) => self.respond(id),
                Event::ResponseEnd(stats) => {
                    self.completed += 1;
                    assert!(stats.complete && stats.body_bytes == self.body.len() as u64, "{stats:?}");
                    assert_eq!(stats.request.map(RequestId::index), Some(self.completed as u64));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn respond(&mut self, request: RequestId) {
        self.connection.respond_with(request, &self.head, self.body.clone()).unwrap();
        self.responses += 1;
    }
}

pub(crate) fn connection(config: Config) -> Connection {
    Connection::new(config.into(), ConnectionInfo::default(), now(0))
}

pub(crate) fn feed(connection: &mut Connection, mut bytes: &[u8], millis: u64) {
    while !bytes.is_empty() {
        let taken = connection.receive(bytes, now(millis));
        assert!(taken > 0, "nothing is taken in {:?}", connection.state());
        bytes = &bytes[taken..];
    }
}

/// Returns the names of all pending events.
pub(crate) fn events(connection: &mut Connection) -> Vec<String> {
    let name = |event: Event| format!("{event:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
    std::iter::from_fn(|| connection.poll_event().map(name)).collect()
}

/// Returns the id of the outstanding request.
pub(crate) fn id(connection: &Connection) -> RequestId {
    connection.current_request().expect("a request is outstanding").id()
}

/// Returns the next event, which must be a request.
pub(crate) fn request(connection: &mut Connection) -> RequestHead {
    match connection.poll_event() {
        Some(Event::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

/// Sends everything that waits and returns it.
pub(crate) fn sent(connection: &mut Connection, millis: u64) -> String {
    let mut out = vec![];
    while let Some(Transmit::Bytes(slices)) = connection.poll_transmit() {
        let start = out.len();
        slices.for_each(|slice| out.extend_from_slice(slice));
        connection.handle_sent((out.len() - start) as u64, now(millis));
    }
    String::from_utf8(out).unwrap()
}

pub(crate) fn timeout(connection: &Connection) -> Option<(u64, Timer)> {
    connection.poll_timeout().map(|deadline| (deadline.at.as_millis() as u64, deadline.timer))
}
