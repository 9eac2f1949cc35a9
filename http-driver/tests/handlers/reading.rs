//! Tests of reading a request body: dropped reads, other tasks, and reads after the response.

use std::error::Error;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream;
use httpants_driver::runtime::{Spawn, sleep};
use httpants_driver::{Body, BodyError, Misuse, Request, Response};
use httpants_testkit::memory::Memory;

use crate::world::{
    Notes, World, errors, get, millis, ok, post_head, responses, seconds, start_streaming, text, timeout,
};

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Reads to the end; returns the length or the error.
async fn read(body: &mut Body) -> Result<usize, BodyError> {
    let mut size = 0;
    while let Some(piece) = body.next().await {
        size += piece?.len();
    }
    Ok(size)
}

async fn note_read(mut body: Body, notes: Notes) {
    notes.add(match read(&mut body).await {
        Ok(size) => format!("read {size}"),
        Err(error) => format!("{error:?}"),
    });
}

#[test]
fn dropped_read_causes_no_408() {
    for size in [5, 60_000, 1_000_000] {
        for chunked in [false, true] {
            let world = start_streaming(async |memory: Memory, mut request: Request| {
                let early = timeout(&memory, millis(10), request.body_mut().next()).await;
                assert_eq!(early, None);
                sleep(&memory, seconds(40)).await;
                Ok::<_, BodyError>(read(request.body_mut()).await?.to_string())
            });
            let content = "x".repeat(size);
            let (head, body) = match chunked {
                true => (CHUNKED.to_owned(), format!("{size:x}\r\n{content}\r\n0\r\n\r\n")),
                false => (post_head("/", size), content),
            };
            let client = world.client(head);
            world.memory.advance(millis(20));
            client.send(body.as_bytes());
            world.memory.advance(seconds(41));
            assert_eq!(responses(&client), [ok(&size.to_string())], "chunked: {chunked}");
        }
    }
}

/// The client is responsible for bytes that it does not send, even if the read was dropped.
#[test]
fn stalled_body_is_408_even_after_a_dropped_read() {
    let world = start_streaming(async |memory: Memory, mut request: Request| {
        let _ = timeout(&memory, millis(10), request.body_mut().next()).await;
        sleep(&memory, seconds(40)).await;
        "late"
    });
    let client = world.client(post_head("/", 10) + "12345");
    world.memory.advance(seconds(41));
    let received = responses(&client);
    assert!(received.len() == 1 && [200, 408].contains(&received[0].0), "{received:?}");
}

#[test]
fn dropped_read_loses_no_bytes() {
    let world = start_streaming(async |memory: Memory, mut request: Request| {
        let (mut read, mut given_up) = (Vec::new(), 0);
        loop {
            match timeout(&memory, millis(3), request.body_mut().next()).await {
                Some(Some(piece)) => read.extend_from_slice(&piece?),
                Some(None) => break,
                None => given_up += 1,
            }
        }
        assert!(given_up > 50);
        Ok::<_, BodyError>(String::from_utf8(read).unwrap())
    });
    let content = (0..100).map(|number| format!("{number:04}")).collect::<String>();
    let client = world.client(post_head("/", content.len()));
    for piece in content.as_bytes().chunks(4) {
        client.send(piece);
        world.memory.advance(millis(7));
    }
    assert_eq!(responses(&client), [ok(&content)]);
}

/// A task has body and responder; its read loses a select against a timer, then it sends.
#[test]
fn dropped_read_does_not_affect_a_send() {
    let notes = Notes::default();
    let kept = notes.clone();
    let world = start_streaming(move |memory: Memory, request: Request| {
        let notes = kept.clone();
        async move {
            let responder = request.responder();
            let done = Arc::new(Mutex::new(None));
            let task = select_then_send(memory.clone(), request.into_body(), responder, notes, Arc::clone(&done));
            memory.spawn(task);
            while done.lock().unwrap().is_none() {
                sleep(&memory, millis(10)).await;
            }
            done.lock().unwrap().take().unwrap()
        }
    });
    let client = world.connect();
    client.take_only(30_000);
    client.send(post_head("/", 10).as_bytes());
    world.memory.advance(millis(15));
    client.send(b"12345");
    world.memory.advance(millis(50));
    let mut received = 0;
    for _ in 0..40 {
        received += text(&client).len();
        client.take_only(30_000);
        world.memory.advance(millis(10));
    }
    assert_eq!(notes.take(), ["tick", "sent all"]);
    client.send(b"67890");
    world.memory.advance(millis(50));
    received += text(&client).len();
    assert!((400_000..410_000).contains(&received), "{received}");
    assert_eq!(notes.take(), ["read 10"]);
}

type Finished = Arc<Mutex<Option<Result<Response, Misuse>>>>;

async fn select_then_send(
    memory: Memory,
    mut body: Body,
    mut responder: httpants_driver::Responder,
    notes: Notes,
    done: Finished,
) {
    responder.send_status(200).unwrap();
    responder.send_headers([("A", "b")], true).unwrap();
    let lost = timeout(&memory, millis(10), body.next()).await;
    assert_eq!(lost, None);
    notes.add("tick");
    sleep(&memory, millis(20)).await;
    for _ in 0..10 {
        responder.send(vec![b'x'; 40_000]).await.unwrap();
    }
    notes.add("sent all");
    note_read(body, notes).await;
    *done.lock().unwrap() = Some(responder.finish().await);
}

