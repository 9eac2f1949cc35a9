//! Tests of timers, shutdown, time measurement and defaults of a server.

use std::future::pending;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, sleep};
use httpants_driver::{BodyPolicy, Misuse, Request, Response, Server};
use httpants_testkit::memory::Memory;
use tracing::Level;

use crate::world::{
    Notes, OnDrop, World, events, get, millis, ok, post, responses, seconds, start, start_with, text, timeout,
};

#[test]
fn timers_of_one_task_fire_at_their_times() {
    let notes = Notes::default();
    let kept = notes.clone();
    let memory = Memory::new();
    let clock = memory.clone();
    memory.serve(async move {
        let long = timeout(&clock, seconds(5), async {
            let short = timeout(&clock, seconds(2), pending::<()>()).await;
            kept.add(format!("short {short:?} {:?}", clock.now().mono));
            pending::<()>().await;
        });
        kept.add(format!("long {:?} {:?}", long.await, clock.now().mono));
    });
    memory.advance(seconds(10));
    assert_eq!(notes.take(), ["short None 2s", "long None 5s"]);
}

#[test]
fn timer_of_a_handler_and_of_its_connection_both_fire() {
    for handler_timeout in [None, Some(seconds(60)), Some(seconds(3))] {
        let handler = async |memory: Memory, _: Request| {
            sleep(&memory, seconds(5)).await;
            "slept"
        };
        let world = start_with(handler, |server| server.config(|config| config.timeouts.handler = handler_timeout));
        let client = world.client(get("/"));
        world.memory.advance(seconds(5));
        let status = if handler_timeout == Some(seconds(3)) { 503 } else { 200 };
        assert_eq!(responses(&client)[0].0, status, "{handler_timeout:?}");
    }
}

/// Returns the time until these shutdown calls drop a request, with or without running the tasks
/// between them.
fn dropped_after(graces: [u64; 2], tasks_run: bool) -> Duration {
    let notes = Notes::default();
    let kept = notes.clone();
    let world = start(move |_, _| {
        let dropped = OnDrop(kept.clone(), "dropped");
        async move {
            let _dropped = dropped;
            pending::<()>().await;
        }
    });
    let _client = world.client(get("/"));
    for grace in graces {
        world.handle.shutdown(seconds(grace));
        if tasks_run {
            world.memory.run();
        }
    }
    let since = world.memory.now().mono;
    while notes.take().is_empty() {
        world.memory.advance(millis(500));
    }
    assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
    world.memory.now().mono - since
}

#[test]
fn shorter_grace_of_two_shutdowns_applies() {
    for graces in [[600, 1], [1, 600], [1, 1]] {
        for tasks_run in [true, false] {
            assert_eq!(dropped_after(graces, tasks_run), seconds(1), "{graces:?}, tasks run: {tasks_run}");
        }
    }
}

#[test]
fn longer_grace_does_not_extend_a_shutdown() {
    let world = start(async |_, _: Request| pending::<()>().await);
    let _client = world.client(get("/"));
    world.handle.shutdown(seconds(5));
    world.memory.advance(seconds(4));
    world.handle.shutdown(seconds(3));
    world.memory.advance(seconds(1));
    assert_eq!((world.handle.connections(), world.memory.tasks()), (0, 0));
}

#[test]
fn delayed_shutdown_begins_at_the_earliest_of_its_times() {
    // For each shutdown request, the seconds since the previous one, and its delay.
    for (requests, begins) in [([(0, 5), (0, 60)], 5), ([(0, 60), (4, 5)], 9), ([(0, 5), (4, 60)], 5)] {
        let world = start(async |_, _: Request| "served");
        for (after, delay) in requests {
            world.memory.advance(seconds(after));
            world.handle.shutdown_after(seconds(delay), seconds(1));
            world.memory.run();
        }
        world.memory.advance(seconds(begins) - world.memory.now().mono - millis(1));
        assert!(!world.handle.is_draining(), "{requests:?}");
        world.memory.advance(millis(1));
        assert!(world.handle.is_draining(), "{requests:?}");
    }
}

/// The task of the connection sees the shutdown and the event that completes the handler in the
/// same turn.
#[test]
fn response_ready_at_the_shutdown_has_connection_close() {
    let world = start(async |_, _: Request| "done");
    let request = post("/", "12345");
    let (before, following) = request.split_at(request.len() - 2);
    let client = world.client(before);
    world.handle.shutdown(seconds(5));
    client.send(following.as_bytes());
    world.memory.run();
    let got = text(&client);
    assert!(got.contains("\r\nConnection: close\r\n"), "{got}");
    assert!(client.is_ended());
}

/// Starts a server that works for 50 ms on the thread without awaiting, at the point selected by
/// the path.
fn start_busy(notes: &Notes) -> World {
    let notes = notes.clone();
    let handler = move |memory: Memory, request: Request| {
        let (notes, path) = (notes.clone(), request.path().to_owned());
        if path == "/function" {
            memory.jump(millis(50));
        }
        async move {
            if path != "/function" {
                memory.jump(millis(50));
            }
            notes.add(format!("{:?}", request.time()));
            let response = match &*path {
                "/responder" => request.responder().send_response("busy", 200, "text/plain")?,
                _ => Response::text("busy"),
            };
            let head = request.head().clone();
            // The response is finished before this call, so the time is constant from then on.
            memory.clone().serve(async move {
                memory.jump(seconds(1));
                notes.add(format!("{:?} {:?}", request.time(), head.time(memory.now())));
            });
            Ok::<_, Misuse>(response)
        }
    };
    start_with(handler, |server| server.body_policy(|_| BodyPolicy::Buffer))
}

