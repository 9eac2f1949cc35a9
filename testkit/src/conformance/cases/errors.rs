//! Responses of the application to errors of the server (`Server::on_error`).

use std::future::pending;
use std::time::Duration;

use httpants_driver::{FileRoot, Request, RequestHead, Response, Server, ServerError};

use crate::conformance::handler::CaseHandler;
use crate::conformance::running::{Running, get, post, post_chunked, start_with};
use crate::conformance::stage::Stage;

/// A timeout that is as short as a busy machine allows.
const SPAN: Duration = Duration::from_millis(150);

/// Starts a server whose `on_error` function returns a page with its arguments.
fn serve<S: Stage>(
    page: impl Fn(&ServerError, Option<&RequestHead>) -> Option<Response> + Send + Sync + 'static,
) -> Running<S> {
    let folder = tempfile::tempdir().expect("a folder");
    let files = FileRoot::open(folder.path()).expect("a folder");
    let settings = |server: Server<S::Runtime, CaseHandler>| {
        server.on_error(page).config(|config| {
            config.limits.fields = 5;
            config.limits.max_body_size = 10;
            config.timeouts.head = Some(SPAN);
            config.timeouts.handler = Some(SPAN);
        })
    };
    start_with(
        move |request: Request| {
            let files = files.clone();
            async move {
                match request.path() {
                    "/panic" => panic!("on purpose"),
                    "/never" => pending().await,
                    "/ok" => "ok".into(),
                    _ => files.serve(&request),
                }
            }
        },
        settings,
    )
}

fn page(error: &ServerError, request: Option<&RequestHead>) -> Option<Response> {
    let path = request.map_or("-", |request| request.path());
    let body = format!("{} {path}: {error}", error.status().as_u16());
    Some(Response::html(body).with_header("Access-Control-Allow-Origin", "*"))
}

fn with_field(field: &str) -> Vec<u8> {
    format!("POST /a HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n").into_bytes()
}

/// Each error of the server gets the page of the application, also after a complete response; the
/// server sets its status and whether the connection closes.
pub fn errors_of_the_server_have_the_page_of_the_application<S: Stage>() {
    let server = serve::<S>(page);
    for (request, status, path, closes) in [
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 400, "-", true),
        (b"GET / HTTP/1.1\r\nHost:".to_vec(), 408, "-", true),
        (with_field("Expect: 100-continue\r\nContent-Length: 11"), 413, "/a", true),
        (post_chunked("/a", b"12345678901", 11, ""), 413, "/a", true),
        (get(&"/x".repeat(9000)), 414, "-", true),
        (with_field("Expect: x"), 417, "-", true),
        (with_field("A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1"), 431, "-", true),
        (with_field("Transfer-Encoding: gzip, chunked"), 501, "-", true),
        (get("/never"), 503, "/never", true),
        (b"GET / HTTP/3.0\r\n\r\n".to_vec(), 505, "-", true),
        (get("/panic"), 500, "/panic", false),
        (get("/nothing"), 404, "/nothing", false),
        (post("/form", "Content-Type: multipart/form-data\r\n", b"x"), 400, "/form", true),
    ] {
        let mut client = server.connect();
        client.send([get("/ok"), request].concat());
        assert_eq!(client.response().text(), "ok", "{status}");
        if matches!(status, 408 | 503) {
            server.wait_for_connections(1);
            server.stage.pass(SPAN);
        }
        let response = client.response();
        assert_eq!((response.status, response.field("Access-Control-Allow-Origin")), (status, Some("*")));
        assert_eq!(response.field("Content-Type"), Some("text/html; charset=utf-8"));
        assert!(response.text().starts_with(&format!("{status} {path}: ")), "{}", response.text());
        if closes {
            assert_eq!(response.field("Connection"), Some("close"), "{status}");
            client.end();
            client.expect_end();
        } else {
            assert_eq!(client.ask(get("/ok")).text(), "ok", "{status}");
        }
        drop(client);
        server.wait("the connection is closed", || server.handle.connections() == 0);
    }
}

/// If the function panics, or returns a response that cannot be sent, the default response is sent.
pub fn invalid_page_falls_back_to_the_default<S: Stage>() {
    let server = serve::<S>(|error, _| match error.status().as_u16() {
        400 => panic!("on purpose"),
        404 => Some(Response::file("x")),
        _ => Some(Response::text("x").with_header("Transfer-Encoding", "chunked")),
    });
    for (request, status, text) in [
        ("GET / HTTP/1.1\r\n\r\n", 400, "an HTTP/1.1 request must have a Host field (RFC 9112 3.2)\n"),
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404, "404 Not Found\n"),
        ("GET / HTTP/3.0\r\n\r\n", 505, "this server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 2.5)\n"),
    ] {
        let response = server.connect().ask(request);
        assert_eq!((response.status, response.text()), (status, text));
    }
}

/// A response to HEAD has the length of the page and no body.
pub fn head_gets_the_fields_of_the_page<S: Stage>() {
    let server = serve::<S>(page);
    let missing = "400 -: an HTTP/1.1 request must have a Host field (RFC 9112 3.2)";
    for (request, page) in
        [("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n", "404 /a: Not Found"), ("HEAD / HTTP/1.1\r\n\r\n", missing)]
    {
        let mut client = server.connect();
        client.send(request);
        client.end();
        assert_eq!(client.response_to_head().field("Content-Length"), Some(&*page.len().to_string()));
        client.expect_end();
    }
}
