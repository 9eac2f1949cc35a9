//! Tests of application code that uses its request or the server from any callback or destructor.
//! None of it runs under a lock; a deadlock fails the test.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::runtime::sleep;
use httpants_driver::{AccessLog, Handle, Misuse, Request, Response};

use crate::world::{
    Notes, World, failed, get, in_time, millis, ok, post_head, responses, seconds, start, start_streaming, start_with,
    text,
};

/// Calls the methods of the request that take the connection's lock.
pub(crate) fn ask(request: &Request) -> bool {
    let _ = (request.time(), request.trailers(), request.is_peer_closed());
    request.set_cookie(("asked", "yes")).is_ok()
}

/// A value that uses the request when it is dropped, and records that.
pub(crate) struct UsesRequest {
    pub(crate) request: Request,
    pub(crate) notes: Notes,
}

impl Drop for UsesRequest {
    fn drop(&mut self) {
        ask(&self.request);
        self.notes.add("dropped");
    }
}

/// A stream that yields a piece repeatedly, or waits forever.
struct Pieces {
    _asks: UsesRequest,
    left: usize,
    ends: bool,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.left.checked_sub(1) {
            Some(fewer) => {
                self.left = fewer;
                Poll::Ready(Some(Ok(Bytes::from_static(b"piece"))))
            }
            None if self.ends => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// The ways in which the client or the server ends the connection.
#[derive(Clone, Copy, Debug)]
enum End {
    Nothing,
    ClientResets,
    ServerCloses,
    GraceEnds,
}

impl End {
    const ALL: [Self; 4] = [Self::Nothing, Self::ClientResets, Self::ServerCloses, Self::GraceEnds];

    fn apply(self, world: &World, client: &httpants_testkit::memory::Client) {
        match self {
            Self::Nothing => {}
            Self::ClientResets => client.reset(),
            Self::ServerCloses => world.handle.close(),
            Self::GraceEnds => world.handle.shutdown(seconds(1)),
        }
        world.memory.advance(seconds(1));
    }
}

#[test]
fn drop_of_a_stream_may_use_the_request() {
    for end in End::ALL {
        for method in ["GET", "HEAD"] {
            in_time(move || {
                let notes = Notes::default();
                let kept = notes.clone();
                let world = start(move |_, request: Request| {
                    let asks = UsesRequest { request, notes: kept.clone() };
                    async move { Response::stream(Pieces { _asks: asks, left: 3, ends: matches!(end, End::Nothing) }) }
                });
                let client = world.client(format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n"));
                end.apply(&world, &client);
                assert_eq!(notes.take(), ["dropped"], "{method} {end:?}");
                assert!(text(&client).starts_with("HTTP/1.1 200 OK\r\n"));
            });
        }
    }
}

#[test]
fn drop_of_a_handler_may_use_the_request() {
    for end in End::ALL {
        in_time(move || {
            let notes = Notes::default();
            let kept = notes.clone();
            let world = start_streaming(move |_, request: Request| {
                let asks = UsesRequest { request, notes: kept.clone() };
                async move {
                    if !matches!(end, End::Nothing) {
                        pending::<()>().await;
                    }
                    let _ = &asks;
                    "served"
                }
            });
            let client = world.client(post_head("/", 10) + "12345");
            end.apply(&world, &client);
            assert_eq!(notes.take(), ["dropped"], "{end:?}");
        });
    }
}

/// A future that waits forever, and uses the request when it is polled and dropped.
struct PollsRequest(UsesRequest);

impl Future for PollsRequest {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        ask(&self.0.request);
        Poll::Pending
    }
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

#[test]
fn upgrade_may_use_its_request() {
    for end in [End::Nothing, End::ServerCloses, End::GraceEnds] {
        in_time(move || {
            let notes = Notes::default();
            let kept = notes.clone();
            let world = start(move |_, request: Request| {
                let asks = UsesRequest { request, notes: kept.clone() };
                async move {
                    Response::upgrade("echo", move |_| {
                        asks.notes.add(format!("closed: {}", asks.request.is_peer_closed()));
                        let ends = matches!(end, End::Nothing);
                        async move { if ends { drop(asks) } else { PollsRequest(asks).await } }
                    })
                }
            });
            let client = world.client(UPGRADE);
            assert!(text(&client).starts_with("HTTP/1.1 101 "));
            end.apply(&world, &client);
            assert_eq!(notes.take(), ["closed: true", "dropped"], "{end:?}");
            assert_eq!(world.handle.connections(), 0);
        });
    }
}

/// The closure is dropped without being called.
#[test]
fn refused_upgrade_may_use_its_request_on_drop() {
    in_time(|| {
        let notes = Notes::default();
        let kept = notes.clone();
        let world = start(move |_, request: Request| {
            let asks = UsesRequest { request, notes: kept.clone() };
            async move { Response::upgrade("echo", move |_| async move { drop(asks) }) }
        });
        let client = world.connect();
        assert_eq!(world.ask(&client, get("/")), [failed()]);
        assert_eq!(notes.take(), ["dropped"]);
    });
}

#[test]
fn header_iterator_may_use_the_request() {
    in_time(|| {
        let world = start(async |_, request: Request| {
            let mut responder = request.responder();
            responder.send_status(200)?;
            let lazy = ["X-One", "X-Two"].iter().map(|name| (*name, ask(&request).to_string()));
            responder.send_headers(lazy, true)?;
            responder.finish().await
        });
        let client = world.client(get("/"));
        let received = text(&client);
        assert!(received.contains("X-One: true\r\nX-Two: true\r\n"), "{received}");
    });
}

#[test]
fn file_header_iterator_may_use_the_request() {
    in_time(|| {
        let world = start(async |_, request: Request| {
            let lazy = ["X-One"].iter().map(|name| (*name, ask(&request).to_string()));
            request.responder().send_file("nowhere/at/all", None, true, lazy)
        });
        let client = world.client(get("/"));
        assert!(text(&client).starts_with("HTTP/1.1 404 "));
    });
}

#[test]
fn cookie_closure_may_use_the_request() {
    in_time(|| {
        let world = start(async |_, request: Request| {
            let adjust = |cookie: httpants_driver::protocol::cookies::CookieBuilder<'static>| {
                assert!(ask(&request));
                cookie.secure(true)
            };
            request.set_signed_cookie_with("name", "value", seconds(60), adjust)?;
            Ok::<_, Misuse>("set")
        });
        let client = world.client(get("/"));
        let received = text(&client);
        assert!(received.contains("Set-Cookie: asked=yes") && received.contains("Set-Cookie: name="), "{received}");
    });
}

#[test]
fn access_log_may_query_and_stop_the_server() {
    for stop in [None, Some(Duration::ZERO), Some(seconds(5))] {
        in_time(move || {
            let (known, notes) = (Arc::new(OnceLock::<Handle>::new()), Notes::default());
            let (handle, lines) = (Arc::clone(&known), notes.clone());
            let log = AccessLog::common(move |_| {
                let handle = handle.get().unwrap();
                lines.add(format!("{} {}", handle.connections(), handle.counters().requests));
                match stop {
                    Some(Duration::ZERO) => handle.close(),
                    Some(grace) => handle.shutdown(grace),
                    None => {}
                }
            });
            let world = start_with(async |_, _: Request| "served", |server| server.access_log(log));
            known.set(world.handle.clone()).unwrap();
            let client = world.connect();
            assert_eq!(world.ask(&client, get("/")), [ok("served")]);
            assert_eq!(notes.take(), ["1 1"]);
            assert_eq!(client.is_ended(), stop.is_some());
        });
    }
}

/// Log lines are also written while the connection is dropped.
#[test]
fn access_log_of_a_dropped_connection_may_use_the_server() {
    in_time(|| {
        let (known, notes) = (Arc::new(OnceLock::<Handle>::new()), Notes::default());
        let (handle, lines) = (Arc::clone(&known), notes.clone());
        let log = AccessLog::common(move |_| lines.add(handle.get().unwrap().connections().to_string()));
        let world = start_with(async |_, _: Request| pending::<()>().await, |server| server.access_log(log));
        known.set(world.handle.clone()).unwrap();
        let _client = world.client(get("/"));
        world.handle.close();
        world.memory.run();
        assert_eq!(notes.take().len(), 1);
        assert_eq!(world.memory.tasks(), 0);
    });
}

/// The handler of a request uses the previous request.
#[test]
fn finished_request_may_be_used_by_the_next() {
    in_time(|| {
        let before: Arc<std::sync::Mutex<Vec<Request>>> = Arc::default();
        let world = start(move |memory, request: Request| {
            let before = Arc::clone(&before);
            async move {
                sleep(&memory, millis(10)).await;
                let mut before = before.lock().unwrap();
                assert!(before.iter().all(|request| !ask(request)));
                let times = before.iter().map(Request::time).collect::<Vec<_>>();
                assert!(times.iter().all(|time| *time == millis(10)), "{times:?}");
                before.push(request);
                "served"
            }
        });
        let client = world.client(get("/").repeat(3));
        world.memory.advance(seconds(1));
        assert_eq!(responses(&client), [ok("served"), ok("served"), ok("served")]);
    });
}
