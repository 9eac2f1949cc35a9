//! Tests of server-sent events.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use httpants_driver::{Event, Events, Response};
use httpants_testkit::memory::Client;

use crate::world::{Notes, OnDrop, World, errors, get, in_time, seconds, start, text};

/// Events that the test provides one by one.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<SourceState>>);

#[derive(Default)]
struct SourceState {
    events: VecDeque<Result<Event, &'static str>>,
    ended: bool,
    /// The text of an event that is repeated endlessly.
    endless: Option<String>,
    waker: Option<Waker>,
}

impl Source {
    fn give(&self, event: Result<Event, &'static str>) {
        self.change(|given| given.events.push_back(event));
    }

    fn change(&self, change: impl FnOnce(&mut SourceState)) {
        let mut given = self.0.lock().unwrap();
        change(&mut given);
        let waker = given.waker.take();
        drop(given);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The stream of a request.
struct EventStream(Source, #[expect(dead_code, reason = "notes that it was dropped")] OnDrop);

impl Stream for EventStream {
    type Item = Result<Event, &'static str>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut given = self.0.0.lock().unwrap();
        match given.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if given.endless.is_some() => Poll::Ready(given.endless.clone().map(|data| Ok(Event::new(data)))),
            None if given.ended => Poll::Ready(None),
            None => {
                given.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// Starts a server of events with changed settings.
fn serve(change: impl Fn(Events) -> Events + Clone + 'static) -> (World, Source, Notes) {
    let (source, notes) = (Source::default(), Notes::default());
    let (given, kept) = (source.clone(), notes.clone());
    let world = start(move |_, request| {
        let events = EventStream(given.clone(), OnDrop(kept.clone(), "dropped"));
        kept.add(request.last_event_id().unwrap_or("none"));
        let events = change(Events::new(events));
        async move { Response::from(events).with_header("X-Path", request.path()) }
    });
    (world, source, notes)
}

/// Returns the received pieces without chunk framing.
fn pieces(client: &Client) -> String {
    let received = text(client);
    let mut lines = received.split("\r\n");
    let mut pieces = String::new();
    while let (Some(_), Some(data)) = (lines.next(), lines.next()) {
        pieces.push_str(data);
    }
    pieces
}

#[test]
fn events_are_sent_at_once_with_all_fields() {
    let (world, source, notes) = serve(|events| events);
    let client = world.client("GET /news HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 6 \u{fc}\r\n\r\n");
    let head = text(&client);
    for field in
        ["Content-Type: text/event-stream", "Cache-Control: no-store", "X-Accel-Buffering: no", "X-Path: /news"]
    {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.ends_with("\r\n\r\n"), "the head precedes events: {head}");
    assert_eq!(notes.take(), ["6 \u{fc}"]);
    for number in 7..9 {
        source.give(Ok(Event::new(format!("{number}\nx")).with_id(number.to_string()).unwrap()));
        world.memory.run();
        assert_eq!(pieces(&client), format!("id: {number}\ndata: {number}\ndata: x\n\n"));
    }
    source.change(|given| given.ended = true);
    world.memory.run();
    assert_eq!(text(&client), "0\r\n\r\n");
    assert_eq!(notes.take(), ["dropped"]);
    let next = world.ask(&client, get("/again"));
    assert_eq!(next, [(200, Some(String::new()))], "the connection continues");
}

#[test]
fn events_of_http_1_0_end_with_the_connection_and_head_has_none() {
    let (world, source, notes) = serve(|events| events);
    source.give(Ok(Event::new("one")));
    source.change(|given| given.ended = true);
    let older = world.client("GET / HTTP/1.0\r\n\r\n");
    assert!(text(&older).ends_with("\r\n\r\ndata: one\n\n") && older.is_ended());
    assert_eq!(notes.take(), ["none", "dropped"]);
    source.change(|given| given.endless = Some("again".into()));
    let head = world.client("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    let received = text(&head);
    assert!(received.contains("\r\nContent-Type: text/event-stream\r\n") && received.ends_with("\r\n\r\n"));
    assert_eq!(notes.take(), ["none", "dropped"]);
}

#[test]
fn comment_is_sent_after_each_interval_without_an_event() {
    let (world, source, _) = serve(|events| events);
    let client = world.client(get("/"));
    text(&client);
    for _ in 0..3 {
        world.memory.advance(seconds(14));
        assert_eq!(pieces(&client), "");
        world.memory.advance(seconds(1));
        assert_eq!(pieces(&client), ":\n\n");
    }
    world.memory.advance(seconds(10));
    source.give(Ok(Event::new("one")));
    world.memory.run();
    assert_eq!(pieces(&client), "data: one\n\n");
    world.memory.advance(seconds(14));
    assert_eq!(pieces(&client), "", "an event is a sign of life, too");
    world.memory.advance(seconds(1));
    assert_eq!(pieces(&client), ":\n\n");
    world.memory.advance(seconds(3600));
    assert_eq!(pieces(&client), ":\n\n".repeat(240));
}

#[test]
fn heartbeat_has_the_interval_that_was_set_or_none() {
    let (world, ..) = serve(|events| events.heartbeat(seconds(100)));
    let client = world.client(get("/"));
    text(&client);
    world.memory.advance(seconds(199));
    assert_eq!(pieces(&client), ":\n\n");
    let (world, source, _) = serve(Events::without_heartbeat);
    let client = world.client(get("/"));
    text(&client);
    world.memory.advance(seconds(100_000));
    assert_eq!((&*pieces(&client), world.handle.connections()), ("", 1));
    source.give(Ok(Event::new("late")));
    world.memory.run();
    assert_eq!(pieces(&client), "data: late\n\n");
}

#[test]
fn comments_are_not_sent_while_the_client_does_not_read() {
    let (world, source, notes) = serve(|events| events.heartbeat(seconds(1)));
    let client = world.connect();
    client.send(get("/").as_bytes());
    client.take_only(0);
    source.change(|given| given.endless = Some("again".into()));
    world.memory.run();
    source.change(|given| given.endless = None);
    world.memory.run();
    let polls = world.memory.polls();
    world.memory.advance(seconds(20));
    assert!(world.memory.polls() - polls < 100, "{} polls", world.memory.polls() - polls);
    assert_eq!(notes.take(), ["none"]);
    world.memory.advance(seconds(3600));
    assert_eq!(notes.take(), ["dropped"], "the write timeout ends it");
}

#[test]
fn stream_is_dropped_when_the_client_has_disconnected() {
    let (world, source, notes) = serve(|events| events);
    let client = world.client(get("/"));
    source.give(Ok(Event::new("one")));
    world.memory.run();
    assert_eq!(notes.take(), ["none"]);
    client.reset();
    world.memory.advance(seconds(15));
    assert_eq!(notes.take(), ["dropped"]);
    world.assert_left();
}

#[test]
fn shutdown_ends_the_stream_after_the_ready_events() {
    let (world, source, notes) = serve(|events| events);
    let client = world.client(get("/"));
    text(&client);
    source.change(|given| given.events.extend(["one", "two"].map(|data| Ok(Event::new(data)))));
    world.handle.shutdown(seconds(3600));
    world.memory.run();
    assert_eq!(pieces(&client), "data: one\n\ndata: two\n\n");
    assert!(client.is_ended());
    assert_eq!(notes.take(), ["none", "dropped"]);
    client.end();
    world.memory.advance(seconds(1));
    assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
}

#[test]
fn shutdown_ends_endless_events() {
    let (world, source, notes) = serve(|events| events);
    let client = world.client(get("/"));
    text(&client);
    source.change(|given| given.endless = Some("again".into()));
    world.handle.shutdown(seconds(3600));
    world.memory.run();
    let received = text(&client);
    assert!(received.ends_with("0\r\n\r\n") && client.is_ended());
    assert!((1..100).contains(&received.matches("data: again\n\n").count()), "{received}");
    assert_eq!(notes.take(), ["none", "dropped"]);
}

/// The send buffer is full before the turn of the stream ends.
#[test]
fn shutdown_ends_large_endless_events() {
    in_time(|| {
        let (world, source, notes) = serve(|events| events);
        let client = world.client(get("/"));
        text(&client);
        source.change(|given| given.endless = Some("x".repeat(20_000)));
        world.handle.shutdown(seconds(3600));
        world.memory.run();
        assert!(text(&client).ends_with("0\r\n\r\n") && client.is_ended());
        assert_eq!(notes.take(), ["none", "dropped"]);
    });
}

#[test]
fn error_drops_the_connection_and_is_logged() {
    let errors = errors(|| {
        let (world, source, notes) = serve(|events| events);
        let client = world.client(get("/"));
        source.give(Ok(Event::new("one")));
        source.give(Err("no more"));
        world.memory.run();
        let received = text(&client);
        assert!(received.contains("data: one\n\n") && !received.ends_with("0\r\n\r\n"), "{received}");
        assert!(client.is_ended() || client.is_reset());
        assert_eq!(notes.take(), ["none", "dropped"]);
    });
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("no more"), "{errors:?}");
}