/// Reads the body in another task and responds after a second.
fn start_early(notes: &Notes) -> World {
    let notes = notes.clone();
    start_streaming(move |memory: Memory, request: Request| {
        let notes = notes.clone();
        async move {
            match request.path() {
                "/returned" => {
                    memory.spawn(note_read(request.into_body(), notes));
                    sleep(&memory, seconds(1)).await;
                    Ok::<_, Misuse>(Response::text("early"))
                }
                "/sent" => {
                    let responder = request.responder();
                    memory.spawn(note_read(request.into_body(), notes));
                    sleep(&memory, seconds(1)).await;
                    responder.send_response("early", 200, "text/plain")
                }
                _ => Ok(Response::text("next")),
            }
        }
    })
}

#[test]
fn reader_in_a_task_ends_at_an_early_response() {
    for path in ["/returned", "/sent"] {
        let notes = Notes::default();
        let world = start_early(&notes);
        let client = world.client(post_head(path, 10) + "12345");
        world.memory.advance(millis(999));
        assert_eq!(notes.take(), [""; 0]);
        world.memory.advance(millis(1));
        assert_eq!(responses(&client), [ok("early")]);
        assert_eq!(notes.take(), ["ResponseFinished"], "{path}: at once, before the rest is drained");
        assert_eq!(world.ask(&client, "67890".to_owned() + &get("/next")), [ok("next")]);
        client.end();
        world.memory.run();
        world.assert_left();
    }
}

/// More of the body is missing than the connection would drain, so it closes.
#[test]
fn reader_in_a_task_ends_at_an_early_last_response() {
    for path in ["/returned", "/sent"] {
        let notes = Notes::default();
        let world = start_early(&notes);
        let client = world.client(post_head(path, 1_000_000) + "12345");
        world.memory.advance(seconds(1));
        assert!(text(&client).ends_with("early") && client.is_ended());
        assert_eq!(notes.take(), ["ResponseFinished"], "{path}");
    }
}

/// The client waits for that without bytes of its body.
#[test]
fn continue_is_sent_when_the_handler_reads_and_not_before() {
    let world = start_streaming(async |memory, mut request: Request| {
        sleep(&memory, seconds(2)).await;
        request.body_mut().bytes().await.map(Response::text)
    });
    let client = world.client("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    world.memory.advance(seconds(1));
    assert_eq!(text(&client), "");
    world.memory.advance(seconds(1));
    assert_eq!(text(&client), "HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(world.ask(&client, "12345"), [ok("12345")]);
}

/// No peer must be able to fill the log with errors.
#[test]
fn malformed_form_is_not_logged_as_an_application_error() {
    let world = start_streaming(async |_, mut request: Request| {
        let error = request.parts().unwrap().next().await.unwrap_err();
        let error = if request.path() == "/direct" { error.into() } else { std::io::Error::other(error).into() };
        Response::stream(stream::iter([Err::<Bytes, Box<dyn Error + Send + Sync>>(error)]))
    });
    let logged = errors(|| {
        for path in ["/direct", "/wrapped"] {
            let head =
                post_head(path, 6).replace("\r\n\r\n", "\r\nContent-Type: multipart/form-data; boundary=x\r\n\r\n");
            let client = world.client(head + "no end");
            assert_eq!(responses(&client)[0].0, 500);
        }
    });
    assert_eq!(logged, [""; 0]);
}

#[test]
fn read_after_finish_is_an_error_at_once() {
    let heads = [
        post_head("/", 10),
        post_head("/", 1_000_000),
        CHUNKED.to_owned(),
        "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n".to_owned(),
    ];
    for head in heads {
        let notes = Notes::default();
        let kept = notes.clone();
        let world = start_streaming(move |_, mut request: Request| {
            let notes = kept.clone();
            async move {
                let sent = request.responder().send_response("early", 200, "text/plain")?;
                notes.add(format!("{:?}", request.body_mut().next().await));
                notes.add(format!("{:?}", request.body_mut().next().await));
                Ok::<_, Misuse>(sent)
            }
        });
        let client = world.client(&head);
        assert!(text(&client).ends_with("early"));
        assert_eq!(notes.take(), ["Some(Err(ResponseFinished))"; 2], "{head}");
    }
}

/// A completely received body is readable after the response only if it was taken before.
#[test]
fn echo_stream_ends_with_the_body() {
    let world = start_streaming(async |_, request: Request| Response::stream(request.into_body()));
    let client = world.client(post_head("/", 10) + "12345");
    client.send(b"67890");
    world.memory.run();
    assert_eq!(responses(&client), [ok("1234567890")]);
    client.send((post_head("/", 10) + "12345").as_bytes());
    world.memory.run();
    client.end();
    world.memory.run();
    assert_eq!(responses(&client), [(200, None)]);
    world.assert_left();
}