#[test]
fn time_of_a_handler_that_does_not_await_is_measured() {
    for request in [get("/future"), get("/function"), get("/responder"), post("/future", "body")] {
        let notes = Notes::default();
        let logged = events(Level::INFO, "httpants::access", || {
            let world = start_busy(&notes);
            let client = world.client(&request);
            assert_eq!(responses(&client), [ok("busy")]);
        });
        assert_eq!(notes.take(), ["50ms", "50ms 50ms"], "{request}");
        assert!(logged.len() == 1 && logged[0].contains(" duration_us=50000"), "{request}: {logged:?}");
    }
}

/// The time of the handler must not count as the client's.
#[test]
fn busy_handler_causes_no_timeout_of_its_client() {
    let handler = async |memory: Memory, request: Request| {
        memory.jump(seconds(100));
        Response::text(request.body().unwrap().len().to_string() + &"x".repeat(100_000))
    };
    let world = start_with(handler, |server| server.config(|config| config.timeouts.write = Some(seconds(30))));
    for request in [get("/"), post("/", "body")] {
        let client = world.connect();
        client.take_only(0);
        client.send(request.as_bytes());
        world.memory.advance(seconds(29));
        assert!(!client.is_ended());
        client.take_only(usize::MAX);
        world.memory.run();
        assert!(text(&client).len() > 100_000 && !client.is_ended());
    }
}

/// A client that reads slowly but steadily is served to the end, although the socket is never
/// reported as writable; one that reads almost nothing is not.
#[test]
fn slow_client_is_served_and_stalled_one_is_not() {
    for (taken, served) in [(20_000, true), (100, false)] {
        let world = start_with(
            async |_: Memory, _: Request| Response::text("x".repeat(200_000)),
            |server| server.config(|config| (config.timeouts.write, config.timeouts.idle) = (Some(seconds(30)), None)),
        );
        let client = world.connect();
        client.take_only(1_000);
        client.send(get("/").as_bytes());
        world.memory.run();
        let mut received = text(&client).len();
        for _ in 0..20 {
            world.memory.advance(seconds(20));
            client.take_only_unreported(taken);
            world.memory.advance(seconds(10));
            received += text(&client).len();
        }
        assert_eq!((received > 200_000, client.is_closed()), (served, !served), "{taken}");
    }
}

/// Sets a signed cookie, or reads it.
async fn cookies(request: Request) -> Result<Response, Misuse> {
    if let Some(value) = request.signed_cookie_text("name") {
        return Ok(Response::text(value));
    }
    request.set_signed_cookie("name", "value")?;
    Ok(Response::text("set"))
}

/// Receives a signed cookie as a client and sends it back.
fn exchange_cookie(memory: &Memory) {
    let client = memory.connect();
    client.send(get("/").as_bytes());
    memory.run();
    let received = text(&client);
    let cookie = received.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).expect("a signed cookie");
    let cookie = cookie.split(';').next().unwrap();
    client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nCookie: {cookie}\r\n\r\n").as_bytes());
    memory.run();
    assert_eq!(responses(&client), [ok("value")]);
}

#[test]
fn attached_server_signs_cookies_by_default() {
    let memory = Memory::new();
    memory.start(Server::with_runtime(memory.clone(), cookies));
    exchange_cookie(&memory);
}

#[test]
fn attached_and_bound_servers_have_the_same_defaults() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), cookies).listen("127.0.0.1:0");
    memory.serve(server.bind().unwrap().serve());
    exchange_cookie(&memory);
    let defaults = |bound: bool| {
        let memory = Memory::new();
        let server =
            Server::with_runtime(memory.clone(), async |request: Request| request.body().unwrap().len().to_string());
        match bound {
            true => memory.serve(server.listen("127.0.0.1:0").bind().unwrap().serve()),
            false => drop(memory.start(server)),
        }
        let mut received = String::new();
        for request in [get("/"), post("/", "body"), post("/", "").replace(": 0", ": 99999999"), "bad".into()] {
            let client = memory.connect();
            client.send(request.as_bytes());
            memory.advance(seconds(100));
            received += &format!("{} {}\n", text(&client), client.is_closed());
        }
        received
    };
    assert_eq!(defaults(true), defaults(false));
}

/// The head of the first response had no `Connection: close`, and the second request was received
/// before the shutdown, although the task of the connection sees both in the same turn.
#[test]
fn request_received_before_the_shutdown_is_served() {
    let handler = async |memory: Memory, request: Request| {
        let path = request.path().to_owned();
        match &*path {
            // The whole response is passed to the core, and the handler continues.
            "/given" => {
                let sent = request.responder().send_response("first", 200, "text/plain")?;
                sleep(&memory, millis(100)).await;
                Ok::<_, Misuse>(sent)
            }
            // The head is passed to the core, and the end follows in the turn of the shutdown.
            "/begun" => {
                let mut responder = request.responder();
                responder.send_status(200)?;
                responder.send("fir").await?;
                sleep(&memory, millis(100)).await;
                responder.send("st").await?;
                responder.finish().await
            }
            _ => Ok(Response::text("second")),
        }
    };
    for (path, jump) in [("/given", 0), ("/given", 100), ("/begun", 0), ("/begun", 100)] {
        let world = start(handler);
        let client = world.client(get(path));
        let head = text(&client);
        assert!(head.starts_with("HTTP/1.1 200 ") && !head.contains("Connection: close"), "{head}");
        client.send(get("/second").as_bytes());
        world.memory.jump(millis(jump));
        world.handle.shutdown(seconds(5));
        world.memory.run();
        world.memory.advance(seconds(1));
        let got = text(&client);
        assert!(got.ends_with("second"), "{path} {jump}: lost: {got:?}");
        assert!(client.is_ended(), "{path} {jump}");
    }
}
