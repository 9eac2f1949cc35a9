//! The shutdown of a server.

use std::time::Duration;

use httpants_driver::{Request, Response};

use crate::conformance::handler::Gate;
use crate::conformance::running::{Running, get, start};
use crate::conformance::stage::{Platform, Stage};

const LONG: Duration = Duration::from_secs(60);

/// Starts a server that responds at once, except to `/slow`, to which it responds when the gate
/// opens.
fn serve<S: Stage>() -> (Running<S>, Gate) {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start(move |request: Request| {
        let gate = waiting.clone();
        async move {
            if request.path() == "/slow" {
                gate.pass().await;
            }
            "done"
        }
    });
    (server, gate)
}

/// If no request is running, idle connections and the server end at once, whatever the grace.
pub fn idle_connections_are_closed_at_once<S: Stage>() {
    let (mut server, _) = serve::<S>();
    let mut clients: Vec<_> = (0..20).map(|_| server.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.ask(get("/")).text(), "done");
    }
    server.handle.shutdown(LONG);
    assert!(server.handle.is_draining());
    clients.iter_mut().for_each(|client| client.expect_end());
    drop(clients);
    server.stage.end();
}

/// A running request is finished, its response has `Connection: close`, and the server ends after
/// it.
pub fn running_request_is_finished_with_connection_close<S: Stage>() {
    let (mut server, gate) = serve::<S>();
    let (mut busy, mut idle) = (server.connect(), server.connect());
    assert_eq!(idle.ask(get("/")).text(), "done");
    busy.send(get("/slow"));
    server.wait("the handler runs", || gate.arrived() == 1);
    server.handle.shutdown(LONG);
    idle.expect_end();
    drop(idle);
    server.wait_for_connections(1);
    assert!(busy.is_quiet());
    gate.open();
    let response = busy.response();
    assert_eq!((response.text(), response.field("Connection")), ("done", Some("close")));
    busy.expect_end();
    drop(busy);
    server.stage.end();
}

/// A request of which a part was received is still read and gets a response.
pub fn partially_received_request_still_gets_a_response<S: Stage>() {
    let (mut server, _) = serve::<S>();
    let mut client = server.connect();
    let head = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
    assert_eq!(client.ask(head).status, 100);
    server.handle.shutdown(LONG);
    client.send("half");
    assert_eq!(client.response().text(), "done");
    client.expect_end();
    drop(client);
    server.stage.end();
}

/// A request that runs longer than the grace is dropped.
pub fn request_is_dropped_at_the_end_of_the_grace<S: Stage>() {
    let (mut server, gate) = serve::<S>();
    let mut busy = server.connect();
    busy.send(get("/slow"));
    server.wait("the handler runs", || gate.arrived() == 1);
    let grace = Duration::from_millis(200);
    let since = server.stage.time();
    server.handle.shutdown(grace);
    server.stage.pass(grace);
    busy.expect_close();
    assert!(server.stage.time() - since >= grace, "dropped before the grace was over");
    server.stage.end();
}

/// A delayed shutdown begins when its delay is over; a later call with a longer delay does not
/// extend it.
pub fn delayed_shutdown_begins_after_its_delay<S: Stage>() {
    let (mut server, gate) = serve::<S>();
    let (mut busy, mut idle) = (server.connect(), server.connect());
    assert_eq!(idle.ask(get("/")).text(), "done");
    busy.send(get("/slow"));
    server.wait("the handler runs", || gate.arrived() == 1);
    let delay = Duration::from_millis(300);
    let since = server.stage.time();
    server.handle.shutdown_after(delay, LONG);
    server.handle.shutdown_after(LONG, LONG);
    server.stage.pass(delay);
    idle.expect_end();
    assert!(server.handle.is_draining() && server.stage.time() - since >= delay, "the shutdown began before its delay");
    drop(idle);
    gate.open();
    let response = busy.response();
    assert_eq!((response.text(), response.field("Connection")), ("done", Some("close")));
    drop(busy);
    server.stage.end();
}

