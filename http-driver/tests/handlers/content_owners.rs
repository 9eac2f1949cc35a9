//! Tests of body bytes whose owner uses the request in its destructor ([`Bytes::from_owner`]):
//! dropped when they were sent, and when the connection breaks while they are queued.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{Misuse, Request, Response};
use httpants_testkit::memory::Client;

use crate::reentrant::UsesRequest;
use crate::world::{Notes, World, get, in_time, seconds, start, text};

/// The owner of bytes, which uses its request when it is dropped.
struct Owner {
    _asks: UsesRequest,
    content: Vec<u8>,
}

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

/// A stream of one piece that then ends, or waits forever.
struct OnePiece(Option<Bytes>, bool);

impl Stream for OnePiece {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.0.take() {
            Some(piece) => Poll::Ready(Some(Ok(piece))),
            None if self.1 => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// Responds with such a body, in the way selected by the path.
async fn respond(request: Request, size: usize, notes: Notes) -> Result<Response, Misuse> {
    let path = request.path().to_owned();
    let mut responder = request.responder();
    let content = Bytes::from_owner(Owner { _asks: UsesRequest { request, notes }, content: vec![b'x'; size] });
    match &*path {
        "/whole" => Ok(Response::bytes("text/plain", content)),
        "/stream" => Ok(Response::stream(OnePiece(Some(content), true))),
        "/open-stream" => Ok(Response::stream(OnePiece(Some(content), false))),
        "/send-response" => responder.send_response(content, 200, "text/plain"),
        "/send" => {
            responder.send_status(200)?;
            responder.send(content).await?;
            responder.finish().await
        }
        // An error, because Content-Length allows only five bytes.
        _ => {
            responder.send_status(200)?;
            responder.send_headers([("Content-Length", "5")], true)?;
            assert!(matches!(responder.send(content).await, Err(Misuse::TooMuchContent { .. })));
            responder.send("12345").await?;
            responder.finish().await
        }
    }
}

const PATHS: [&str; 6] = ["/whole", "/stream", "/open-stream", "/send-response", "/send", "/refused"];

/// Runs each way to respond, with a small and a large body, with a client that reads `taken` bytes;
/// then runs `scene`. All body bytes must be dropped after it.
fn run_scene(taken: usize, scene: fn(&World, &Client)) {
    for path in PATHS {
        for size in [6, 200_000] {
            in_time(move || {
                let notes = Notes::default();
                let kept = notes.clone();
                let world = start(move |_, request| respond(request, size, kept.clone()));
                let client = world.connect();
                client.take_only(taken);
                client.send(get(path).as_bytes());
                world.memory.run();
                scene(&world, &client);
                assert_eq!(notes.take(), ["dropped"], "{path} {size}");
            });
        }
    }
}

#[test]
fn owner_of_sent_body_may_use_the_request_on_drop() {
    run_scene(usize::MAX, |_, client| assert!(text(client).starts_with("HTTP/1.1 200 OK\r\n")));
}

#[test]
fn owner_of_queued_body_may_use_the_request_on_reset() {
    for_slow_clients(|world, client| {
        client.reset();
        world.memory.run();
        world.assert_left();
    });
}

#[test]
fn owner_of_queued_body_may_use_the_request_on_close() {
    for_slow_clients(|world, _| {
        world.handle.close();
        world.memory.run();
        assert_eq!(world.memory.tasks(), 0);
    });
}

#[test]
fn owner_of_queued_body_may_use_the_request_on_timeout() {
    for_slow_clients(|world, client| {
        client.end();
        world.memory.advance(seconds(65));
        world.assert_left();
    });
}

/// Runs `scene` with clients that read nothing, a part of the head, and a part of the body.
fn for_slow_clients(scene: fn(&World, &Client)) {
    for taken in [0, 20, 1_000] {
        run_scene(taken, scene);
    }
}
