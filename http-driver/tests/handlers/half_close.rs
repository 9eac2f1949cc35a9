//! Tests of half-closed clients.

use std::future::pending;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::runtime::sleep;
use httpants_driver::{BodyPolicy, Event, Events, HalfClose, Misuse, Request, Response};
use httpants_testkit::memory::{Client, Memory};

use crate::world::{Notes, OnDrop, World, get, ok, post_head, responses, seconds, start_with, text};

/// Yields one piece and then waits.
struct Waiting {
    given: bool,
    _dropped: OnDrop,
}

impl Stream for Waiting {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match std::mem::replace(&mut self.given, true) {
            true => Poll::Pending,
            false => Poll::Ready(Some(Ok(Bytes::from_static(b"piece")))),
        }
    }
}

/// A stream of events that never yields one.
struct Silent;

impl Stream for Silent {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Event>> {
        Poll::Pending
    }
}

/// Responds as selected by the path, and records what is dropped.
async fn application(memory: Memory, request: Request, notes: Notes) -> Result<Response, Misuse> {
    let path = request.path().to_owned();
    let dropped = OnDrop(notes.clone(), "dropped");
    let mut responder = request.responder();
    match &*path {
        "/never" => pending().await,
        "/begun" => {
            responder.send_status(200)?;
            responder.send("piece").await?;
            pending().await
        }
        "/stream" => Ok(Response::stream(Waiting { given: false, _dropped: dropped })),
        "/events" => Ok(Events::new(Silent).heartbeat(seconds(20)).into()),
        "/silent-events" => Ok(Events::new(Silent).without_heartbeat().into()),
        "/hints" => {
            for _ in 0..10 {
                responder.send_interim(103, [("Link", "</a.css>; rel=preload")]).await?;
                sleep(&memory, seconds(20)).await;
            }
            Ok(Response::text("after the hints"))
        }
        "/pieces" => {
            responder.send_status(200)?;
            for _ in 0..5 {
                responder.send("piece").await?;
                sleep(&memory, seconds(8)).await;
            }
            responder.finish().await
        }
        _ => {
            sleep(&memory, seconds(5)).await;
            notes.add(format!("closed: {}", request.is_peer_closed()));
            Ok(Response::text(path))
        }
    }
}

fn start(notes: &Notes, timeout: Option<Duration>, policy: HalfClose) -> World {
    let notes = notes.clone();
    let handler = move |memory, request| application(memory, request, notes.clone());
    start_with(handler, |server| {
        server.body_policy(|_| BodyPolicy::Stream).config(|config| {
            config.timeouts.half_closed = timeout;
            config.half_close = policy;
        })
    })
}

const TIMEOUT: Duration = seconds(10);

fn start_serving(notes: &Notes) -> World {
    start(notes, Some(TIMEOUT), HalfClose::Serve)
}

/// Returns clients that end their stream with the request, after it, after a body that the handler
/// does not read, and after more pipelined requests than are read ahead.
fn half_closed(world: &World, path: &str) -> Vec<(&'static str, Client)> {
    let at_once = world.connect();
    at_once.send(get(path).as_bytes());
    at_once.end();
    let later = world.client(get(path));
    later.end();
    let unread = world.client(post_head(path, 100_000) + &"x".repeat(100_000));
    unread.end();
    let pipelined = world.client(get(path) + &get("/next").repeat(2_000));
    pipelined.end();
    world.memory.run();
    assert!(unread.unread() > 0 && pipelined.unread() > 0, "unread bytes precede the end");
    vec![("at once", at_once), ("later", later), ("unread body", unread), ("pipelined", pipelined)]
}

#[test]
fn half_closed_client_is_served_within_the_timeout() {
    let notes = Notes::default();
    let world = start_serving(&notes);
    let mut clients = half_closed(&world, "/slow");
    let (_, pipelined) = clients.pop().unwrap();
    world.memory.advance(seconds(5));
    for (how, client) in clients {
        assert_eq!(responses(&client), [ok("/slow")], "{how}");
        assert!(client.is_ended(), "{how}");
    }
    assert_eq!(responses(&pipelined), [ok("/slow")]);
    let closed = notes.take().into_iter().filter(|note| note == "closed: true").count();
    assert_eq!(closed, 4);
    world.memory.advance(seconds(20));
    assert_eq!(responses(&pipelined), vec![ok("/next"); 4], "each response is progress");
}

