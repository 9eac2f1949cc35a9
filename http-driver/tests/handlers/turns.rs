//! Tests of the turns of a connection's task: their duration, and moves to other threads between
//! them.

use std::future::ready;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{Handle, Request, Response};
use httpants_testkit::memory::Client;

use crate::altered::Altered;
use crate::world::{ReceivedResponse, get, millis, ok, responses, seconds, text};

/// A stream that yields `count` pieces without waiting, and counts them in `done`.
#[derive(Clone)]
struct Pieces {
    done: Arc<AtomicUsize>,
    count: usize,
}

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let is_left = self.done.fetch_add(1, Ordering::Relaxed) < self.count;
        Poll::Ready(is_left.then(|| Ok(Bytes::from_static(b"piece"))))
    }
}

/// Requests a stream whose turns take long, and at the same time another path by another client.
/// Returns what they received, and the number of pieces that were yielded before the other request
/// was handled.
fn ask_both(path: &str) -> (Client, Vec<ReceivedResponse>, usize) {
    let (pieces, handle) = (Pieces { done: Arc::default(), count: 10_000 }, Arc::new(OnceLock::<Handle>::new()));
    let (done, before, kept) = (Arc::clone(&pieces.done), Arc::new(AtomicUsize::new(0)), Arc::clone(&handle));
    let noted = Arc::clone(&before);
    let handler = move |request: Request| {
        if request.path() == "/pieces" {
            return ready(Response::stream(pieces.clone()));
        }
        noted.store(done.load(Ordering::Relaxed), Ordering::Relaxed);
        if request.path() == "/shutdown" {
            kept.get().unwrap().shutdown(seconds(3600));
        }
        ready(Response::text("other"))
    };
    let (runtime, started) = Altered::start(handler, |server| server);
    handle.set(started).unwrap();
    let (busy, other) = (runtime.client(&[], ""), runtime.client(&[], ""));
    runtime.set_tick(millis(1));
    busy.send(get("/pieces").as_bytes());
    other.send(get(path).as_bytes());
    runtime.memory.run();
    (busy, responses(&other), before.load(Ordering::Relaxed))
}

#[test]
fn stream_that_takes_long_gives_others_a_turn_early() {
    let (busy, other, before) = ask_both("/other");
    assert_eq!(other, [ok("other")]);
    assert!((1..=100).contains(&before), "{before} pieces");
    assert!(text(&busy).ends_with("0\r\n\r\n") && !busy.is_ended());
}

/// The task sees the command in a turn that ends before it can wait.
#[test]
fn shutdown_during_a_long_response_closes_after_it() {
    let (busy, other, before) = ask_both("/shutdown");
    assert_eq!(other, [ok("other")]);
    assert!((1..=100).contains(&before), "{before} pieces");
    assert!(text(&busy).ends_with("0\r\n\r\n") && busy.is_ended());
}

#[test]
fn deadline_reaches_a_task_that_has_moved() {
    let (runtime, _) = Altered::start(async |_: Request| "served", |server| server);
    let client = runtime.client(&[], "GET");
    client.send(b" / HTTP/1.1\r\n");
    runtime.memory.run();
    assert_eq!(text(&client), "");
    runtime.memory.advance(seconds(3600));
    assert!(text(&client).starts_with("HTTP/1.1 408 "));
    assert!(client.is_closed());
}
