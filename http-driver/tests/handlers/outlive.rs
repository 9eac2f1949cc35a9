//! Tests of handlers that continue after their response.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use bytes::Bytes;
use futures_util::stream::pending;
use httpants_driver::runtime::sleep;
use httpants_driver::{BodyError, BodyPolicy, Misuse, Request, Responder, Response};
use httpants_testkit::memory::Memory;

use crate::world::{
    Notes, OnDrop, World, errors, get, millis, ok, post, post_head, responses, seconds, start, start_streaming,
    start_with, text,
};

/// On `/one` the handler responds by its responder, works for 100 ms and then returns another
/// response; on `/busy` it works for ten seconds and returns the responder's result.
fn start_late(notes: &Notes) -> World {
    let notes = notes.clone();
    let handler = move |memory: Memory, request: Request| {
        let notes = notes.clone();
        async move {
            let path = request.path().to_owned();
            notes.add(format!("start {path}"));
            let response = match &*path {
                "/one" => {
                    request.responder().send_response("first of /one", 200, "text/plain")?;
                    sleep(&memory, millis(100)).await;
                    Response::text("secret of /one")
                }
                "/busy" => {
                    let _dropped = OnDrop(notes.clone(), "drop /busy");
                    let sent = request.responder().send_response("/busy", 200, "text/plain")?;
                    sleep(&memory, seconds(10)).await;
                    sent
                }
                _ => Response::text(path.clone()),
            };
            notes.add(format!("end {path}"));
            Ok::<_, Misuse>(response)
        }
    };
    let policy = |head: &httpants_driver::protocol::RequestHead| match head.path() {
        "/streamed" => BodyPolicy::Stream,
        _ => BodyPolicy::Buffer,
    };
    start_with(handler, |server| server.body_policy(policy))
}

#[test]
fn late_response_is_an_error_and_not_sent_to_the_next() {
    let errors = errors(|| {
        let notes = Notes::default();
        let world = start_late(&notes);
        let client = world.connect();
        assert_eq!(world.ask(&client, get("/one") + &get("/two")), [ok("first of /one")]);
        assert_eq!(notes.take(), ["start /one"], "the next handler begins when this one has ended");
        world.memory.advance(millis(100));
        assert_eq!(responses(&client), [ok("/two")]);
        assert_eq!(notes.take(), ["end /one", "start /two", "end /two"]);
        assert_eq!(world.ask(&client, get("/three")), [ok("/three")]);
    });
    assert!(errors.len() == 1 && errors[0].contains("finished already"), "{errors:?}");
}

#[test]
fn late_response_is_not_sent_to_a_partial_post() {
    for path in ["/buffered", "/streamed"] {
        let world = start_late(&Notes::default());
        let client = world.connect();
        assert_eq!(world.ask(&client, get("/one")), [ok("first of /one")]);
        assert_eq!(world.ask(&client, post_head(path, 4) + "ab"), []);
        world.memory.advance(millis(200));
        let early = responses(&client);
        let late = world.ask(&client, "cd");
        assert_eq!([early, late].concat(), [ok(path)]);
        assert_eq!(world.ask(&client, get("/three")), [ok("/three")]);
    }
}

#[test]
fn late_response_after_the_last_is_an_error() {
    for request in ["GET /one HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET /one HTTP/1.0\r\n\r\n"] {
        let errors = errors(|| {
            let world = start_late(&Notes::default());
            let client = world.client(request);
            world.memory.advance(millis(100));
            assert!(text(&client).ends_with("first of /one"));
            client.end();
            world.memory.advance(seconds(3));
            world.assert_left();
        });
        assert!(errors.len() == 1 && errors[0].contains("misuse"), "{request}: {errors:?}");
    }
}

#[test]
fn late_error_after_a_response_is_only_logged() {
    let errors = errors(|| {
        let world = start_streaming(async |memory: Memory, request: Request| {
            let _ = request.responder().send_response("sent", 200, "text/plain");
            sleep(&memory, millis(100)).await;
            assert_ne!(request.path(), "/panic", "on purpose");
            Err::<Response, _>(Misuse::HeadDue)
        });
        for path in ["/misuse", "/panic"] {
            let client = world.connect();
            assert_eq!(world.ask(&client, get(path) + &get("/misuse")), [ok("sent")]);
            world.memory.advance(seconds(1));
            assert_eq!(responses(&client), [ok("sent")]);
            assert!(!client.is_ended());
        }
    });
    assert_eq!(errors.len(), 4, "{errors:?}");
}

#[test]
fn shutdown_waits_for_a_handler_after_its_response() {
    for leaves in [true, false] {
        let notes = Notes::default();
        let world = start_late(&notes);
        let client = world.connect();
        assert_eq!(world.ask(&client, get("/busy")), [ok("/busy")]);
        world.handle.shutdown(seconds(30));
        if leaves {
            client.end();
        }
        world.memory.advance(seconds(9));
        assert_eq!((notes.take(), world.handle.connections()), (vec!["start /busy".into()], 1));
        world.memory.advance(seconds(1));
        assert_eq!(notes.take(), ["drop /busy", "end /busy"], "leaves: {leaves}");
        world.memory.advance(seconds(2));
        assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
    }
}

#[test]
fn handler_after_its_response_is_dropped_after_the_grace() {
    let notes = Notes::default();
    let world = start_late(&notes);
    let client = world.client(get("/busy"));
    world.handle.shutdown(seconds(5));
    client.end();
    world.memory.advance(seconds(5));
    assert_eq!(notes.take(), ["start /busy", "drop /busy"]);
    assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
}

