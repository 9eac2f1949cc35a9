//! The limits on connections, and those of single requests.

use std::time::Duration;

#[cfg(unix)]
use httpants_driver::ListenAddress;
use httpants_driver::{BodyPolicy, Request, RequestLimits, WhenFull};

use crate::conformance::handler::Gate;
use crate::conformance::running::{get, noise, post, start_with};
#[cfg(unix)]
use crate::conformance::stage::Platform;
use crate::conformance::stage::Stage;

/// Connections over the limit of their address get 503; when clients disconnect, others are served.
pub fn connections_over_the_limit_of_an_address_get_503<S: Stage>() {
    let server = start_with::<S, _, _>(async |_: Request| "done", |server| server.max_connections_per_address(2));
    let (mut first, mut second) = (server.connect(), server.connect());
    assert_eq!(first.ask(get("/")).text(), "done");
    assert_eq!(second.ask(get("/")).text(), "done");
    // The client receives the response although it sends more than the server reads at once.
    let mut third = server.connect();
    third.send_meanwhile(post("/", "", &noise(200_000)));
    let response = third.response();
    assert_eq!((response.status, response.field("Connection")), (503, Some("close")));
    assert_eq!(response.text(), "too many connections from this address (RFC 9110 15.6.4)\n");
    third.expect_end();
    drop((first, third));
    server.wait_for_connections(1);
    let mut fourth = server.connect();
    assert_eq!(fourth.ask(get("/")).text(), "done");
    assert_eq!(server.handle.counters().connections_over_address_limit, 1);
}

/// Unix sockets have no address, so that limit does not apply to them.
#[cfg(unix)]
pub fn unix_clients_have_no_address_limit<S: Platform>() {
    let folder = tempfile::tempdir().expect("a folder");
    let unix = ListenAddress::Unix(folder.path().join("socket"));
    let added = unix.clone();
    let server =
        start_with::<S, _, _>(async |_: Request| "done", |server| server.max_connections_per_address(1).listen(added));
    let mut clients: Vec<_> = (0..5).map(|_| server.connect_to(&unix)).collect();
    for client in &mut clients {
        assert_eq!(client.ask(get("/")).text(), "done");
    }
}

/// A full server refuses connections if `when_full` says so, and serves again when a connection has
/// ended.
pub fn full_server_refuses_if_when_full_is_set<S: Stage>() {
    let server = start_with::<S, _, _>(
        async |_: Request| "done",
        |server| server.max_connections(1).when_full(WhenFull::Refuse),
    );
    let mut first = server.connect();
    assert_eq!(first.ask(get("/")).text(), "done");
    for _ in 0..70 {
        let mut client = server.connect();
        assert_eq!(client.response().status, 503);
        client.expect_end();
    }
    assert_eq!(first.ask(get("/")).text(), "done");
    drop(first);
    server.wait_for_connections(0);
    assert_eq!(server.connect().ask(get("/")).text(), "done");
    assert_eq!(server.handle.counters().closes.overloaded, 70);
}

/// At its maximum age an idle connection is closed, and one with a request after its response.
pub fn old_connection_closes_after_its_response<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let age = Duration::from_millis(500);
    let server = start_with::<S, _, _>(
        move |request: Request| {
            let gate = waiting.clone();
            async move {
                if request.path() == "/wait" {
                    gate.pass().await;
                }
                "done"
            }
        },
        |server| server.max_connection_age(age),
    );
    let (mut idle, mut busy) = (server.connect(), server.connect());
    busy.send(get("/wait"));
    assert_eq!(idle.ask(get("/")).text(), "done");
    server.wait("the handler runs", || gate.arrived() == 1);
    server.stage.pass(age);
    idle.expect_end();
    server.wait("both are old", || {
        let timeouts = server.handle.counters().timeouts;
        timeouts.of(httpants_driver::Timer::Age) == 2
    });
    assert!(busy.is_quiet());
    gate.open();
    let response = busy.response();
    assert_eq!((response.text(), response.field("Connection")), ("done", Some("close")));
    busy.expect_end();
}

/// Limits can be set for one request; the next one on its connection has those of the server.
pub fn request_has_its_own_limits<S: Stage>() {
    let span = Duration::from_millis(300);
    let server = start_with::<S, _, _>(
        async |mut request: Request| match request.body_mut().bytes().await {
            Ok(content) => content.len().to_string(),
            Err(_) => String::new(),
        },
        |server| {
            let limits = RequestLimits::new().max_body_size(20).body_timeout(span);
            server.max_body_size(10).body_policy(move |head| match head.path() {
                "/own" => BodyPolicy::Stream.with_limits(limits.clone()),
                _ => BodyPolicy::Stream,
            })
        },
    );
    let mut client = server.connect();
    assert_eq!(client.ask(post("/own", "", &noise(20))).text(), "20");
    assert_eq!(client.ask(post("/", "", &noise(11))).status, 413);
    let mut slow = server.connect();
    slow.send("POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    server.wait_for_connections(2);
    server.stage.pass(span);
    assert_eq!(slow.response().status, 408);
}

/// A handler timeout can be set for a request without a body; the others have that of the server.
pub fn request_without_a_body_has_its_own_timeout<S: Stage>() {
    let gate = Gate::default();
    let waiting = gate.clone();
    let span = Duration::from_millis(300);
    let server = start_with::<S, _, _>(
        move |_: Request| {
            let gate = waiting.clone();
            async move {
                gate.pass().await;
                "done"
            }
        },
        |server| {
            server.config(|config| config.timeouts.handler = Some(span)).request_limits(|head| {
                (head.path() == "/report").then(|| RequestLimits::new().handler_timeout(Duration::from_secs(3600)))
            })
        },
    );
    let (mut report, mut other) = (server.connect(), server.connect());
    report.send(get("/report"));
    other.send(get("/"));
    server.wait("both are handled", || gate.arrived() == 2);
    server.stage.pass(span);
    assert_eq!(other.response().status, 503);
    gate.open();
    assert_eq!(report.response().text(), "done");
    // The next request of the connection has the timeout of the server again.
    assert_eq!(report.ask(get("/")).text(), "done");
}
