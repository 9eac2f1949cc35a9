//! Responses that are sent call by call, cookies, and the time of a request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use httpants_driver::protocol::FieldLines;
use httpants_driver::protocol::cookies::Cookie;
use httpants_driver::{Misuse, Request, Response};

use crate::conformance::handler::Gate;
use crate::conformance::running::{get, get_with, start, start_with};
use crate::conformance::stage::Stage;

/// The calls of Pants, one after the other, send one response, framed for the version of the
/// request.
pub fn response_is_sent_by_single_calls<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| {
        request.set_cookie(Cookie::new("a", "1"))?;
        let mut responder = request.responder();
        responder.send_status(201)?;
        responder.send_headers([("X-One", "1")], false)?;
        responder.send_headers([("X-Two", "2")], true)?;
        responder.send("one").await?;
        responder.send("two").await?;
        responder.finish().await
    });
    let mut client = server.connect();
    let response = client.ask(get("/"));
    assert_eq!((response.status, response.text()), (201, "onetwo"));
    assert!(response.head.starts_with("HTTP/1.1 201 Created\r\n"), "{}", response.head);
    for field in ["X-One: 1", "X-Two: 2", "Set-Cookie: a=1", "Transfer-Encoding: chunked"] {
        assert!(response.head.contains(&format!("\r\n{field}")), "{}", response.head);
    }
    assert!(response.field("Date").is_some() && response.field("Server").is_some(), "{}", response.head);
    // The response to HEAD has the fields, and the handler ends when it sends the first piece of
    // the body.
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = client.response_to_head();
    assert_eq!((head.status, head.field("X-Two"), head.field("Connection")), (201, Some("2"), None));
    assert_eq!(client.ask(get("/")).text(), "onetwo");
    // HTTP/1.0 has no chunks: the body is delimited by the end of the connection.
    let mut older = server.connect();
    let response = older.ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((response.status, response.text(), response.field("Transfer-Encoding")), (201, "onetwo", None));
    older.expect_end();
}

/// A whole response is sent in one call, and trailer fields follow chunks.
pub fn response_is_sent_in_one_call<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| -> Result<Response, Misuse> {
        let mut responder = request.responder();
        if request.path() == "/whole" {
            return responder.send_response("whole", 202, "text/x-whole");
        }
        responder.send_status(200)?;
        responder.send_headers([("Trailer", "X-Sum")], true)?;
        responder.send("pieces").await?;
        let mut trailers = FieldLines::new();
        trailers.push("X-Sum", "6")?;
        responder.finish_with_trailers(&trailers).await
    });
    let mut client = server.connect();
    let response = client.ask(get("/whole"));
    assert_eq!((response.status, response.text()), (202, "whole"));
    assert_eq!((response.field("Content-Type"), response.field("Content-Length")), (Some("text/x-whole"), Some("5")));
    let response = client.ask(get("/trailers"));
    assert_eq!((response.text(), &*response.trailers), ("pieces", "X-Sum: 6\r\n"));
}

/// A call out of order is an error that names the expected call, and the response continues.
pub fn calls_out_of_order_are_errors<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| {
        let mut responder = request.responder();
        responder.send_status(200)?;
        let twice = responder.send_status(200).map_or_else(|misuse| misuse.to_string(), |()| "accepted".into());
        responder.send_headers([("X-Twice", &*twice)], true)?;
        responder.finish().await
    });
    let response = server.connect().ask(get("/"));
    assert!(
        response.status == 200 && response.field("X-Twice").is_some_and(|error| error != "accepted"),
        "{}",
        response.head
    );
}

/// Interim responses are sent while the handler still works, any number of them, but not to
/// HTTP/1.0 clients.
pub fn interim_responses_arrive_before_the_response<S: Stage>() {
    let gate = Gate::default();
    let kept = gate.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let gate = kept.clone();
        async move {
            let mut responder = request.responder();
            let is_new = responder.send_interim(103, [("Link", "</a.css>; rel=preload")]).await?;
            for _ in 0..200 {
                responder.send_interim(102, [("X-Fill", "x".repeat(1000))]).await?;
            }
            let refused = responder.send_interim(101, [("Upgrade", "x")]).await;
            gate.pass().await;
            Ok::<_, Misuse>(Response::text(format!("{is_new} {refused:?}")))
        }
    });
    let mut client = server.connect();
    client.send(get("/"));
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n";
    assert_eq!(client.take(hints.len()), hints.as_bytes());
    let progress = format!("HTTP/1.1 102 Processing\r\nX-Fill: {}\r\n\r\n", "x".repeat(1000));
    for _ in 0..200 {
        assert_eq!(client.take(progress.len()), progress.as_bytes());
    }
    server.wait("the handler continues", || gate.arrived() == 1);
    assert!(client.is_quiet());
    gate.open();
    assert_eq!(client.response().text(), "true Err(InterimStatus(101))");
    let older = server.connect().ask("GET / HTTP/1.0\r\n\r\n");
    assert_eq!((older.status, older.text()), (200, "false Err(InterimStatus(101))"));
}

