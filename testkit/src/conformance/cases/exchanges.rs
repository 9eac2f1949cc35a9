//! Requests and responses on a connection.

use bytes::Bytes;
use httpants_driver::{Request, Response};

use crate::conformance::handler::Gate;
use crate::conformance::running::{get, get_with, post, post_chunked, start, start_with};
use crate::conformance::stage::{Received, Stage};

/// Returns a description of the request.
async fn describe(request: Request) -> String {
    format!("{} {} {}", request.method(), request.url(), request.body().map_or(0, Bytes::len))
}

/// A connection is kept open for any number of requests.
pub fn requests_on_one_connection_are_served_in_turn<S: Stage>() {
    let server = start::<S, _, _>(describe);
    let mut client = server.connect();
    for number in 0..50 {
        let response = client.ask(get(&format!("/{number}")));
        assert_eq!((response.status, response.text()), (200, &*format!("GET /{number} 0")));
        assert!(response.field("Date").is_some() && response.field("Server").is_some(), "{}", response.head);
        assert_eq!(response.field("Connection"), None);
    }
    assert_eq!(server.handle.connections(), 1);
}

/// Requests that arrive together are served in order, each response complete before the next, also
/// with bodies and slow handlers.
pub fn pipelined_requests_are_served_in_order<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let gate = waiting.clone();
        async move {
            if request.path() == "/first" {
                gate.pass().await;
            }
            describe(request).await
        }
    });
    let mut client = server.connect();
    let content = vec![b'x'; 20_000];
    let mut batch = get("/first");
    for number in 0..40 {
        batch.extend(match number % 4 {
            0 => post(&format!("/{number}"), "", &content),
            1 => post_chunked(&format!("/{number}"), &content, 7000, ""),
            _ => get(&format!("/{number}")),
        });
    }
    client.send_meanwhile(batch);
    server.wait("the first request is handled", || gate.arrived() == 1);
    gate.open();
    assert_eq!(client.response().text(), "GET /first 0");
    for number in 0..40 {
        let expected = if number % 4 < 2 { format!("POST /{number} 20000") } else { format!("GET /{number} 0") };
        assert_eq!(client.response().text(), expected);
    }
}

/// A request that arrives one byte at a time is the same request.
pub fn request_in_single_bytes_is_the_same<S: Stage>() {
    let server = start::<S, _, _>(describe);
    let mut client = server.connect();
    for byte in post_chunked("/slowly", b"content", 3, "") {
        client.send([byte]);
    }
    assert_eq!(client.response().text(), "POST /slowly 7");
}

/// The response to HEAD has the fields of GET and no body; the next request is served.
pub fn head_response_has_no_body<S: Stage>() {
    let server = start::<S, _, _>(async |_: Request| "content");
    let mut client = server.connect();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("Content-Length")), (200, Some("7")));
    assert_eq!(client.ask(get("/")).text(), "content");
}

/// HTTP/1.0 is served: unless the client asks for keep-alive, the server closes the connection.
pub fn http_1_0_closes_unless_keep_alive_is_requested<S: Stage>() {
    let server = start::<S, _, _>(describe);
    let mut client = server.connect();
    let response = client.ask("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!((response.text(), response.field("Connection")), ("GET /a 0", Some("keep-alive")));
    assert_eq!(client.ask("GET /b HTTP/1.0\r\n\r\n").text(), "GET /b 0");
    client.expect_end();
}

/// A client that sends `Connection: close` gets one more response and the end of the stream.
pub fn connection_close_of_the_client_closes<S: Stage>() {
    let server = start::<S, _, _>(describe);
    let mut client = server.connect();
    let both = [get_with("/a", "Connection: close\r\n"), get("/never")].concat();
    let response = client.ask(both);
    assert_eq!((response.text(), response.field("Connection")), ("GET /a 0", Some("close")));
    client.expect_end();
}

/// If `keep_alive` is off, each response has `Connection: close`, and the server closes the
/// connection.
pub fn each_response_closes_if_keep_alive_is_off<S: Stage>() {
    let server = start_with::<S, _, _>(describe, |server| server.keep_alive(false));
    let mut client = server.connect();
    let response = client.ask([get("/"), get("/never")].concat());
    assert_eq!((response.status, response.field("Connection")), (200, Some("close")));
    client.expect_end();
}

/// A limit on the requests of a connection closes it after the last response, which has
/// `Connection: close`.
pub fn requests_of_a_connection_can_be_limited<S: Stage>() {
    let server =
        start_with::<S, _, _>(describe, |server| server.config(|config| config.requests_per_connection = Some(3)));
    let mut client = server.connect();
    client.send(get("/").repeat(4));
    let closes: Vec<_> = (0..3).map(|_| client.response().field("Connection").is_some()).collect();
    assert_eq!(closes, [false, false, true]);
    client.expect_end();
}

/// A malformed request gets its status and the end of the connection, after the responses to
/// earlier requests; bytes after it are not a request.
pub fn bad_request_after_a_good_one_is_refused<S: Stage>() {
    let server = start::<S, _, _>(describe);
    let mut client = server.connect();
    client.send([&get("/good")[..], b"GET /bad HTTP/1.1\r\nHost : a\r\n\r\n", &get("/hidden")].concat());
    assert_eq!(client.response().text(), "GET /good 0");
    let refusal = client.response();
    assert_eq!((refusal.status, refusal.field("Connection")), (400, Some("close")));
    client.expect_end();
}

/// A client that ends its sending side after a request still gets the response, however long that
/// takes, and the handler can ask whether the client did that.
pub fn half_closed_client_still_gets_its_response<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let gate = waiting.clone();
        async move {
            gate.pass().await;
            format!("{}", request.is_peer_closed())
        }
    });
    let mut client = server.connect();
    client.send(get("/"));
    client.end();
    server.wait("the handler runs", || gate.arrived() == 1);
    // The server reads the end of this stream before a later request of another connection.
    server.wait_for_connections(1);
    gate.open();
    let response = client.response();
    assert!(["true", "false"].contains(&response.text()), "{}", response.text());
    client.expect_end();
}