#[test]
fn half_closed_client_gets_503_at_the_end_of_the_timeout() {
    let notes = Notes::default();
    let world = start_serving(&notes);
    let clients = half_closed(&world, "/never");
    world.memory.advance(seconds(9));
    assert_eq!(notes.take(), [""; 0]);
    world.memory.advance(seconds(1));
    for (how, client) in &clients {
        let received = responses(client);
        assert!(received.len() == 1 && received[0].0 == 503, "{how}: {received:?}");
        assert!(client.is_ended(), "{how}");
    }
    assert_eq!(notes.take(), ["dropped"; 4]);
    assert_eq!(world.handle.counters().timeouts.iter().map(|(_, count)| count).sum::<u64>(), 4);
    world.memory.advance(seconds(3));
    world.assert_left();
}

#[test]
fn half_closed_client_is_reset_after_a_sent_head() {
    for path in ["/begun", "/stream"] {
        let notes = Notes::default();
        let world = start_serving(&notes);
        let clients = half_closed(&world, path);
        world.memory.advance(seconds(9));
        assert_eq!(notes.take(), [""; 0]);
        world.memory.advance(seconds(1));
        for (how, client) in &clients {
            assert_eq!(responses(client), [(200, None)], "{path}, {how}");
            assert!(client.is_reset(), "{path}, {how}");
        }
        assert_eq!(notes.take(), ["dropped"; 4], "{path}");
        world.assert_left();
    }
}

#[test]
fn each_byte_sent_to_a_half_closed_client_is_progress() {
    let world = start_serving(&Notes::default());
    let client = world.client(get("/pieces"));
    client.end();
    world.memory.advance(seconds(40));
    assert_eq!(responses(&client), [ok(&"piece".repeat(5))]);
    world.assert_left();
    // A client that reads nothing makes no progress.
    let client = world.connect();
    client.take_only(0);
    client.send(get("/pieces").as_bytes());
    client.end();
    world.memory.advance(TIMEOUT);
    assert!(client.is_closed());
    world.assert_left();
}

/// The client continues to read, so it is still waiting for the response.
#[test]
fn heartbeats_and_interim_responses_are_progress() {
    let world = start(&Notes::default(), Some(seconds(30)), HalfClose::Serve);
    let ask = |path: &str| {
        let client = world.client(get(path));
        client.end();
        world.memory.run();
        client
    };
    let (events, silent, hints) = (ask("/events"), ask("/silent-events"), ask("/hints"));
    world.memory.advance(seconds(190));
    assert!(!events.is_closed() && silent.is_reset());
    assert_eq!(text(&events).matches(":\n\n").count(), 9);
    world.memory.advance(seconds(10));
    let received = text(&hints);
    assert_eq!(received.matches("HTTP/1.1 103 ").count(), 10, "{received}");
    assert!(received.ends_with("\r\n\r\nafter the hints"), "{received}");
    // A client that reads nothing more is dropped soon.
    events.take_only(0);
    world.memory.advance(seconds(60));
    assert!(events.is_reset());
}

#[test]
fn half_closed_timeout_can_be_disabled() {
    let notes = Notes::default();
    let world = start(&notes, None, HalfClose::Serve);
    let clients = half_closed(&world, "/never");
    world.memory.advance(seconds(24 * 3600));
    assert_eq!((notes.take().len(), world.handle.connections()), (0, 4));
    drop(clients);
}

#[test]
fn half_close_drop_drops_the_client_at_once() {
    for path in ["/never", "/slow", "/begun", "/stream"] {
        let notes = Notes::default();
        let world = start(&notes, None, HalfClose::Drop);
        let clients = half_closed(&world, path);
        assert_eq!(notes.take(), ["dropped"; 4], "{path}");
        assert!(clients.iter().all(|(_, client)| client.is_closed()), "{path}");
        world.assert_left();
    }
}

#[test]
fn reset_after_half_close_drops_the_handler() {
    for path in ["/never", "/begun", "/stream"] {
        let notes = Notes::default();
        let world = start_serving(&notes);
        let clients = half_closed(&world, path);
        for (how, client) in &clients {
            client.reset();
            world.memory.run();
            assert_eq!(notes.take(), ["dropped"], "{path}, {how}");
        }
        world.assert_left();
    }
}

#[test]
fn waiting_for_a_half_closed_client_costs_no_polls() {
    let world = start_serving(&Notes::default());
    let _clients = half_closed(&world, "/never");
    let polls = world.memory.polls();
    world.memory.advance(seconds(9));
    assert!(world.memory.polls() - polls < 20, "{} polls", world.memory.polls() - polls);
}

#[test]
fn truncated_request_is_not_served() {
    let notes = Notes::default();
    let kept = notes.clone();
    let handler = move |_, _: Request| {
        kept.add("called");
        async { "served" }
    };
    let world = start_with(handler, |server| server);
    for request in [post_head("/", 10) + "12345", "GET / HTTP/1.1\r\nHost".to_owned()] {
        let client = world.client(request);
        client.end();
        world.memory.run();
        assert_eq!(text(&client), "");
        world.assert_left();
    }
    assert_eq!(notes.take(), [""; 0]);
}
