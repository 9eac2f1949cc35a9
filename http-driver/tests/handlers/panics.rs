//! Tests of application code that panics when called, polled or dropped: only its own request is
//! affected.

use std::future::{Future, pending};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{AccessLog, BodyPolicy, Handler, Request, Response, Server};
use httpants_testkit::memory::{Client, Memory};

use crate::world::{ReceivedResponse, World, failed, get, in_time, ok, post, responses, start, start_with};

/// A value that panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("on purpose");
    }
}

/// A stream that yields this many pieces; then it panics, ends or waits.
struct Pieces<D>(usize, AfterPieces, D);

#[derive(Clone, Copy)]
enum AfterPieces {
    Panic,
    End,
    Nothing,
}

impl<D: Unpin> Stream for Pieces<D> {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.0 > 0 {
            self.0 -= 1;
            return Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))));
        }
        match self.1 {
            AfterPieces::Panic => panic!("on purpose"),
            AfterPieces::End => Poll::Ready(None),
            AfterPieces::Nothing => Poll::Pending,
        }
    }
}

/// A future that is ready at once, and panics when it is dropped.
struct ReadyResponse(Option<Response>, Panics);

impl Future for ReadyResponse {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Response> {
        Poll::Ready(self.0.take().unwrap())
    }
}

type Handling = Pin<Box<dyn Future<Output = Response>>>;

/// Panics as selected by the path.
fn application(_: Memory, request: Request) -> Handling {
    let path = request.path().to_owned();
    match &*path {
        "/function" => panic!("on purpose"),
        "/future" => Box::pin(async { panic!("on purpose") }),
        "/drop-of-future" => Box::pin(ReadyResponse(Some("done".into()), Panics)),
        "/drop-of-waiting-future" => Box::pin(async {
            let _panics = Panics;
            pending().await
        }),
        "/drop-after-response" => Box::pin(async move {
            let _panics = Panics;
            let _ = request.responder().send_response("sent", 200, "text/plain");
            pending().await
        }),
        _ => Box::pin(async move { respond(&path) }),
    }
}

/// Returns a response that panics while it is sent, or when it is dropped because it cannot be
/// sent.
fn respond(path: &str) -> Response {
    let upgrade = async |_| {
        let _panics = Panics;
        pending::<()>().await;
    };
    match path {
        "/first-poll-of-stream" => Response::stream(Pieces(0, AfterPieces::Panic, ())),
        "/late-poll-of-stream" => Response::stream(Pieces(3, AfterPieces::Panic, ())),
        "/drop-of-stream" | "/head-of-stream" => Response::stream(Pieces(2, AfterPieces::End, Panics)),
        "/drop-of-waiting-stream" => Response::stream(Pieces(2, AfterPieces::Nothing, Panics)),
        "/drop-of-unsent-stream" => Response::stream(Pieces(2, AfterPieces::End, Panics)).with_header("A", "\n"),
        "/upgrade" => Response::upgrade("echo", async |_| panic!("on purpose")),
        "/upgrade-function" => Response::upgrade("echo", |_| -> std::future::Ready<()> { panic!("on purpose") }),
        "/drop-of-upgrade" => Response::upgrade("echo", upgrade),
        "/drop-of-unsent-upgrade" => {
            let panics = Panics;
            Response::upgrade("echo", move |_| async move { drop(panics) })
        }
        path => Response::text(path.to_owned()),
    }
}

/// Sends the request between two others on one connection; returns the later two responses, if any,
/// and the client.
fn run_scene(world: &World, request: impl AsRef<str>) -> (Vec<ReceivedResponse>, Client) {
    let client = world.connect();
    let mut received = world.ask(&client, get("/before") + request.as_ref() + &get("/after"));
    assert!(!received.is_empty(), "the previous response is lost");
    assert_eq!(received.remove(0), ok("/before"), "the previous response is complete");
    world.assert_serves_others();
    (received, client)
}

fn panics(world: &World) -> u64 {
    world.handle.counters().handler_panics
}

#[test]
fn panic_before_a_response_is_only_a_500() {
    let before_a_head =
        ["/function", "/future", "/first-poll-of-stream", "/drop-of-unsent-stream", "/drop-of-unsent-upgrade"];
    for path in before_a_head {
        in_time(move || {
            let world = start(application);
            let (received, client) = run_scene(&world, get(path));
            assert_eq!(received, [failed(), ok("/after")], "{path}");
            assert!(!client.is_ended() && panics(&world) == 1, "{path}");
        });
    }
}

#[test]
fn panic_after_a_response_does_not_change_it() {
    for (path, body) in [("/drop-of-future", "done"), ("/drop-of-stream", "piecepiece")] {
        in_time(move || {
            let world = start(application);
            let (received, client) = run_scene(&world, get(path));
            assert_eq!(received, [ok(body), ok("/after")], "{path}");
            assert!(!client.is_ended() && panics(&world) == 1, "{path}");
        });
    }
}

