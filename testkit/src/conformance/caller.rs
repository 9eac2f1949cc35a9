//! A client that parses responses.

use std::time::{Duration, Instant};

use super::response::ParsedResponse;
use super::stage::{PATIENCE, Received, StageClient};

/// A client with the bytes that it has received and not parsed yet. What it waits for must arrive
/// within [`PATIENCE`]; otherwise it panics with what was expected and what was received.
pub(super) struct Caller<C> {
    client: C,
    received: Vec<u8>,
    /// The end or the reset of the stream, after it was received.
    ended: Option<Received>,
}

/// Maximum number of received bytes that a failure shows.
const SHOWN: usize = 2000;

impl<C: StageClient> Caller<C> {
    pub(super) fn new(client: C) -> Self {
        Self { client, received: Vec::new(), ended: None }
    }

    pub(super) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.client.send(bytes.as_ref());
    }

    /// Sends bytes while the response is being received.
    pub(super) fn send_meanwhile(&mut self, bytes: impl Into<Vec<u8>>) {
        self.client.send_meanwhile(bytes.into());
    }

    pub(super) fn end(&mut self) {
        self.client.end();
    }

    pub(super) fn reset(self) {
        self.client.reset();
    }

    /// Sends a request and waits for its response.
    #[track_caller]
    pub(super) fn ask(&mut self, request: impl AsRef<[u8]>) -> ParsedResponse {
        self.send(request);
        self.response()
    }

    /// Returns the next whole response; bytes after it are kept.
    #[track_caller]
    pub(super) fn response(&mut self) -> ParsedResponse {
        self.read_response(false)
    }

    /// Returns the response to HEAD.
    #[track_caller]
    pub(super) fn response_to_head(&mut self) -> ParsedResponse {
        self.read_response(true)
    }

    #[track_caller]
    fn read_response(&mut self, to_head: bool) -> ParsedResponse {
        self.until("a whole response", |received, ended| ParsedResponse::read(received, to_head, ended))
    }

    /// Returns the bytes up to and including `last`.
    #[track_caller]
    pub(super) fn up_to(&mut self, last: &[u8]) -> Vec<u8> {
        self.until(&format!("\"{}\"", last.escape_ascii()), |received, _| {
            let length = super::response::find(received, last)? + last.len();
            Some((received[..length].to_vec(), length))
        })
    }

    /// Returns the next `length` bytes.
    #[track_caller]
    pub(super) fn take(&mut self, length: usize) -> Vec<u8> {
        self.until(&format!("{length} bytes"), |received, _| Some((received.get(..length)?.to_vec(), length)))
    }

    /// Returns all bytes until the end or the reset, and which of the two it was.
    #[track_caller]
    pub(super) fn rest(&mut self) -> (Vec<u8>, Received) {
        let rest = self
            .until("the end of the connection", |received, ended| ended.then(|| (received.to_vec(), received.len())));
        (rest, self.ended.unwrap_or(Received::Nothing))
    }

    /// Checks that nothing more is received except the end of the stream.
    #[track_caller]
    pub(super) fn expect_end(&mut self) {
        let (rest, how) = self.rest();
        assert!(rest.is_empty() && how == Received::End, "expected the end, got {how:?} after \"{}\"", show(&rest));
    }

    /// Checks that nothing more is received, and that the connection is closed or reset.
    #[track_caller]
    pub(super) fn expect_close(&mut self) {
        let (rest, _) = self.rest();
        assert!(rest.is_empty(), "expected a close, got \"{}\"", show(&rest));
    }

    /// Returns true if no bytes are available and the connection is open.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.received.is_empty() && self.client.receive(&mut self.received, Duration::ZERO) == Received::Nothing
    }

    /// Receives until `find` returns a value and a length; removes that number of bytes.
    #[track_caller]
    fn until<T>(&mut self, what: &str, mut find: impl FnMut(&[u8], bool) -> Option<(T, usize)>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some((found, length)) = find(&self.received, self.ended.is_some()) {
                self.received.drain(..length);
                return found;
            }
            let left = end.saturating_duration_since(Instant::now());
            let how = self.ended.unwrap_or_else(|| self.client.receive(&mut self.received, left));
            match how {
                Received::Bytes => {}
                Received::End | Received::Reset if self.ended.is_none() => self.ended = Some(how),
                _ => panic!("expected {what}, got {how:?} after \"{}\"", show(&self.received)),
            }
        }
    }
}

fn show(bytes: &[u8]) -> String {
    match bytes.get(..SHOWN) {
        Some(front) => format!("{}\" and {} bytes more \"", front.escape_ascii(), bytes.len() - SHOWN),
        None => bytes.escape_ascii().to_string(),
    }
}
