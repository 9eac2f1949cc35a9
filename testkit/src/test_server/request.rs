//! A request to a test server.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderName, HeaderValue, Method, Response};
use httpants_core::ConnectionInfo;

use super::response::read;
use super::{TestConnection, TestError, TestRuntime, TestServer};
use crate::memory::peer;

/// A request to a [`TestServer`], which can be completed and sent: by [`send`](Self::send) in a
/// test that blocks, by `.await` in an async one. Both return the whole response.
///
/// Each request has its own connection. Host, and Content-Length if there is a body, are added
/// unless they are set. A response that ends HTTP, which is 101 or a 2xx to CONNECT, is returned
/// without a body, and its connection is closed; use [`TestServer::connect`] for the protocol after
/// it.
#[must_use = "a request is sent by `send` or by `.await`"]
#[derive(Debug)]
pub struct TestRequest<'a, R: TestRuntime> {
    server: &'a TestServer<R>,
    info: ConnectionInfo,
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    cookies: Vec<String>,
    body: Option<Bytes>,
    /// The first error in the values that were set.
    mistake: Option<String>,
}

impl<'a, R: TestRuntime> TestRequest<'a, R> {
    pub(super) fn new(server: &'a TestServer<R>, method: &str, target: &str) -> Self {
        let mut request = Self {
            server,
            info: peer(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            cookies: Vec::new(),
            body: None,
            mistake: None,
        };
        if Method::from_bytes(method.as_bytes()).is_err() {
            request.note(format!("the method {method:?} is not a token"));
        }
        if target.is_empty() || target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            request.note(format!("the target {target:?} is empty or has a space or control character"));
        }
        request
    }

    /// Adds a field line. May be called more than once for a name.
    pub fn header(mut self, name: impl AsRef<str>, value: impl AsRef<[u8]>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            (Ok(_), Ok(_)) => self.headers.push((name.to_owned(), value.to_vec())),
            (Err(_), _) => self.note(format!("the field name {name:?} is not a token")),
            (_, Err(_)) => self.note(format!("the value of {name} has a control character")),
        }
        self
    }

    /// Adds a cookie. May be called more than once.
    pub fn cookie(mut self, name: &str, value: &str) -> Self {
        self.cookies.push(format!("{name}={value}"));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets the body to these variables as `application/x-www-form-urlencoded`.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(self, variables: impl IntoIterator<Item = (N, V)>) -> Self {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(variables).finish();
        self.header("Content-Type", "application/x-www-form-urlencoded").body(body)
    }

    /// Sets the body to this value as `application/json`.
    #[cfg(feature = "json")]
    pub fn json<T: serde::Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.header("Content-Type", "application/json").body(body),
            Err(error) => {
                self.note(format!("the body cannot be serialized: {error}"));
                self
            }
        }
    }

    /// Sets the addresses of the connection and whether it is secured. Default: from
    /// `192.0.2.1:50000` to `192.0.2.80:80`, over a plain transport.
    pub fn connection_info(mut self, info: ConnectionInfo) -> Self {
        self.info = info;
        self
    }

    /// Sends the request and returns the response, in a test that is not async.
    ///
    /// # Panics
    /// Panics with the [`TestError`] if there is no complete response, and inside an async runtime
    /// that cannot block: await the request there.
    #[expect(clippy::panic, reason = "it fails the test")]
    pub fn send(self) -> Response<Bytes> {
        let (server, request) = (self.server, self.line());
        match server.block_on(self.result()) {
            Ok(result) => unwrapped(&request, result),
            Err(error) => panic!("{request}: {error}: write `.await` instead of `.send()`"),
        }
    }

    /// Sends the request; returns the response, or the reason why there is no complete one. For
    /// tests of broken connections. The future does not borrow the server.
    pub fn result(self) -> impl Future<Output = Result<Response<Bytes>, TestError>> + Send + 'static + use<R> {
        let connection = self.server.connect_from(self.info);
        let method = self.method.clone();
        let encoded = self.encode();
        async move {
            let mut connection: TestConnection = connection;
            connection.send(encoded?);
            read(&mut connection, &method).await
        }
    }

    fn note(&mut self, mistake: String) {
        self.mistake.get_or_insert(mistake);
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    fn encode(mut self) -> Result<BytesMut, TestError> {
        if !self.cookies.is_empty() {
            let cookies = self.cookies.join("; ");
            self = self.header("Cookie", cookies);
        }
        if let Some(mistake) = self.mistake {
            return Err(TestError::Request(mistake));
        }
        if !self.has("Host") {
            // The requested authority (RFC 9112 section 3.2).
            let host = if self.method == "CONNECT" { self.target.clone() } else { "localhost".to_owned() };
            self.headers.insert(0, ("Host".to_owned(), host.into_bytes()));
        }
        let has_meaning = matches!(&*self.method, "POST" | "PUT" | "PATCH");
        let is_framed = self.has("Content-Length") || self.has("Transfer-Encoding");
        if !is_framed && (self.body.is_some() || has_meaning) {
            let length = self.body.as_ref().map_or(0, Bytes::len).to_string();
            self.headers.push(("Content-Length".to_owned(), length.into_bytes()));
        }
        let mut encoded = BytesMut::new();
        encoded.put(format!("{} {} HTTP/1.1\r\n", self.method, self.target).as_bytes());
        for (name, value) in &self.headers {
            encoded.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        encoded.put(&b"\r\n"[..]);
        encoded.extend(self.body);
        Ok(encoded)
    }
}

impl<R: TestRuntime> IntoFuture for TestRequest<'_, R> {
    type Output = Response<Bytes>;
    type IntoFuture = Pin<Box<dyn Future<Output = Response<Bytes>> + Send>>;

    /// Sends the request; panics if there is no complete response, as [`TestRequest::send`] does.
    fn into_future(self) -> Self::IntoFuture {
        let (request, result) = (self.line(), self.result());
        Box::pin(async move { unwrapped(&request, result.await) })
    }
}

#[expect(clippy::panic, reason = "it fails the test")]
fn unwrapped(request: &str, result: Result<Response<Bytes>, TestError>) -> Response<Bytes> {
    result.unwrap_or_else(|error| panic!("{request}: {error}"))
}
