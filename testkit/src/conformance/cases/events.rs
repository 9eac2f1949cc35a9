//! Server-sent events: each is sent at once, and the stream ends with the client and with the
//! server.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use httpants_driver::{Event, Events, Request, Response};

use crate::conformance::running::{Running, get, start};
use crate::conformance::stage::{Received, Stage};

/// An interval that is as short as a busy machine allows.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// A stream that yields one event and then waits forever.
struct One(Option<Event>, #[expect(dead_code, reason = "counted")] Arc<()>);

impl Stream for One {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.take().map_or(Poll::Pending, |event| Poll::Ready(Some(event)))
    }
}

/// Starts a server that sends the event after the one whose id the request has; also returns a
/// counter of its streams.
fn serve<S: Stage>(heartbeat: Option<Duration>) -> (Running<S>, Arc<()>) {
    let held = Arc::new(());
    let kept = Arc::downgrade(&held);
    let server = start::<S, _, _>(move |request: Request| {
        let held = kept.upgrade();
        async move {
            let last = request.last_event_id().unwrap_or("none");
            let event = Event::new(format!("behind\n{last}")).with_id("7").ok();
            let events = Events::new(One(event, held.unwrap_or_default()));
            Response::from(match heartbeat {
                Some(heartbeat) => events.heartbeat(heartbeat),
                None => events.without_heartbeat(),
            })
        }
    });
    (server, held)
}

const EVENT: &str = "id: 7\ndata: behind\ndata: 6\n\n";

fn with_id() -> &'static str {
    "GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 6\r\n\r\n"
}

/// An event is received while the stream waits for the next one; comments follow it.
pub fn events_and_comments_are_received_at_once<S: Stage>() {
    let (server, _) = serve::<S>(Some(HEARTBEAT));
    let mut client = server.connect();
    let since = server.stage.time();
    client.send(with_id());
    let head = client.up_to(b"\r\n\r\n");
    let head = String::from_utf8_lossy(&head);
    for field in ["Content-Type: text/event-stream", "Cache-Control: no-store", "Transfer-Encoding: chunked"] {
        assert!(head.contains(&format!("\r\n{field}\r\n")), "{head}");
    }
    assert_eq!(client.up_to(b"\n\n\r\n"), format!("1c\r\n{EVENT}\r\n").into_bytes());
    for _ in 0..3 {
        server.stage.pass(HEARTBEAT);
        assert_eq!(client.up_to(b"\n\n\r\n"), b"3\r\n:\n\n\r\n");
    }
    assert!(server.stage.time() - since >= 3 * HEARTBEAT, "before its time");
}

/// A client that has disconnected is noticed when a comment is sent.
pub fn stream_of_a_closed_client_is_dropped<S: Stage>() {
    let (server, held) = serve::<S>(Some(HEARTBEAT));
    for _ in 0..10 {
        let mut client = server.connect();
        client.send(get("/"));
        client.up_to(b"data: none\n\n\r\n");
        client.reset();
    }
    for _ in 0..3 {
        server.stage.pass(HEARTBEAT);
    }
    server.wait("the streams are dropped", || Arc::strong_count(&held) == 1);
    server.wait_for_connections(0);
}

/// A shutdown ends the stream after whole events, long before the end of its grace.
pub fn shutdown_ends_event_streams<S: Stage>() {
    let (server, held) = serve::<S>(None);
    let mut client = server.connect();
    client.send(with_id());
    client.up_to(EVENT.as_bytes());
    server.handle.shutdown(Duration::from_secs(3600));
    let (rest, how) = client.rest();
    assert_eq!((&*rest, how), (&b"\r\n0\r\n\r\n"[..], Received::End));
    assert_eq!(Arc::strong_count(&held), 1);
}
