//! The requests sent to each server.

use std::fmt::Write as _;

/// Requests on one connection, the last of which closes it.
pub(crate) struct Case {
    pub(crate) bytes: Vec<u8>,
    pub(crate) differs: Differs,
}

/// The difference between this server's responses and axum's, and its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Differs {
    Nowhere,
    /// In these fields only.
    In(&'static [&'static str], &'static str),
    /// This server's responses have these statuses, and are complete or not; they may be refusals
    /// by the server.
    Status(&'static [(u16, bool)], &'static str),
}

/// Returns a request with these field lines and this body.
fn request(line: &str, fields: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut head = format!("{line} HTTP/1.1\r\nHost: example.com\r\n{fields}");
    if !content.is_empty() {
        write!(head, "Content-Length: {}\r\n", content.len()).unwrap();
    }
    [head.as_bytes(), b"\r\n", content].concat()
}

/// Returns the last request of its connection.
fn last(line: &str, fields: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    request(line, &format!("Connection: close\r\n{fields}"), content)
}

fn chunked(line: &str, fields: &str, content: &str) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{fields}\r\n");
    [head.as_bytes(), content.as_bytes()].concat()
}

fn json(content: &str) -> Vec<u8> {
    last("POST /json", "Content-Type: application/json\r\n", content)
}

fn form(content: &str) -> Vec<u8> {
    last("POST /form", "Content-Type: application/x-www-form-urlencoded\r\n", content)
}

fn multipart(content: impl AsRef<[u8]>) -> Vec<u8> {
    last("POST /multipart", "Content-Type: multipart/form-data; boundary=\"xYx\"\r\n", content)
}

fn part(fields: &str, content: &str) -> String {
    format!("--xYx\r\nContent-Disposition: form-data; {fields}\r\n\r\n{content}\r\n")
}