/// Until the delay is over, connections are accepted and requests are served as before: only
/// `is_ready` differs. `shutdown` ends the delay.
pub fn server_serves_until_the_delay_ends_or_shutdown<S: Stage>() {
    let (mut server, _) = serve::<S>();
    let mut known = server.connect();
    assert_eq!(known.ask(get("/")).text(), "done");
    assert!(server.handle.is_ready());
    server.handle.shutdown_after(LONG, LONG);
    let mut new = server.connect();
    for client in [&mut known, &mut new] {
        for _ in 0..2 {
            let response = client.ask(get("/"));
            assert_eq!((response.text(), response.field("Connection")), ("done", None));
        }
    }
    assert!(!server.handle.is_ready() && !server.handle.is_draining());
    server.handle.shutdown(LONG);
    known.expect_end();
    new.expect_end();
    assert!(!server.handle.is_ready() && server.handle.is_draining());
    drop((known, new));
    server.stage.end();
}

/// `close` drops open connections, busy or not, also after a shutdown with a longer grace.
pub fn close_drops_open_connections<S: Stage>() {
    let (mut server, gate) = serve::<S>();
    let (mut busy, mut idle) = (server.connect(), server.connect());
    assert_eq!(idle.ask(get("/")).text(), "done");
    busy.send(get("/slow"));
    server.wait("the handler runs", || gate.arrived() == 1);
    server.handle.shutdown(LONG);
    server.handle.close();
    idle.expect_close();
    busy.expect_close();
    server.stage.end();
}

/// A handler can stop the server.
pub fn handler_may_shut_down_the_server<S: Stage>() {
    let mut server = start::<S, _, _>(|request: Request| {
        request.server_handle().shutdown(LONG);
        async { "good bye" }
    });
    let mut client = server.connect();
    assert_eq!(client.ask(get("/")).text(), "good bye");
    client.expect_end();
    drop(client);
    server.stage.end();
}

/// A handler that waits for the shutdown finishes its response long before the grace is over.
pub fn response_can_end_when_a_shutdown_begins<S: Stage>() {
    let mut server = start::<S, _, _>(async |request: Request| {
        let mut responder = request.responder();
        responder.send_status(200)?;
        responder.send("hello, ").await?;
        request.server_handle().draining().await;
        responder.send("good bye").await?;
        responder.finish().await
    });
    let mut client = server.connect();
    client.send(get("/"));
    server.wait("the response has begun", || server.handle.counters().bytes_sent > 0);
    server.handle.shutdown(LONG);
    assert_eq!(client.response().text(), "hello, good bye");
    client.expect_end();
    drop(client);
    server.stage.end();
}

/// A server that drains no longer listens: a client that connects is refused, or gets no response.
pub fn draining_server_accepts_no_connections<S: Platform>() {
    let (server, gate) = serve::<S>();
    let address = server.stage.addresses()[0].clone();
    let mut busy = server.connect();
    busy.send(get("/slow"));
    server.wait("the handler runs", || gate.arrived() == 1);
    server.handle.shutdown(LONG);
    server.wait("the port is closed", || server.stage.connect_to(&address).is_err());
    gate.open();
    assert_eq!(busy.response().text(), "done");
}

/// A request that was received while the handler of the previous one was running is served after
/// that response, with `Connection: close`.
pub fn pending_request_is_served_during_shutdown<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let server = start::<S, _, _>(move |request: Request| {
        let gate = waiting.clone();
        async move {
            if request.path() != "/early" {
                return Response::text("done");
            }
            let responded = request.responder().send_response("early", 200, "text/plain").expect("a response");
            gate.pass().await;
            responded
        }
    });
    let mut client = server.connect();
    client.send([get("/early"), get("/")].concat());
    assert_eq!(client.response().text(), "early");
    server.wait("the handler runs", || gate.arrived() == 1);
    server.handle.shutdown(LONG);
    assert!(client.is_quiet());
    gate.open();
    let response = client.response();
    assert_eq!((response.text(), response.field("Connection")), ("done", Some("close")));
    client.expect_end();
}