#[test]
fn panic_dropping_a_stream_for_head_changes_nothing() {
    let world = start(application);
    let client = world.client("HEAD /head-of-stream HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.take_received().starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert_eq!(world.ask(&client, get("/after")), [ok("/after")]);
    assert_eq!(panics(&world), 1);
}

#[test]
fn panic_within_a_response_breaks_the_connection() {
    let world = start(application);
    let (received, client) = run_scene(&world, get("/late-poll-of-stream"));
    assert_eq!(received, [(200, None)], "it does not look complete");
    assert!(client.is_ended() && panics(&world) == 1);
}

#[test]
fn panic_of_an_upgrade_ends_its_connection() {
    for path in ["/upgrade", "/upgrade-function"] {
        let world = start(application);
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        let (received, client) = run_scene(&world, request);
        assert_eq!(received[0].0, 101, "{path}");
        assert!(client.is_closed() && panics(&world) == 1, "{path}");
    }
}

#[test]
fn panic_in_body_policy_is_only_a_500() {
    let world = start_with(application, |server| {
        server.body_policy(|head| if head.path() == "/panic" { panic!("on purpose") } else { BodyPolicy::Buffer })
    });
    for body in ["", "12345"] {
        let (received, client) = run_scene(&world, post("/panic", body));
        let expected = if body.is_empty() { ok("/panic") } else { failed() };
        assert_eq!(received, [expected, ok("/after")], "it is not called without a body");
        assert!(!client.is_ended());
    }
    assert_eq!(panics(&world), 1);
}

/// A handler with its own body policy.
struct PolicyHandler;

impl Handler for PolicyHandler {
    type Output = Response;
    type Future = Handling;

    fn call(&self, request: Request) -> Handling {
        Box::pin(async move { Response::text(request.path().to_owned()) })
    }

    fn body_policy(&self, _: &httpants_driver::protocol::RequestHead) -> BodyPolicy {
        panic!("on purpose")
    }
}

#[test]
fn panic_in_body_policy_of_the_handler_is_only_a_500() {
    let memory = Memory::new();
    let handle = memory.start(Server::with_runtime(memory.clone(), PolicyHandler));
    let world = World { memory, handle };
    // The larger body exceeds the drain limit.
    for size in [5, 100_000] {
        let (received, client) = run_scene(&world, post("/", &"x".repeat(size)));
        assert_eq!(received[0], failed());
        assert_eq!((received.len(), client.is_ended()), if size == 5 { (2, false) } else { (1, true) });
    }
    assert_eq!(panics(&world), 2);
}

/// A value that panics when it is converted to a response.
struct PanicsInConversion;

impl From<PanicsInConversion> for Response {
    fn from(_: PanicsInConversion) -> Self {
        panic!("on purpose")
    }
}

#[test]
fn panic_in_the_conversion_to_a_response_is_a_500() {
    let world = start(async |_, request: Request| match request.path() {
        "/panic" => Err(PanicsInConversion),
        path => Ok(Response::text(path.to_owned())),
    });
    let (received, _client) = run_scene(&world, get("/panic"));
    assert_eq!(received, [failed(), ok("/after")]);
}

#[test]
fn panic_in_the_access_log_loses_only_its_line() {
    let log = AccessLog::common(|line| assert!(!line.contains("GET /panic"), "on purpose"));
    let world = start_with(application, |server| server.access_log(log));
    let (received, client) = run_scene(&world, get("/panic"));
    assert_eq!(received, [ok("/panic"), ok("/after")]);
    assert!(!client.is_ended() && panics(&world) == 1);
    let waiting = world.client(get("/drop-of-waiting-stream"));
    world.handle.close();
    world.memory.run();
    assert!(waiting.is_closed() && world.memory.tasks() == 0);
}

const WAITING: [&str; 4] =
    ["/drop-of-waiting-future", "/drop-after-response", "/drop-of-waiting-stream", "/drop-of-upgrade"];

/// Returns the request, which always offers an upgrade.
fn offer(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
}

#[test]
fn panic_in_drop_at_close_does_not_stop_the_runtime() {
    for path in WAITING {
        in_time(move || {
            let world = start(application);
            let clients = [world.client(offer(path)), world.client(offer(path))];
            world.handle.close();
            world.memory.run();
            assert!(clients.iter().all(Client::is_closed), "{path}");
            assert_eq!((world.handle.connections(), world.memory.tasks(), panics(&world)), (0, 0, 2), "{path}");
        });
    }
}

#[test]
fn panic_in_drop_after_a_disconnect_is_caught() {
    let world = start(application);
    let client = world.client(get("/drop-after-response"));
    client.end();
    world.memory.run();
    assert!(client.is_closed() && world.handle.connections() == 1);
    world.handle.close();
    world.memory.run();
    assert_eq!((world.handle.connections(), world.memory.tasks(), panics(&world)), (0, 0, 1));
}

#[test]
fn panic_in_drop_at_reset_does_not_affect_others() {
    for path in ["/drop-of-waiting-future", "/drop-of-waiting-stream"] {
        in_time(move || {
            let world = start(application);
            let client = world.client(offer(path));
            client.reset();
            world.memory.run();
            world.assert_left();
            world.assert_serves_others();
            assert_eq!(panics(&world), 1, "{path}");
            let _ = responses(&client);
        });
    }
}

/// The payload of a panic may panic when it is dropped.
#[test]
fn panic_with_a_value_that_panics_is_only_a_500() {
    let handler = async |_, request: Request| {
        if request.path() == "/value" {
            resume_unwind(Box::new(Panics));
        }
        Response::text(request.path().to_owned())
    };
    let world = start(handler);
    let (received, client) = run_scene(&world, get("/value"));
    assert_eq!(received, [failed(), ok("/after")]);
    assert!(!client.is_ended() && panics(&world) == 1);
}
