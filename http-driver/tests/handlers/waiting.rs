//! Tests of tasks that wait for a connection while it ends: none waits forever.

use std::future::pending;
use std::time::Duration;

use httpants_driver::runtime::Spawn;
use httpants_driver::{Misuse, Request, Response};
use httpants_testkit::memory::{Client, Memory};

use crate::world::{Notes, World, get, millis, ok, post_head, responses, seconds, start_with};

/// Waits in another task; records the result.
async fn wait(mut request: Request, notes: Notes) {
    let path = request.path().to_owned();
    notes.add(match &*path {
        "/reader" => match request.body_mut().bytes().await {
            Ok(body) => format!("read {}", body.len()),
            Err(error) => format!("{error:?}"),
        },
        "/parts" => match request.parts().unwrap().next().await {
            Ok(part) => format!("{part:?}"),
            Err(error) => format!("{error:?}"),
        },
        "/writer" => format!("{:?}", write(&request).await),
        _ => {
            request.peer_closed().await;
            format!("{}", request.is_peer_closed())
        }
    });
}

async fn write(request: &Request) -> Result<Response, Misuse> {
    let mut responder = request.responder();
    responder.send_status(200)?;
    loop {
        responder.send(vec![b'x'; 100_000]).await?;
    }
}

const PATHS: [&str; 4] = ["/reader", "/parts", "/writer", "/watcher"];

/// Starts a server whose handler spawns a task that waits, and itself waits forever or for a
/// second.
fn start(notes: &Notes, responds: bool) -> World {
    let notes = notes.clone();
    let handler = move |memory: Memory, request: Request| {
        let notes = notes.clone();
        async move {
            memory.spawn(wait(request, notes));
            if responds {
                httpants_driver::runtime::sleep(&memory, seconds(1)).await;
            } else {
                pending::<()>().await;
            }
            "late"
        }
    };
    start_with(handler, |server| {
        server.body_policy(|_| httpants_driver::BodyPolicy::Stream).config(|config| {
            config.timeouts.handler = Some(seconds(50));
            config.timeouts.half_closed = Some(seconds(10));
            config.timeouts.body = Some(seconds(20));
            config.timeouts.write = Some(seconds(20));
        })
    })
}

/// Returns a client with a partial request: half of its body was sent, and it reads little.
fn client(world: &World, path: &str) -> Client {
    let client = world.connect();
    client.take_only(1_000);
    let form = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length";
    let head = post_head(path, 30).replace("Content-Length", form);
    client.send((head + "--b\r\nContent").as_bytes());
    world.memory.run();
    client
}

/// Returns the result of the wait for each path, after this event and this time.
fn ends(responds: bool, happens: fn(&World, &Client), span: Duration) -> Vec<String> {
    let mut ends = Vec::new();
    for path in PATHS {
        let notes = Notes::default();
        let world = start(&notes, responds);
        let client = client(&world, path);
        assert_eq!(notes.take(), [""; 0], "{path} waits");
        happens(&world, &client);
        world.memory.run();
        if !span.is_zero() {
            world.memory.advance(span - millis(1));
            assert_eq!(notes.take(), [""; 0], "{path} waits still");
            world.memory.advance(millis(1));
        }
        let noted = notes.take();
        assert_eq!(noted.len(), 1, "{path} waits forever");
        ends.extend(noted);
    }
    ends
}

/// The results on a broken connection.
const BROKEN: [&str; 4] = ["Closed(IoError)", "Body(Closed(IoError))", "Err(Closed)", "true"];

#[test]
fn close_ends_every_wait_at_once() {
    assert_eq!(ends(false, |world, _| world.handle.close(), Duration::ZERO), BROKEN);
}

#[test]
fn end_of_the_grace_ends_every_wait() {
    assert_eq!(ends(false, |world, _| world.handle.shutdown(seconds(5)), seconds(5)), BROKEN);
}

#[test]
fn reset_ends_every_wait_at_once() {
    assert_eq!(ends(false, |_, client| client.reset(), Duration::ZERO), BROKEN);
}

#[test]
fn stalled_body_ends_every_read() {
    let ended = |path: &str| {
        let notes = Notes::default();
        let world = start(&notes, false);
        let _client = client(&world, path);
        world.memory.advance(seconds(20));
        notes.take().join(" ")
    };
    assert_eq!(ended("/reader"), "Closed(Refused(BodyTimeout))");
    assert_eq!(ended("/parts"), "Body(Closed(Refused(BodyTimeout)))");
}

#[test]
fn handler_timeout_ends_the_waits_of_its_tasks() {
    let notes = Notes::default();
    let world = start(&notes, false);
    let client = client(&world, "/watcher");
    client.take_only(usize::MAX);
    world.memory.advance(seconds(50));
    assert_eq!(notes.take(), ["true"]);
    assert!(client.take_received().starts_with(b"HTTP/1.1 503 "));
}

#[test]
fn write_timeout_ends_the_write() {
    let notes = Notes::default();
    let world = start(&notes, false);
    let _client = client(&world, "/writer");
    world.memory.advance(seconds(20));
    assert_eq!(notes.take(), ["Err(Closed)"]);
    world.assert_left();
}

/// A request without a body, so no body queue remains after the response.
#[test]
fn end_of_the_response_ends_peer_closed() {
    let notes = Notes::default();
    let world = start(&notes, true);
    let client = world.client(get("/watcher"));
    assert_eq!(notes.take(), [""; 0]);
    world.memory.advance(seconds(1));
    assert_eq!((responses(&client), notes.take()), (vec![ok("late")], vec!["true".to_owned()]));
}

#[test]
fn end_of_the_response_ends_every_wait() {
    let ended = |path: &str| {
        let notes = Notes::default();
        let world = start(&notes, true);
        let _client = client(&world, path);
        world.memory.advance(seconds(1));
        notes.take().join(" ")
    };
    assert_eq!(ended("/reader"), "ResponseFinished");
    assert_eq!(ended("/parts"), "Body(ResponseFinished)");
    assert_eq!(ended("/watcher"), "true");
}
