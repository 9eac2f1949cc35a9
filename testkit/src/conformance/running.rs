//! A server on a stage.

use std::future::Future;
use std::thread;

use httpants_driver::{Handle, ListenAddress, Request, Response, Server};

use super::caller::Caller;
use super::handler::CaseHandler;
use super::stage::{Platform, Stage};

/// A server that runs until this is dropped; the drop checks that nothing is left of it.
pub(super) struct Running<S: Stage> {
    pub(super) stage: S,
    pub(super) handle: Handle,
}

/// Starts a server with this application.
pub(super) fn start<S, F, Fut>(handler: F) -> Running<S>
where
    S: Stage,
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Into<Response>> + Send + 'static,
{
    start_with(handler, |server| server)
}

/// Starts a server with this application and changed settings.
pub(super) fn start_with<S, F, Fut>(
    handler: F,
    change: impl FnOnce(Server<S::Runtime, CaseHandler>) -> Server<S::Runtime, CaseHandler>,
) -> Running<S>
where
    S: Stage,
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: Into<Response>> + Send + 'static,
{
    let mut stage = S::set();
    let server = change(stage.server(CaseHandler::new(handler)));
    let handle = stage.start(server);
    Running { stage, handle }
}

impl<S: Stage> Running<S> {
    pub(super) fn connect(&self) -> Caller<S::Client> {
        Caller::new(self.stage.connect())
    }

    /// Waits until the condition holds.
    #[track_caller]
    pub(super) fn wait(&self, what: &str, until: impl Fn() -> bool) {
        assert!(self.stage.wait(&until), "{what}: that did not happen");
    }

    /// Waits until this many connections are open.
    #[track_caller]
    pub(super) fn wait_for_connections(&self, count: usize) {
        self.wait(&format!("{count} connections are open"), || self.handle.connections() == count);
    }
}

impl<S: Platform> Running<S> {
    pub(super) fn connect_to(&self, address: &ListenAddress) -> Caller<S::Client> {
        Caller::new(self.stage.connect_to(address).expect("a connection"))
    }
}

impl<S: Stage> Drop for Running<S> {
    fn drop(&mut self) {
        self.handle.close();
        if !thread::panicking() {
            self.stage.end();
            assert_eq!(self.handle.connections(), 0, "connections are still counted");
        }
    }
}

/// Returns a request without a body.
pub(super) fn get(path: &str) -> Vec<u8> {
    get_with(path, "")
}

/// Returns a request without a body, with these field lines, each with its line end.
pub(super) fn get_with(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

/// Returns a request with a body.
pub(super) fn post(path: &str, fields: &str, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), content].concat()
}

/// Returns a request with a body in chunks of `size` bytes, followed by these trailer lines.
pub(super) fn post_chunked(path: &str, content: &[u8], size: usize, trailers: &str) -> Vec<u8> {
    let mut request = format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in content.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
    request
}

/// Returns bytes in which lost, duplicated or misplaced ones are detected: their period is not the
/// size of any buffer.
pub(super) fn noise(length: usize) -> Vec<u8> {
    const PERIOD: usize = 65_521;
    let words = (0..PERIOD.min(length) as u32).map(|at| at.wrapping_mul(0x9e37_79b9).rotate_left(11) as u8);
    let mut bytes = words.collect::<Vec<u8>>().repeat(length.div_ceil(PERIOD));
    bytes.truncate(length);
    bytes
}

/// Compares without printing megabytes.
#[track_caller]
pub(super) fn assert_same(received: &[u8], expected: &[u8]) {
    if received != expected {
        let (received_len, expected_len) = (received.len(), expected.len());
        let differs = received.iter().zip(expected).position(|(one, other)| one != other);
        panic!("received {received_len} bytes, expected {expected_len}; the first difference is at {differs:?}");
    }
}
