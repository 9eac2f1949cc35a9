//! Clients that disconnect while their handler runs, or end only their sending side.

use std::time::Duration;

use httpants_driver::protocol::Config;
use httpants_driver::{BodyPolicy, Request, Response, Server};

use crate::conformance::handler::{CaseHandler, Gate};
use crate::conformance::running::{Running, get, start_with};
use crate::conformance::stage::Stage;

/// The gates of the handlers.
#[derive(Clone, Default)]
pub(super) struct Gates {
    /// The gate at which `/slow` waits.
    pub(super) slow: Gate,
    /// The gate at which `/watch` arrives after its client has disconnected.
    pub(super) left: Gate,
    /// A value that every running handler holds.
    pub(super) held: std::sync::Arc<()>,
}

impl Gates {
    /// Returns the number of running handlers.
    pub(super) fn running(&self) -> usize {
        // Minus the clones of the case and of the application.
        std::sync::Arc::strong_count(&self.held) - 2
    }
}

/// Starts a server whose handlers do not read bodies.
pub(super) fn serve<S: Stage>(change: impl FnOnce(&mut Config)) -> (Running<S>, Gates) {
    let gates = Gates::default();
    let kept = gates.clone();
    let handler = move |request: Request| {
        let gates = kept.clone();
        async move {
            let gates = gates;
            match request.path() {
                "/slow" => gates.slow.pass().await,
                "/watch" | "/watch-on" => {
                    request.peer_closed().await;
                    gates.left.open();
                    gates.left.pass().await;
                    if request.path() == "/watch-on" {
                        gates.slow.pass().await;
                    }
                }
                _ => {}
            }
            Response::text(request.is_peer_closed().to_string())
        }
    };
    let settings = |server: Server<S::Runtime, CaseHandler>| server.body_policy(|_| BodyPolicy::Stream).config(change);
    (start_with(handler, settings), gates)
}

/// A timeout that is as short as a busy machine allows.
const SPAN: Duration = Duration::from_millis(300);

/// A client that ended its sending side gets its response, and its handler is notified of the end.
pub fn half_closed_client_is_served<S: Stage>() {
    let (server, gates) = serve::<S>(|_| {});
    let mut client = server.connect();
    client.send(get("/watch"));
    server.wait("the handler runs", || gates.running() == 1);
    assert!(client.is_quiet());
    client.end();
    server.wait("the handler is notified of the end", || gates.left.arrived() == 1);
    assert_eq!(client.response().text(), "true");
    client.expect_end();
    server.wait_for_connections(0);
}

/// If the response does not begin within the timeout, a half-closed client gets 503.
pub fn half_closed_client_gets_503_after_the_timeout<S: Stage>() {
    let (server, gates) = serve::<S>(|config| config.timeouts.half_closed = Some(SPAN));
    let mut client = server.connect();
    client.send(get("/slow"));
    server.wait("the handler runs", || gates.slow.arrived() == 1);
    let since = server.stage.time();
    client.end();
    server.stage.pass(SPAN);
    assert_eq!(client.response().status, 503);
    assert!(server.stage.time() - since >= SPAN, "before its time");
    client.expect_end();
    server.wait("the handler is dropped", || gates.running() == 0);
    server.wait_for_connections(0);
}

/// A hundred clients disconnect while their slow handlers run: none of them holds a connection
/// longer than the timeout of half-closed ones.
pub fn closed_clients_are_dropped_in_time<S: Stage>() {
    let (server, gates) = serve::<S>(|config| config.timeouts.half_closed = Some(SPAN));
    for _ in 0..100 {
        let mut client = server.connect();
        client.send(get("/slow"));
        drop(client);
    }
    server.wait("the handlers run", || gates.slow.arrived() == 100);
    server.stage.pass(SPAN);
    server.wait_for_connections(0);
    assert_eq!(gates.running(), 0);
}