/// `send` waits if the client does not read: the handler cannot produce more than the buffers hold,
/// and all of it arrives when the client reads.
pub fn responder_waits_for_a_slow_reader<S: Stage>() {
    const PIECES: usize = 4000;
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let server = start::<S, _, _>(move |request: Request| {
        let sent = Arc::clone(&counted);
        async move {
            let mut responder = request.responder();
            responder.send_status(200)?;
            responder.send_headers([("Content-Type", "application/octet-stream")], true)?;
            for number in 0..PIECES {
                responder.send(vec![number as u8; 16 << 10]).await?;
                sent.fetch_add(1, Ordering::AcqRel);
            }
            responder.finish().await
        }
    });
    let (mut slow, mut other) = (server.connect(), server.connect());
    slow.send("GET / HTTP/1.0\r\n\r\n");
    slow.up_to(b"\r\n\r\n");
    other.send("GET / HTTP/1.0\r\n\r\n");
    other.up_to(b"\r\n\r\n");
    assert!(sent.load(Ordering::Acquire) < 2 * PIECES, "all was sent to a client that does not read");
    for client in [&mut slow, &mut other] {
        let (content, _) = client.rest();
        assert_eq!(content.len(), PIECES * (16 << 10));
        let expected = |at: usize| (at >> 14) as u8;
        assert!(content.iter().enumerate().step_by(1021).all(|(at, byte)| *byte == expected(at)));
    }
    assert_eq!(sent.load(Ordering::Acquire), 2 * PIECES);
}

/// Cookies that were set are sent with the head; `send_cookies` selects some of them.
pub fn send_cookies_sends_only_the_named_cookies<S: Stage>() {
    let server = start::<S, _, _>(async |request: Request| {
        for name in ["a", "b", "c"] {
            request.set_cookie(Cookie::new(name, "1"))?;
        }
        let mut responder = request.responder();
        responder.send_status(200)?;
        let names = ["b"];
        responder.send_cookies((request.path() == "/one").then_some(&names[..]), true)?;
        responder.finish().await
    });
    let mut client = server.connect();
    assert_eq!(client.ask(get("/all")).fields("Set-Cookie").count(), 3);
    assert_eq!(client.ask(get("/one")).fields("Set-Cookie").collect::<Vec<_>>(), ["b=1"]);
}

/// A signed cookie that the client sends back is accepted; an altered one is not. All workers and
/// connections use the same secret.
pub fn signed_cookies_are_valid_on_another_connection<S: Stage>() {
    let server = start_with::<S, _, _>(
        async |request: Request| -> Result<String, Misuse> {
            request.set_signed_cookie("user", "jo")?;
            Ok(request.signed_cookie_text("user").unwrap_or_default())
        },
        |server| server.cookie_secrets(["a secret"]).expect("a good secret"),
    );
    let response = server.connect().ask(get("/"));
    let cookie = response.field("Set-Cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie");
    let with = |cookie: &str| server.connect().ask(get_with("/", &format!("Cookie: {cookie}\r\n")));
    assert_eq!(with(cookie).text(), "jo");
    assert_eq!(with(&format!("{cookie}x")).text(), "");
}

/// `Request::time` counts from the request, on the runtime's clock.
pub fn request_time_starts_at_the_request<S: Stage>() {
    const SPAN: Duration = Duration::from_millis(100);
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let gate = waiting.clone();
        async move {
            let before = request.time();
            gate.pass().await;
            format!("{}", request.time() >= SPAN && before <= request.time())
        }
    });
    let mut client = server.connect();
    client.send(get("/"));
    server.wait("the handler runs", || gate.arrived() == 1);
    let since = server.stage.time();
    server.stage.pass(SPAN);
    server.wait("time passes", || server.stage.time() >= since + SPAN);
    gate.open();
    assert_eq!(client.response().text(), "true");
}