#[test]
fn handler_that_responded_outlives_its_client() {
    for leaves in ["end", "reset", "end, then reset"] {
        let notes = Notes::default();
        let world = start_late(&notes);
        let client = world.connect();
        assert_eq!(world.ask(&client, get("/busy")), [ok("/busy")]);
        if leaves.starts_with("end") {
            client.end();
            world.memory.run();
        }
        if leaves.ends_with("reset") {
            client.reset();
        }
        world.memory.advance(seconds(9));
        assert!(client.is_closed(), "{leaves}");
        assert_eq!((notes.take(), world.handle.connections()), (vec!["start /busy".into()], 1), "it is busy");
        world.memory.advance(seconds(1));
        assert_eq!(notes.take(), ["drop /busy", "end /busy"], "{leaves}");
        world.assert_left();
    }
}

/// The handler has sent its whole response, and the client reads none of it.
#[test]
fn handler_that_responded_outlives_an_unread_response() {
    let notes = Notes::default();
    let world = start_late(&notes);
    let client = world.connect();
    client.take_only(0);
    client.send(get("/busy").as_bytes());
    world.memory.run();
    client.reset();
    world.memory.advance(seconds(10));
    assert_eq!(notes.take(), ["start /busy", "drop /busy", "end /busy"]);
    world.assert_left();
}

#[test]
fn idle_timer_runs_from_the_end_of_the_handler() {
    let world = start_late(&Notes::default());
    let client = world.connect();
    assert_eq!(world.ask(&client, get("/busy")), [ok("/busy")]);
    world.memory.advance(seconds(84));
    assert!(!client.is_ended());
    world.memory.advance(seconds(2));
    assert!(client.is_ended());
}

#[test]
fn handles_of_a_finished_request_do_not_affect_the_next() {
    let kept: Arc<Mutex<Option<(Request, Responder)>>> = Arc::default();
    let place = Arc::clone(&kept);
    let world = start_streaming(move |_, mut request: Request| {
        let place = Arc::clone(&place);
        async move {
            if request.path() != "/one" {
                return Response::text(format!("{:?}", request.body_mut().bytes().await.map(|body| body.len())));
            }
            let responder = request.responder();
            *place.lock().unwrap() = Some((request, responder));
            Response::text("first")
        }
    });
    let client = world.connect();
    assert_eq!(world.ask(&client, post("/one", "12345")), [ok("first")]);
    let (mut request, mut responder) = kept.lock().unwrap().take().unwrap();
    assert_eq!(world.ask(&client, post_head("/two", 5) + "ab"), []);
    let notes = Notes::default();
    let done = notes.clone();
    world.memory.serve(async move {
        assert_eq!(responder.send_status(200), Err(Misuse::NoRequest));
        assert_eq!(responder.send("x").await, Err(Misuse::NoRequest));
        assert_eq!(responder.finish().await.map(drop), Err(Misuse::NoRequest));
        assert_eq!(request.set_cookie(("name", "value")), Err(Misuse::NoRequest));
        assert_eq!(request.body_mut().next().await, Some(Err(BodyError::ResponseFinished)));
        request.peer_closed().await;
        assert!(request.is_peer_closed());
        done.add("done");
    });
    client.send(b"cde");
    world.memory.run();
    let received = text(&client);
    assert!(received.ends_with("Ok(5)") && !received.contains("Set-Cookie"), "{received}");
    assert_eq!(notes.take(), ["done"]);
}

/// A future that is ready when the test opens it.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn open(&self) {
        let mut gate = self.0.lock().unwrap();
        gate.0 = true;
        if let Some(waker) = gate.1.take() {
            waker.wake();
        }
    }

    async fn passed(&self) {
        std::future::poll_fn(|context| {
            let mut gate = self.0.lock().unwrap();
            gate.1 = Some(context.waker().clone());
            if gate.0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

#[test]
fn requests_arriving_as_a_late_handler_ends_are_served() {
    for count in 1..150 {
        let gate = Gate::default();
        let opened = gate.clone();
        let world = crate::world::start(move |_, request: Request| {
            let gate = opened.clone();
            async move {
                let path = request.path().to_owned();
                if path != "/late" {
                    return Ok(Response::text(path));
                }
                let sent = request.responder().send_response("late", 200, "text/plain")?;
                gate.passed().await;
                Ok::<_, Misuse>(sent)
            }
        });
        let client = world.connect();
        assert_eq!(world.ask(&client, get("/late")), [ok("late")]);
        gate.open();
        assert_eq!(world.ask(&client, get("/next").repeat(count)), vec![ok("/next"); count], "{count}");
        assert_eq!(world.ask(&client, get("/last")), [ok("/last")], "after {count}");
    }
}

/// The stream waits forever, and would delay the next request.
#[test]
fn stream_ends_when_a_responder_finishes_its_response() {
    for leaves in [false, true] {
        let handler = async |memory: Memory, request: Request| {
            if request.path() != "/stream" {
                return Response::text(request.path().to_owned());
            }
            let clock = memory.clone();
            memory.serve(async move {
                sleep(&clock, millis(100)).await;
                request.responder().finish().await.map(drop)
            });
            Response::stream(pending::<Result<Bytes, Infallible>>())
        };
        let errors = errors(|| {
            let world = start(handler);
            let client = world.client(get("/stream") + &get("/next"));
            world.memory.advance(millis(99));
            if leaves {
                client.reset();
            }
            world.memory.advance(millis(1));
            assert_eq!(responses(&client).len(), if leaves { 1 } else { 2 });
            world.assert_serves_others();
            client.reset();
            world.memory.run();
            world.assert_left();
        });
        assert!(errors.is_empty(), "{errors:?}");
    }
}
