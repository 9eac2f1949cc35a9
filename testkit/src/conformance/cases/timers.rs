//! Each timer of a connection expires: not before its time, and with its documented effect.

use std::future::pending;
use std::time::Duration;

use httpants_driver::protocol::Config;
use httpants_driver::{Request, Response, Server};

use crate::conformance::handler::CaseHandler;
use crate::conformance::running::{Running, get, noise, post, start_with};
use crate::conformance::stage::Stage;

/// A timeout that is as short as a busy machine allows; the timers that are not tested are long.
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

/// Runs a scene that must take at least [`SPAN`].
fn timed<S: Stage, T>(server: &Running<S>, scene: impl FnOnce() -> T) -> T {
    let since = server.stage.time();
    let result = scene();
    let took = server.stage.time() - since;
    assert!(took >= SPAN, "the timer ran out after {took:?}, before its time");
    result
}

/// A client that connects and sends nothing is disconnected.
pub fn silent_client_is_disconnected<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.accept = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        server.wait_for_connections(1);
        server.stage.pass(SPAN);
        client.expect_end();
    });
}

/// An incomplete head gets 408.
pub fn slow_head_is_a_408<S: Stage>() {
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

/// An idle connection is closed if no request follows.
pub fn idle_connection_is_closed<S: Stage>() {
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

/// A body that stops arriving gets 408.
pub fn slow_body_is_a_408<S: Stage>() {
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
pub fn client_that_does_not_read_is_dropped<S: Stage>() {
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

/// After a refusal, the server waits for the end of the client's stream, so that the client can
/// read the response instead of getting a reset; but only for a limited time.
pub fn client_that_stays_after_a_refusal_is_closed<S: Stage>() {
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

/// Bytes that the client still sends after the refusal are read and dropped meanwhile; when the
/// client ends its stream, the connection is closed at once.
pub fn client_that_closes_after_a_refusal_is_closed_at_once<S: Stage>() {
    let server = serve::<S>(|_| {});
    let mut client = server.connect();
    client.send([b"nonsense\r\n\r\n".as_slice(), &noise(100_000)].concat());
    assert_eq!(client.response().status, 400);
    client.expect_end();
    assert_eq!(server.handle.connections(), 1);
    client.end();
    server.wait_for_connections(0);
}

/// A handler that takes too long gets its client 503, if that timer is set.
pub fn slow_handler_is_a_503<S: Stage>() {
    let server = serve::<S>(|config| config.timeouts.handler = Some(SPAN));
    timed(&server, || {
        let mut client = server.connect();
        client.send(get("/never"));
        server.wait_for_connections(1);
        server.stage.pass(SPAN);
        assert_eq!(client.response().status, 503);
    });
}

/// A body that keeps arriving does not time out, however long it takes in total.
pub fn body_that_keeps_arriving_does_not_time_out<S: Stage>() {
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
