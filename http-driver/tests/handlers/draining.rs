//! Tests of the end of upgraded streams when the server shuts down.

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_io::AsyncWrite;
use httpants_driver::runtime::{Runtime, sleep};
use httpants_driver::{Request, Response, Upgraded};
use httpants_testkit::memory::{Client, Memory};

use crate::world::{Notes, OnDrop, World, seconds, start_with, text};

const OFFER: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";

async fn write(stream: &mut Upgraded, bytes: &[u8]) {
    let written = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await.unwrap();
    assert_eq!(written, bytes.len());
}

/// Sends a last message when the server shuts down.
async fn say_goodbye(mut stream: Upgraded) {
    stream.draining().await;
    write(&mut stream, b"goodbye").await;
}

fn upgraded<F, Fut>(grace: Option<u64>, then: F) -> (World, Client)
where
    F: Fn(Upgraded) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let handler = move |_: Memory, _: Request| {
        let then = then.clone();
        async move { Response::upgrade("other", then) }
    };
    let world = start_with(handler, |server| match grace {
        Some(grace) => server.upgrade_grace(seconds(grace)),
        None => server,
    });
    let client = world.client(OFFER);
    assert!(text(&client).starts_with("HTTP/1.1 101 "));
    (world, client)
}

/// Returns the time from now until the client's connection is closed, with a resolution of half a
/// second.
fn closed_after(world: &World, client: &Client) -> Duration {
    let start = world.memory.now().mono;
    while !client.is_closed() {
        assert!(world.memory.now().mono - start < seconds(100), "it stays open");
        world.memory.advance(Duration::from_millis(500));
    }
    world.memory.now().mono - start
}

#[test]
fn upgraded_stream_is_notified_of_a_shutdown() {
    let (world, client) = upgraded(None, say_goodbye);
    world.memory.advance(seconds(1000));
    assert!(!client.is_closed());
    world.handle.shutdown(seconds(30));
    world.memory.run();
    assert_eq!(text(&client), "goodbye");
    assert!(client.is_closed());
    world.memory.advance(Duration::from_millis(1));
    assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
}

#[test]
fn stream_that_does_not_end_is_dropped_when_its_time_is_over() {
    for (grace, shutdown, after) in
        [(None, 30, 5), (Some(10), 30, 10), (Some(0), 30, 0), (Some(60), 30, 30), (None, 2, 2)]
    {
        let notes = Notes::default();
        let dropped = notes.clone();
        let (world, client) = upgraded(grace, move |stream| {
            let dropped = OnDrop(dropped.clone(), "dropped");
            async move {
                let _held = (stream, dropped);
                pending::<()>().await;
            }
        });
        world.handle.shutdown(seconds(shutdown));
        world.memory.run();
        assert_eq!(closed_after(&world, &client), seconds(after), "{grace:?} of {shutdown}");
        assert_eq!(notes.take(), ["dropped"]);
        world.memory.advance(Duration::from_millis(1));
        assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
    }
}

#[test]
fn stream_upgraded_during_the_shutdown_has_its_whole_grace() {
    let handler = async |memory: Memory, _: Request| {
        sleep(&memory, seconds(2)).await;
        Response::upgrade("other", async |stream| {
            let _held = stream;
            pending::<()>().await;
        })
    };
    let world = start_with(handler, |server| server.upgrade_grace(seconds(3)));
    let client = world.client(OFFER);
    world.handle.shutdown(seconds(30));
    assert_eq!(closed_after(&world, &client), seconds(5));
    assert!(text(&client).starts_with("HTTP/1.1 101 "));
}

#[test]
fn handle_waits_for_a_shutdown_by_another_thread() {
    for close in [false, true] {
        let (world, _client) = upgraded(None, say_goodbye);
        let notes = Notes::default();
        let kept = notes.clone();
        let handle = world.handle.clone();
        world.memory.serve(async move {
            pin!(handle.draining()).await;
            handle.draining().await;
            kept.add("draining".to_owned());
        });
        world.memory.advance(seconds(10));
        assert!(notes.take().is_empty() && !world.handle.is_draining());
        if close {
            world.handle.close();
        } else {
            world.handle.shutdown(seconds(1));
        }
        world.memory.run();
        assert_eq!(notes.take(), ["draining"]);
    }
}
