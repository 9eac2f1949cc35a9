//! Tests of wakers that run their task at once on the waking thread: none is woken under a lock.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use httpants_driver::{Body, Misuse, Request, Responder};

use crate::reentrant::ask;
use crate::world::{Notes, in_time, post_head, seconds, start_streaming, text};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that its waker polls at once.
struct Inline(Mutex<Option<Task>>);

impl Inline {
    fn run(task: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Self(Mutex::new(Some(Box::pin(task))))).wake();
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        // The task is running: it checks again before it waits.
        let Ok(mut place) = self.0.try_lock() else { return };
        if let Some(task) = &mut *place
            && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
        {
            *place = None;
        }
    }
}

async fn read(mut body: Body, notes: Notes) {
    let mut size = 0;
    loop {
        match body.next().await {
            Some(Ok(piece)) => size += piece.len(),
            None => return notes.add(format!("read {size}")),
            Some(Err(error)) => return notes.add(format!("read {size}, {error:?}")),
        }
    }
}

/// Sends ten pieces, each larger than the connection's buffer.
async fn write(mut responder: Responder, notes: Notes) -> Result<(), Misuse> {
    responder.send_status(200)?;
    for number in 0..10 {
        responder.send(vec![b'x'; 70_000]).await.inspect_err(|error| notes.add(format!("sent {number}, {error:?}")))?;
    }
    notes.add("sent all");
    responder.finish().await.map(drop)
}

async fn watch(request: Request, notes: Notes) {
    request.peer_closed().await;
    ask(&request);
    notes.add("peer closed");
}

/// Starts a server whose handler starts such a task, selected by the path, and never responds
/// itself.
fn start(notes: &Notes) -> crate::world::World {
    let notes = notes.clone();
    start_streaming(move |_, request: Request| {
        let notes = notes.clone();
        async move {
            match request.path() {
                "/read" => Inline::run(read(request.into_body(), notes)),
                "/write" => Inline::run({
                    let responder = request.responder();
                    async move {
                        let _ = write(responder, notes).await;
                    }
                }),
                _ => Inline::run(watch(request, notes)),
            }
            pending::<()>().await;
        }
    })
}

#[test]
fn reader_may_be_polled_in_its_wake() {
    in_time(|| {
        let notes = Notes::default();
        let world = start(&notes);
        let client = world.client(post_head("/read", 500_000));
        for _ in 0..5 {
            client.send(&[b'x'; 100_000]);
            world.memory.run();
        }
        assert_eq!(notes.take(), ["read 500000"]);
        let client = world.client(post_head("/read", 10) + "12345");
        client.reset();
        world.memory.run();
        assert_eq!(notes.take(), ["read 5, Closed(IoError)"]);
        let _client = world.client(post_head("/read", 10) + "12345");
        world.handle.close();
        world.memory.run();
        assert_eq!(notes.take(), ["read 5, Closed(IoError)"]);
    });
}

#[test]
fn writer_may_be_polled_in_its_wake() {
    in_time(|| {
        let notes = Notes::default();
        let world = start(&notes);
        let client = world.connect();
        client.take_only(10_000);
        client.send(post_head("/write", 0).as_bytes());
        let mut received = 0;
        for _ in 0..100 {
            world.memory.advance(seconds(1));
            received += text(&client).len();
            client.take_only(10_000);
        }
        assert!(received > 700_000, "{received}");
        assert_eq!(notes.take(), ["sent all"]);
        let client = world.connect();
        client.take_only(10_000);
        client.send(post_head("/write", 0).as_bytes());
        world.memory.run();
        client.reset();
        world.memory.run();
        assert_eq!(notes.take(), ["sent 1, Closed"]);
    });
}

#[test]
fn watcher_may_be_polled_in_its_wake() {
    in_time(|| {
        for unread in ["", "12345"] {
            let notes = Notes::default();
            let world = start(&notes);
            for reset in [false, true] {
                let client = world.client(post_head("/watch", 5) + unread);
                if reset {
                    client.reset()
                } else {
                    client.end()
                }
                world.memory.run();
                assert_eq!(notes.take(), ["peer closed"], "unread: {unread}, reset: {reset}");
            }
            let _client = world.client(post_head("/watch", 5) + unread);
            world.handle.close();
            world.memory.run();
            assert_eq!(notes.take(), ["peer closed"]);
        }
    });
}

#[test]
fn dropped_futures_remove_their_wakers() {
    struct Idle;
    impl Wake for Idle {
        fn wake(self: Arc<Self>) {}
    }
    let notes = Notes::default();
    let noted = notes.clone();
    let world = crate::world::start(move |_, request: Request| {
        let notes = noted.clone();
        async move {
            let wakers: Vec<_> = (0..100).map(|_| Arc::new(Idle)).collect();
            for waker in &wakers {
                let waker = Waker::from(Arc::clone(waker));
                let mut closed = std::pin::pin!(request.peer_closed());
                assert!(closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            }
            let held: usize = wakers.iter().map(|waker| Arc::strong_count(waker) - 1).sum();
            notes.add(format!("{held} are held"));
            "done"
        }
    });
    world.client(crate::world::get("/"));
    assert_eq!(notes.take(), ["0 are held"]);
}