/// Handlers may return text, a status, bytes or a `Result`; the client receives each as a response.
pub fn handler_return_values_become_responses<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| -> Result<Response, u16> {
        match request.path() {
            "/html" => Ok(Response::html("<p>")),
            "/empty" => Ok(204.into()),
            "/elsewhere" => Ok(Response::redirect("/there")),
            "/bytes" => Ok(Response::bytes("image/png", vec![0, 255, 13, 10])),
            _ => Err(404),
        }
    });
    let mut client = server.connect();
    assert_eq!(client.ask(get("/html")).field("Content-Type"), Some("text/html; charset=utf-8"));
    let empty = client.ask(get("/empty"));
    assert_eq!((empty.status, empty.field("Content-Length")), (204, None));
    assert_eq!(client.ask(get("/elsewhere")).field("Location"), Some("/there"));
    assert_eq!(client.ask(get("/bytes")).content, [0, 255, 13, 10]);
    assert_eq!(client.ask(get("/none")).status, 404);
}

/// The handler of a client that disconnects is dropped: the values that it holds are dropped at
/// once.
pub fn client_reset_drops_its_handler<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let held = std::sync::Arc::new(());
    let kept = std::sync::Arc::downgrade(&held);
    let held = std::sync::Mutex::new(Some(held));
    let server = start::<S, _, _>(move |_: Request| {
        let (gate, held) = (waiting.clone(), held.lock().ok().and_then(|mut held| held.take()));
        async move {
            gate.pass().await;
            drop(held);
            "never read"
        }
    });
    let mut client = server.connect();
    client.send(get("/"));
    server.wait("the handler runs", || gate.arrived() == 1);
    client.reset();
    server.wait("the handler is dropped", || kept.strong_count() == 0);
    server.wait_for_connections(0);
}

/// If a handler panics, its client gets 500; other clients and the next request are not affected.
pub fn handler_panic_is_only_a_500<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| {
        assert_ne!(request.path(), "/panic", "as it should");
        "fine"
    });
    let (mut client, mut other) = (server.connect(), server.connect());
    assert_eq!(other.ask(get("/")).text(), "fine");
    assert_eq!(client.ask(get("/panic")).status, 500);
    assert_eq!(client.ask(get("/")).text(), "fine");
    assert_eq!(other.ask(get("/")).text(), "fine");
}

/// If a handler panics in the middle of a response, the response does not look complete.
pub fn panic_within_a_response_drops_the_connection<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| -> Result<Response, httpants_driver::Misuse> {
        let mut responder = request.responder();
        responder.send_status(200)?;
        responder.send_headers([("X-One", "1")], true)?;
        responder.send("one").await?;
        panic!("as it should");
    });
    let mut client = server.connect();
    client.send(get("/"));
    let (received, _) = client.rest();
    assert!(!received.ends_with(b"0\r\n\r\n"), "{}", received.escape_ascii());
    // The body is delimited by the end of the stream, so the connection must be reset.
    let mut client = server.connect();
    client.send("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(client.rest().1, Received::Reset);
}
