//! Endless responses do not block the other clients of their worker.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{Misuse, Request, Response};

use crate::conformance::handler::Gate;
use crate::conformance::running::{Running, get, start};
use crate::conformance::stage::{Platform, Stage};

/// Work that continues until it is stopped.
#[derive(Clone, Default)]
struct Work {
    steps: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    begun: Gate,
}

/// Maximum number of steps: more than one turn has, and few enough that a failure is reported soon.
const MAX_STEPS: usize = 20_000_000;

impl Work {
    /// Does one more step; returns true to continue.
    fn step(&self) -> bool {
        if self.steps.fetch_add(1, Ordering::AcqRel) == 0 {
            self.begun.open();
        }
        self.steps() < MAX_STEPS && !self.stopped.load(Ordering::Acquire)
    }

    fn steps(&self) -> usize {
        self.steps.load(Ordering::Acquire)
    }
}

impl Stream for Work {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.step().then(|| Ok(Bytes::new())))
    }
}

/// Starts a server that continues endlessly on `/stream` and `/sends`; `/stop` waits until that has
/// begun, and ends it.
fn serve<S: Stage>() -> (Running<S>, Work) {
    let work = Work::default();
    let kept = work.clone();
    let server = start(move |request: Request| {
        let work = kept.clone();
        async move { respond(request, work).await }
    });
    (server, work)
}

async fn respond(request: Request, work: Work) -> Result<Response, Misuse> {
    match request.path() {
        "/stream" => Ok(Response::stream(work)),
        "/sends" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            while work.step() {
                responder.send("").await?;
            }
            responder.finish().await
        }
        "/stop" => {
            work.begun.pass().await;
            work.stopped.store(true, Ordering::Release);
            Ok("stopped".into())
        }
        _ => Ok("other".into()),
    }
}

/// While one client gets a stream of empty pieces, or a response in which nothing is sent, the
/// other clients are served.
pub fn endless_empty_response_does_not_block_others<S: Stage>() {
    for path in ["/stream", "/sends"] {
        let (server, work) = serve::<S>();
        let (mut busy, mut other) = (server.connect(), server.connect());
        assert_eq!(other.ask(get("/")).text(), "other");
        other.send(get("/stop"));
        busy.send(get(path));
        assert_eq!(other.response().text(), "stopped");
        assert!(busy.response().content.is_empty());
        assert!(work.steps() < MAX_STEPS, "{path}: the others were served when it was over");
    }
}

/// The response to HEAD has no body: an endless stream is not polled.
pub fn head_of_an_endless_stream_gets_a_response<S: Stage>() {
    let (server, work) = serve::<S>();
    let (mut client, mut other) = (server.connect(), server.connect());
    for _ in 0..3 {
        client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(client.response_to_head().status, 200);
        assert_eq!(client.ask(get("/")).text(), "other");
        assert_eq!(other.ask(get("/")).text(), "other");
    }
    assert_eq!(work.steps(), 0);
}

/// An endless response without bytes ends when its client disconnects.
pub fn endless_empty_response_ends_with_its_client<S: Platform>() {
    for path in ["/stream", "/sends"] {
        let (server, work) = serve::<S>();
        let (mut busy, mut other) = (server.connect(), server.connect());
        busy.send(get(path));
        server.wait("it goes on", || work.steps() > 10_000);
        for _ in 0..10 {
            assert_eq!(other.ask(get("/")).text(), "other");
        }
        busy.reset();
        server.wait_for_connections(1);
        let steps = work.steps();
        assert_eq!(other.ask(get("/")).text(), "other");
        assert!(steps < MAX_STEPS && work.steps() == steps, "{path} continues");
    }
}
