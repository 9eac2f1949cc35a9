//! Tests of handlers and tasks that wait until their client disconnects, and of clients that
//! disconnect while bytes are unread.

use std::future::pending;

use httpants_driver::runtime::{Spawn, sleep};
use httpants_driver::{BodyPolicy, Request};
use httpants_testkit::memory::Memory;

use crate::world::{Notes, OnDrop, World, get, post_head, responses, seconds, start_streaming, start_with};

/// Starts a server that waits until the client disconnects: in the handler on `/handler`, otherwise
/// in another task while the handler works.
fn start(notes: &Notes) -> World {
    let notes = notes.clone();
    start_streaming(move |memory: Memory, request: Request| {
        let notes = notes.clone();
        async move {
            let _dropped = OnDrop(notes.clone(), "dropped");
            if request.path() == "/handler" {
                assert!(!request.is_peer_closed());
                request.peer_closed().await;
                assert!(request.is_peer_closed());
                return "left";
            }
            memory.spawn(async move {
                request.peer_closed().await;
                notes.add(format!("left: {}", request.is_peer_closed()));
            });
            pending().await
        }
    })
}

/// Returns requests after which the client ends its stream: plain, with an unread body, and with
/// more pipelined requests than are read ahead.
fn requests(path: &str) -> [(String, String); 4] {
    [
        (get(path), String::new()),
        (post_head(path, 100_000), "x".repeat(10)),
        (post_head(path, 100_000), "x".repeat(100_000)),
        (get(path), get("/handler").repeat(2_000)),
    ]
}

#[test]
fn peer_closed_wakes_when_the_client_ends_its_stream() {
    for (number, (request, after)) in requests("/handler").into_iter().enumerate() {
        let world = start(&Notes::default());
        let client = world.client(request);
        client.send(after.as_bytes());
        world.memory.advance(seconds(1));
        assert!(responses(&client).is_empty());
        client.end();
        world.memory.run();
        let received = responses(&client);
        assert_eq!(received[0], (200, Some("left".into())), "request {number}");
    }
}

#[test]
fn peer_closed_is_ready_if_the_client_ended_before() {
    let world = start(&Notes::default());
    let client = world.connect();
    client.send(get("/handler").as_bytes());
    client.end();
    world.memory.run();
    assert_eq!(responses(&client).len(), 1);
}

#[test]
fn reset_drops_the_handler_and_wakes_its_tasks() {
    for (number, (request, after)) in requests("/task").into_iter().enumerate() {
        let notes = Notes::default();
        let world = start(&notes);
        let client = world.client(request);
        client.send(after.as_bytes());
        world.memory.advance(seconds(1));
        assert_eq!(notes.take(), [""; 0]);
        client.reset();
        world.memory.run();
        assert_eq!(notes.take(), ["dropped", "left: true"], "request {number}");
        world.assert_left();
    }
}

#[test]
fn peer_closed_may_be_dropped_and_called_again() {
    let notes = Notes::default();
    let kept = notes.clone();
    let world = start_streaming(move |memory: Memory, request: Request| {
        let notes = kept.clone();
        async move {
            for _ in 0..3 {
                let left = crate::world::timeout(&memory, seconds(1), request.peer_closed()).await;
                notes.add(format!("{left:?}"));
            }
            "done"
        }
    });
    let client = world.client(get("/"));
    world.memory.advance(seconds(2));
    client.end();
    world.memory.run();
    assert_eq!(notes.take(), ["None", "None", "Some(())"]);
}

/// The body is read only if the path says so.
#[test]
fn reset_wakes_the_reader_of_a_streamed_post() {
    let notes = Notes::default();
    let kept = notes.clone();
    let world = start_streaming(move |memory: Memory, mut request: Request| {
        let notes = kept.clone();
        async move {
            let _dropped = OnDrop(notes.clone(), "dropped");
            memory.spawn(async move {
                let mut size = 0;
                while let Some(Ok(piece)) = request.body_mut().next().await {
                    size += piece.len();
                }
                notes.add(format!("{size} {:?}", request.body_mut().next().await));
            });
            pending::<()>().await;
        }
    });
    let client = world.client(post_head("/", 10) + "12345");
    client.reset();
    world.memory.run();
    assert_eq!(notes.take(), ["dropped", "5 Some(Err(Closed(IoError)))"]);
    world.assert_left();
}

/// The reader is slow: the read-ahead is full when the client disconnects.
#[test]
fn reset_is_noticed_while_the_reader_is_slow() {
    let notes = Notes::default();
    let kept = notes.clone();
    let world = start_streaming(move |memory: Memory, mut request: Request| {
        let dropped = OnDrop(kept.clone(), "dropped");
        async move {
            let _dropped = dropped;
            let _ = request.body_mut().next().await;
            sleep(&memory, seconds(3600)).await;
        }
    });
    let client = world.client(post_head("/", 1_000_000) + &"x".repeat(1_000_000));
    assert!(client.unread() > 0);
    client.reset();
    world.memory.run();
    assert_eq!(notes.take(), ["dropped"]);
    world.assert_left();
}

#[test]
fn closed_clients_are_dropped_within_the_timeout() {
    const CLIENTS: usize = 500;
    let notes = Notes::default();
    let kept = notes.clone();
    let handler = move |memory: Memory, request: Request| {
        let dropped = OnDrop(kept.clone(), "dropped");
        async move {
            let _dropped = dropped;
            sleep(&memory, seconds(3600)).await;
            drop(request);
        }
    };
    let world = start_with(handler, |server| {
        server.body_policy(|_| BodyPolicy::Stream).config(|config| config.timeouts.half_closed = Some(seconds(10)))
    });
    for number in 0..CLIENTS {
        let (request, after) = requests("/")[number % 4].clone();
        let client = world.client(request + &after);
        drop(client);
    }
    world.memory.run();
    assert_eq!(world.handle.connections(), CLIENTS);
    world.memory.advance(seconds(9));
    assert_eq!(world.handle.connections(), CLIENTS, "they may still wait for their responses");
    world.memory.advance(seconds(1));
    assert_eq!(notes.take().len(), CLIENTS);
    world.memory.advance(seconds(3));
    world.assert_left();
}

/// The task must wait for the end of the stream without being polled repeatedly.
#[test]
fn watching_for_the_client_costs_no_polls() {
    for (request, after) in requests("/task") {
        let world = start(&Notes::default());
        let client = world.client(request);
        client.send(after.as_bytes());
        world.memory.run();
        let polls = world.memory.polls();
        world.memory.advance(seconds(20));
        assert!(world.memory.polls() - polls < 10, "{} polls", world.memory.polls() - polls);
    }
}
