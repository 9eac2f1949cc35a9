//! A strict client: an incomplete response is an error.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::demo::PATIENCE;

pub(crate) struct Client<S = TcpStream> {
    stream: S,
    received: Vec<u8>,
}

#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Returns the value of this field; panics if there are several.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert_eq!(values.next(), None, "duplicate {name}");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.header("Content-Type"), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        Self::tcp(stream)
    }

    /// Connects as soon as a started program listens.
    pub(crate) fn connect_once_possible(address: SocketAddr) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(address) {
                Ok(stream) => return Self::tcp(stream),
                Err(error) => assert!(Instant::now() < deadline, "not listening on {address}: {error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn tcp(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self::new(stream)
    }

    /// Shuts down the sending side.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    pub(crate) fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).unwrap();
    }

    pub(crate) fn get(&mut self, path: &str) -> Response {
        self.request("GET", path, "", "")
    }

    pub(crate) fn post(&mut self, path: &str, content: impl AsRef<[u8]>) -> Response {
        self.request("POST", path, "", content)
    }

    /// Sends a request with these field lines, and reads its response.
    pub(crate) fn request(&mut self, method: &str, path: &str, fields: &str, content: impl AsRef<[u8]>) -> Response {
        let content = content.as_ref();
        let length = match content.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        self.send(format!("{method} {path} HTTP/1.1\r\nHost: demo.test\r\n{fields}{length}\r\n"));
        self.send(content);
        self.response_to(method)
    }

    /// Sends a request whose response takes this many milliseconds; returns after its head was
    /// read, because the server has sent 100 Continue.
    pub(crate) fn begin_slow(&mut self, duration: u32) {
        let fields = "Host: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n";
        self.send(format!("GET /slow?ms={duration} HTTP/1.1\r\n{fields}"));
        assert_eq!(self.response().status, 100);
        self.send("x");
    }

    pub(crate) fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    pub(crate) fn response_to(&mut self, method: &str) -> Response {
        self.try_response(method).unwrap().expect("a response, not the end")
    }

    /// Waits for the first bytes of a response without reading them.
    pub(crate) fn await_response(&mut self) {
        assert!(!self.received.is_empty() || self.more().unwrap(), "a response, not the end");
    }

    /// Reads the next response; `None` if the connection ended before its first byte.
    pub(crate) fn try_response(&mut self, method: &str) -> io::Result<Option<Response>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok());
        let status = status.ok_or_else(|| io::Error::other(format!("no status line: {head}")))?;
        let headers = lines.map(|line| line.split_once(':').unwrap());
        let headers = headers.map(|(name, value)| (name.to_owned(), value.trim_ascii().to_owned())).collect();
        let mut response = Response { status, headers, body: Vec::new() };
        if method != "HEAD" && !matches!(status, 100..=199 | 204 | 304) {
            response.body = self.body(&response)?;
        }
        Ok(Some(response))
    }

    fn head(&mut self) -> io::Result<Option<String>> {
        if self.received.is_empty() && !self.more()? {
            return Ok(None);
        }
        let end = loop {
            match self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                Some(end) => break end,
                None => self.must_have_more()?,
            }
        };
        let head = self.received.drain(..end + 4).take(end).collect();
        Ok(Some(String::from_utf8(head).unwrap()))
    }

    fn body(&mut self, response: &Response) -> io::Result<Vec<u8>> {
        if let Some(length) = response.header("Content-Length") {
            assert_eq!(response.header("Transfer-Encoding"), None);
            return self.take(length.parse().unwrap());
        }
        if response.header("Transfer-Encoding") == Some("chunked") {
            return self.chunked();
        }
        while self.more()? {}
        Ok(std::mem::take(&mut self.received))
    }

    fn chunked(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).map_err(io::Error::other)?;
            body.extend(self.take(size)?);
            if !self.line()?.is_empty() {
                return Err(io::Error::other("a chunk, or the last one, does not end with its line"));
            }
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let end = loop {
            match self.received.windows(2).position(|window| window == b"\r\n") {
                Some(end) => break end,
                None => self.must_have_more()?,
            }
        };
        Ok(String::from_utf8(self.received.drain(..end + 2).take(end).collect()).unwrap())
    }

    fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.received.len() < length {
            self.must_have_more()?;
        }
        Ok(self.received.drain(..length).collect())
    }

    /// Reads `count` bytes after a response, in any protocol.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        self.take(count).unwrap()
    }

    /// Returns whether the connection has ended, without further bytes.
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.received.is_empty() && !self.more().unwrap()
    }

    fn must_have_more(&mut self) -> io::Result<()> {
        match self.more() {
            Ok(true) => Ok(()),
            Ok(false) => Err(io::Error::new(ErrorKind::UnexpectedEof, "the response is incomplete")),
            // After the first byte of a response, any error means that the response is incomplete.
            Err(error) => Err(io::Error::new(ErrorKind::UnexpectedEof, error)),
        }
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut buffer = vec![0; 64 << 10];
        // A read with a timeout is interrupted when the process is stopped and continued:
        // signal(7).
        let count = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.received.extend_from_slice(&buffer[..count]);
        Ok(count > 0)
    }
}