/// Returns the requests with the same responses.
fn same() -> Vec<Vec<u8>> {
    let get = |path: &str| last(&format!("GET {path}"), "", "");
    let content = "content ".repeat(400_000);
    let file = part("name=\"f\"; filename=\"a b.txt\"", &"x".repeat(1 << 20));
    let mut all: Vec<_> = [
        "/",
        "/users/7/pets/Rex%20the%20dog",
        "/users/seven/pets/Rex",
        "/search?name=Rex&legs=4",
        "/search?name=Rex",
        "/search?name=%ff&legs=4",
        "/absent",
        "/json",
        "/stream",
        "/large",
        "/no-content",
        "/redirect",
        "/cookies",
        "/target?a=b%20c&d",
        "/client",
        "/next",
        "/guarded",
        "/compressed/text",
        "/socket",
        "/not-modified",
    ]
    .map(get)
    .into();
    all.extend([
        last("HEAD /", "", ""),
        last("HEAD /large", "", ""),
        last("OPTIONS /", "", ""),
        last("OPTIONS *", "", ""),
        last("DELETE /", "", ""),
        last("PURGE /target", "", ""),
        last("GET http://other.example/target?x", "", ""),
        last("GET /headers", "X-A: 1\r\nx-a: 2\r\nCookie: a=b; c=d\r\nX-Bytes: \u{e9}\r\n", ""),
        last("GET /guarded", "Authorization: Basic eA==\r\n", ""),
        last("GET /compressed/text", "Accept-Encoding: gzip\r\n", ""),
        last("HEAD /compressed/text", "", ""),
        json(r#"{"name":"Rex","legs":4}"#),
        json(r#"{"name":"Rex"}"#),
        json("{"),
        last("POST /json", "Content-Type: text/plain\r\n", "{}"),
        form("name=Rex+the+dog&legs=4"),
        form("legs=four"),
        multipart([part("name=\"a\"", "text"), file, "--xYx--\r\n".into()].concat()),
        multipart([part("name=\"a\"", "text"), "--xYx".into()].concat()),
        multipart("no such part"),
        last("POST /multipart", "Content-Type: multipart/form-data\r\n", "--x--\r\n"),
        last("POST /bytes", "", vec![0xff; 70_000]),
        last("POST /bytes", "", ""),
        last("POST /limited", "", "0123456789"),
        last("POST /limited", "", "0123456789a"),
        chunked("POST /limited", "", "b\r\n0123456789a\r\n0\r\n\r\n"),
        last("POST /echo", "", &content),
        last("POST /count", "", &content),
        last("POST /count", "", ""),
        last("POST /count", "Expect: 100-continue\r\n", "expected"),
        chunked("POST /count", "Trailer: X-Sum\r\n", "3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 5\r\n\r\n"),
        chunked("POST /echo", "", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        last("POST /reject", "", vec![b'x'; 10_000]),
        last("POST /reject", "", vec![b'x'; 60_000]),
        last("GET /trailers", "TE: trailers\r\n", ""),
        [request("GET /next", "", ""), request("GET /stream", "", ""), request("GET /", "", ""), get("/absent")]
            .concat(),
        [request("POST /bytes", "", "one"), request("POST /reject", "", "unread"), get("/next")].concat(),
        last("POST /reject", "Expect: 100-continue\r\nContent-Length: 5\r\n", ""),
        last("POST /reject", "Expect: 100-continue\r\nContent-Length: 5000000\r\n", ""),
        [request("POST /reject", "", vec![b'x'; 30_000]), get("/next")].concat(),
        [request("GET /socket", "Connection: upgrade\r\nUpgrade: websocket\r\n", ""), get("/")].concat(),
        [request("GET /socket", "Connection: upgrade\r\nUpgrade: other\r\n", ""), get("/")].concat(),
        [request("GET /", "Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n", ""), get("/")]
            .concat(),
        last("CONNECT example.com:443", "", ""),
    ]);
    all
}

/// Returns the requests with different responses, and the reasons.
fn different() -> Vec<(Vec<u8>, Differs)> {
    const ONLY_CLOSE: Differs =
        Differs::In(&["connection"], "the close of the connection is announced to HTTP/1.0, too");
    const HEAD_OF_A_STREAM: Differs =
        Differs::In(&["transfer-encoding"], "the length is not known without the content, and the response says so");
    let get = |path: &str| last(&format!("GET {path}"), "", "");
    vec![
        (b"GET /target HTTP/1.0\r\n\r\n".to_vec(), ONLY_CLOSE),
        (b"GET /stream HTTP/1.0\r\nHost: a\r\n\r\n".to_vec(), ONLY_CLOSE),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n".to_vec(), ONLY_CLOSE),
        (last("HEAD /stream", "", ""), HEAD_OF_A_STREAM),
        (last("HEAD /absent", "", ""), HEAD_OF_A_STREAM),
        (last("HEAD /compressed/text", "Accept-Encoding: gzip\r\n", ""), HEAD_OF_A_STREAM),
        (
            get("/broken"),
            Differs::Status(
                &[(200, false)],
                "this server sends the head with the first piece, hyper not before the error",
            ),
        ),
        (
            get("/trailers"),
            Differs::Status(&[(200, true)], "hyper drops trailer fields that the client did not ask for"),
        ),
        (
            last("POST /count", "", vec![b'x'; (10 << 20) + 1]),
            Differs::Status(&[(413, true)], "max_body_size is 10 MiB; hyper has no such limit"),
        ),
        (
            last("POST /reject", "Expect: 100-continue\r\nContent-Length: 50000000\r\n", ""),
            Differs::Status(
                &[(413, true)],
                "a client that waits for 100 Continue with more than max_body_size is refused",
            ),
        ),
        (
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n".to_vec(),
            Differs::Status(&[(400, true)], "HTTP/1.1 must say the host (RFC 9112 section 3.2)"),
        ),
        (
            chunked("POST /count", "", "3\r\nabc\r\nz\r\n"),
            Differs::Status(&[(400, true)], "the core refuses what is malformed, before the application can"),
        ),
        (
            last("POST /count", "Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n"),
            Differs::Status(&[(400, true)], "two framings are refused (RFC 9112 section 6.3)"),
        ),
        (last("GET /a b", "", ""), Differs::Status(&[(400, true)], "a refusal names the error")),
    ]
}

/// Returns all cases.
pub(crate) fn cases() -> Vec<Case> {
    let same = same().into_iter().map(|bytes| Case { bytes, differs: Differs::Nowhere });
    same.chain(different().into_iter().map(|(bytes, differs)| Case { bytes, differs })).collect()
}
