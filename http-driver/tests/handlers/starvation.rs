//! Tests of handlers and streams that never pause: other connections still get a turn.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{Body, BodyError, BodyPolicy, Misuse, Request, Response};
use httpants_testkit::memory::Memory;

use crate::world::{World, get, in_time, post_head, seconds, start, start_with};

/// Work that continues until another connection is served.
#[derive(Clone, Default)]
struct Work(Arc<Progress>);

#[derive(Default)]
struct Progress {
    done: AtomicUsize,
    stopped: AtomicBool,
}

/// Maximum number of steps: more than one turn has, but not so many that the test takes long.
const MAX_STEPS: usize = 100_000;

impl Work {
    /// Does one step; returns whether to continue.
    fn step(&self) -> bool {
        self.0.done.fetch_add(1, Ordering::Relaxed) < MAX_STEPS && !self.0.stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }

    /// Asserts that the work continued until the other connection was served, and not to its
    /// maximum.
    fn assert_shared(&self, what: &str) {
        let done = self.0.done.load(Ordering::Relaxed);
        assert!(self.0.stopped.load(Ordering::Relaxed), "{what}: no other connection was served");
        assert!((2..=MAX_STEPS / 2).contains(&done), "{what}: {done} steps");
    }
}

/// A stream that yields the same piece until another connection is served.
struct RepeatedPiece(Work, Bytes);

impl Stream for RepeatedPiece {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.step().then(|| Ok(self.1.clone())))
    }
}

/// Sends the same piece until another connection is served; ignores errors.
async fn send_on(work: Work, request: Request, piece: &'static [u8]) -> Result<Response, Misuse> {
    let mut responder = request.responder();
    responder.send_status(200)?;
    responder.send_headers([("X-Sends", "on")], true)?;
    while work.step() {
        let _ = responder.send(piece).await;
    }
    responder.finish().await
}

async fn application(work: Work, request: Request) -> Result<Response, Misuse> {
    match request.path() {
        "/empty-pieces" => Ok(Response::stream(RepeatedPiece(work, Bytes::new()))),
        "/pieces" => Ok(Response::stream(RepeatedPiece(work, Bytes::from_static(b"piece")))),
        "/empty-sends" => send_on(work, request, b"").await,
        "/sends" => send_on(work, request, b"piece").await,
        _ => {
            work.stop();
            Ok("served".into())
        }
    }
}

#[test]
fn endless_responses_do_not_starve_other_tasks() {
    for path in ["/empty-pieces", "/pieces", "/empty-sends", "/sends"] {
        for method in ["GET", "HEAD"] {
            if method == "HEAD" && path.ends_with("pieces") {
                continue;
            }
            in_time(move || {
                let work = Work::default();
                let kept = work.clone();
                let world = start(move |_, request| application(kept.clone(), request));
                let busy = world.connect();
                let other = world.connect();
                world.memory.run();
                busy.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
                other.send(get("/other").as_bytes());
                world.memory.run();
                work.assert_shared(&format!("{method} {path}"));
                assert!(other.take_received().ends_with(b"served"));
                assert!(!busy.take_received().is_empty());
            });
        }
    }
}

#[test]
fn endless_response_is_dropped_when_the_client_disconnects() {
    for path in ["/empty-pieces", "/pieces", "/empty-sends", "/sends"] {
        in_time(move || {
            let work = Work::default();
            let kept = work.clone();
            let world = start(move |_, request| application(kept.clone(), request));
            let client = world.connect();
            world.memory.run();
            client.send(get(path).as_bytes());
            client.reset();
            world.memory.run();
            world.assert_left();
            assert!(work.0.done.load(Ordering::Relaxed) < MAX_STEPS, "{path}");
        });
    }
}

/// Reads the body until another connection is served; ignores errors.
async fn read_on(work: &Work, body: &mut Body) -> BodyError {
    let mut error = BodyError::NotKept;
    while work.step() {
        if let Some(Err(other)) = body.next().await {
            error = other;
        }
    }
    error
}

/// Starts a server that responds, and continues reading in another task.
fn start_reading(work: &Work) -> World {
    let work = work.clone();
    let handler = move |memory: Memory, mut request: Request| {
        let work = work.clone();
        async move {
            match request.path() {
                "/other" => {
                    work.stop();
                    "served"
                }
                "/finished" => {
                    memory.serve(async move {
                        assert_eq!(read_on(&work, request.body_mut()).await, BodyError::ResponseFinished);
                    });
                    "early"
                }
                _ => {
                    read_on(&work, request.body_mut()).await;
                    "read"
                }
            }
        }
    };
    start_with(handler, |server| {
        let server = server.forms(|limits| limits.memory = 10);
        server.body_policy(|head| if head.path() == "/not-kept" { BodyPolicy::Buffer } else { BodyPolicy::Stream })
    })
}

#[test]
fn repeated_body_error_does_not_starve_other_tasks() {
    let form = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nvalue\r\n--b--\r\n";
    let form_head = "POST /not-kept HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n";
    let requests = [
        ("/finished", post_head("/finished", 10)),
        ("/not-kept", format!("{form_head}Content-Length: {}\r\n\r\n{form}", form.len())),
    ];
    for (path, request) in requests {
        in_time(move || {
            let work = Work::default();
            let world = start_reading(&work);
            let busy = world.connect();
            world.memory.run();
            busy.send(request.as_bytes());
            // This connection is accepted after the busy one had a turn.
            let other = world.connect();
            other.send(get("/other").as_bytes());
            world.memory.run();
            work.assert_shared(path);
        });
    }
}

/// A handler in a loop of reads is dropped when it yields.
#[test]
fn body_error_ends_the_handler_of_a_disconnected_client() {
    in_time(|| {
        let work = Work::default();
        let world = start_reading(&work);
        let client = world.client(post_head("/", 10) + "12345");
        client.end();
        world.memory.run();
        assert!(work.0.done.load(Ordering::Relaxed) < MAX_STEPS);
        world.memory.advance(seconds(3));
        world.assert_left();
    });
}

/// Reads parts of a form whose body is truncated.
#[test]
fn repeated_form_error_does_not_starve_other_tasks() {
    in_time(|| {
        let work = Work::default();
        let kept = work.clone();
        let handler = move |_, mut request: Request| {
            let work = kept.clone();
            async move {
                if request.path() == "/other" {
                    work.stop();
                } else {
                    let mut parts = request.parts().unwrap();
                    while work.step() {
                        let _ = parts.next().await;
                    }
                }
                "served"
            }
        };
        let world = start_with(handler, |server| server.body_policy(|_| BodyPolicy::Stream));
        let (busy, other) = (world.connect(), world.connect());
        world.memory.run();
        let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n";
        busy.send(format!("{head}Content-Length: 20\r\n\r\n--b\r\nnonsense\r\n\r\n---").as_bytes());
        other.send(get("/other").as_bytes());
        world.memory.run();
        work.assert_shared("malformed parts");
    });
}
