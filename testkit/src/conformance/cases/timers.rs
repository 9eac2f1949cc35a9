//! Each timer of a connection runs out: not before its time, and then it does what it is for.

use std::future::pending;
use std::time::Duration;

use httpants_driver::protocol::Config;
use httpants_driver::{Request, Response, Server};

use crate::conformance::handler::CaseHandler;
use crate::conformance::running::{Running, get, noise, post, start_with};
use crate::conformance::stage::Stage;

/// As short as a machine under load allows; the timers that are not looked at are long.
const SPAN: Duration = Duration::from_millis(150);

fn serve<S: Stage>(change: impl FnOnce(&mut Config)) -> Running<S> {
    let settings = |server: Server<S::Runtime, CaseHandler>| {
        server.config(|config| {
            let timeouts = &mut config.timeouts;
            for timer in [&mut timeouts.accept, &mut timeouts.head, &mut timeouts.idle, &mut timeouts.body] {
                *timer = Some(Duration::from_secs(60));
            }
            timeouts.linger = Some(Duration::from_secs(60));
            timeouts.refusal_linger_idle = Some(Duration::from_secs(60));
            change(config);
        })
    };
    start_with(
        async |request: Request| match request.path() {
            "/never" => pending().await,
            "/large" => Response::bytes("text/plain", noise(64 << 20)),
            _ => "ok".into(),
        },
        settings,
    )
}

/// Runs steps that must take at least the span.
fn timed<S: Stage, T>(server: &Running<S>, scene: impl FnOnce() -> T) -> T {
    let since = server.stage.time();
    let result = scene();
    let took = server.stage.time() - since;
    assert!(took >= SPAN, "the timer ran out after {took:?}, before its time");
    result
}

/// A client that connects and says nothing is let go.
pub fn a_silent_client_is_let_go<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.accept = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        server.wait_for_connections(1);
        server.stage.pass(SPAN);
        client.expect_end();
    });
}

/// A head that does not end gets a 408.
pub fn a_slow_head_is_a_408<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.head = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        client.send("GET / HTTP/1.1\r\nHost:");
        server.wait_for_connections(1);
        server.stage.pass(SPAN);
        assert_eq!(client.response().status, 408);
        client.expect_end();
    });
}

/// A connection that is kept is closed when no request follows.
pub fn an_idle_connection_is_closed<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.idle = Some(SPAN));
    let mut client = server.connect();
    for _ in 0..3 {
        timed(&server, || {
            assert_eq!(client.ask(get("/")).text(), "ok");
            server.stage.pass(SPAN);
            client.expect_end();
        });
        client = server.connect();
    }
}

/// Content that stops coming gets a 408.
pub fn a_slow_body_is_a_408<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.body = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
        server.wait_for_connections(1);
        server.stage.pass(SPAN);
        assert_eq!(client.response().status, 408);
        client.expect_end();
    });
}

/// A client that does not read its response is dropped.
pub fn a_client_that_does_not_read_is_dropped<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.write = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        client.send(get("/large"));
        client.take(1000);
        server.stage.pass(SPAN);
        server.wait_for_connections(0);
        assert!(client.rest().0.len() < 64 << 20, "it looks whole");
    });
}

/// Behind a refusal the client's end is awaited, so that it reads the response and not a reset;
/// but not for long.
pub fn a_client_that_does_not_leave_is_left<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.refusal_linger_idle = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        client.send("nonsense\r\n\r\n");
        assert_eq!(client.response().status, 400);
        client.expect_end();
        server.stage.pass(SPAN);
        server.wait_for_connections(0);
    });
}

/// What the client still sends behind the refusal is read and dropped meanwhile; its end is the
/// end, at once.
pub fn a_client_that_leaves_behind_a_refusal_is_gone_at_once<S: Stage>() {
    let server = serve::<S>(|_| {});
    let mut client = server.connect();
    client.send([b"nonsense\r\n\r\n".as_slice(), &noise(100_000)].concat());
    assert_eq!(client.response().status, 400);
    client.expect_end();
    assert_eq!(server.handle.connections(), 1);
    client.end();
    server.wait_for_connections(0);
}

/// A handler that takes too long is a 503, where that timer is set.
pub fn a_slow_handler_is_a_503<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.handler = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        client.send(get("/never"));
        server.wait_for_connections(1);
        server.stage.pass(SPAN);
        assert_eq!(client.response().status, 503);
    });
}

/// Content that keeps coming is no reason to run out, however long it takes in all.
pub fn content_that_keeps_coming_is_waited_for<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.body = Some(Duration::from_secs(5)));
    let mut client = server.connect();
    let request = post("/", "", &[b'x'; 8]);
    let (head, content) = request.split_at(request.len() - 8);
    client.send(head);
    for byte in content {
        server.stage.pass(Duration::from_secs(1));
        client.send([*byte]);
    }
    assert_eq!(client.response().text(), "ok");
}
