//! Tests of the connection task, in memory and in virtual time, with random faults from seeds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use httpants_driver::runtime::sleep;
use httpants_driver::{BodyPolicy, Handle, Misuse, Request, Response, Server};
use httpants_testkit::memory::{Client, Faults, Memory};

/// The application under test; the query selects its behaviour.
async fn application(memory: Memory, mut request: Request) -> Result<Response, Misuse> {
    Ok(match request.path() {
        "/echo" => {
            let mut content = Vec::new();
            while let Some(piece) = request.body_mut().next().await {
                match piece {
                    Ok(piece) => content.extend_from_slice(&piece),
                    Err(error) => return Ok(error.into()),
                }
            }
            content.into()
        }
        "/early" => "early".into(),
        "/slow" => {
            sleep(&memory, Duration::from_secs(5)).await;
            "slow".into()
        }
        "/stream" => Response::stream(Numbers { next: 0, end: 100_000, fail: false }),
        "/broken-stream" => Response::stream(Numbers { next: 0, end: 3, fail: true }),
        "/seed" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            responder.send_headers([("X-Style", "seed")], true)?;
            for number in 0..20_000 {
                responder.send(format!("{number}\n")).await?;
            }
            return responder.finish().await;
        }
        "/out-of-turn" => {
            let mut responder = request.responder();
            let content = responder.send("x").await;
            let headers = responder.send_headers([("A", "b")], true);
            assert_eq!((content, headers), (Err(Misuse::HeadDue), Err(Misuse::HeadDue)));
            responder.send_response("in turn", 200, "text/plain")?
        }
        "/unfinished" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            responder.send("half").await?;
            return Ok(Response::from(()));
        }
        "/panic" => panic!("on purpose\n"),
        "/panic-late" => {
            let mut responder = request.responder();
            responder.send_status(200)?;
            responder.send("half").await?;
            panic!("on purpose")
        }
        "/bad-header" => Response::text("x").with_header("A", "b\r\nc: d"),
        "/upgrade" => Response::upgrade("echo", async |mut stream| {
            let mut buffer = [0; 16];
            loop {
                let count = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await.unwrap();
                if count == 0 {
                    return;
                }
                let mut rest = &buffer[..count];
                while !rest.is_empty() {
                    let sent = poll_fn(|context| Pin::new(&mut stream).poll_write(context, rest)).await.unwrap();
                    rest = &rest[sent..];
                }
            }
        }),
        path => Response::text(format!("{path} {}", request.body().unwrap().len())),
    })
}

struct Numbers {
    next: u32,
    end: u32,
    fail: bool,
}

impl Stream for Numbers {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.next == self.end {
            return Poll::Ready(self.fail.then(|| Err(io::Error::other("the source\nbroke"))));
        }
        self.next += 1;
        Poll::Ready(Some(Ok(Bytes::from(format!("{}\n", self.next - 1)))))
    }
}

fn start(memory: &Memory, change: impl FnOnce(Server<Memory, Box<App>>) -> Server<Memory, Box<App>>) -> Handle {
    let world = memory.clone();
    let handler: Box<App> = Box::new(move |request| Box::pin(application(world.clone(), request)));
    let server = Server::with_runtime(memory.clone(), handler).body_policy(|head| match head.path() {
        "/echo" | "/early" => BodyPolicy::Stream,
        "/refuse" => BodyPolicy::Refuse(Box::new(Response::new(403))),
        _ => BodyPolicy::Buffer,
    });
    memory.start(change(server))
}

type App = dyn Fn(Request) -> Pin<Box<dyn Future<Output = Result<Response, Misuse>>>>;

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes()
}

fn post(path: &str, content: &[u8]) -> Vec<u8> {
    [format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", content.len()).as_bytes(), content]
        .concat()
}

/// Returns status and body of each response, chunks joined; `None` for a truncated body.
fn responses(mut received: &[u8]) -> Vec<(u16, Option<String>)> {
    let mut all = Vec::new();
    while let Some(end) = find(received, b"\r\n\r\n") {
        let head = String::from_utf8(received[..end].to_vec()).unwrap();
        received = &received[end + 4..];
        let status: u16 = head[9..12].parse().unwrap();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let content = if status == 100 || status == 101 {
            Some(String::new())
        } else if let Some(length) = field("Content-Length: ") {
            let length: usize = length.parse().unwrap();
            received.split_at_checked(length).map(|(content, rest)| {
                received = rest;
                String::from_utf8_lossy(content).into_owned()
            })
        } else {
            chunks(&mut received)
        };
        all.push((status, content));
    }
    all
}

fn chunks(received: &mut &[u8]) -> Option<String> {
    let mut content = Vec::new();
    loop {
        let end = find(received, b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&received[..end]).unwrap(), 16).unwrap();
        let data = received.get(end + 2..end + 2 + size)?;
        content.extend_from_slice(data);
        *received = received.get(end + 2 + size + 2..)?;
        if size == 0 {
            return Some(String::from_utf8(content).unwrap());
        }
    }
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn exchange(memory: &Memory, bytes: &[u8]) -> (Client, Vec<(u16, Option<String>)>) {
    let client = memory.connect();
    client.send(bytes);
    memory.run();
    let received = responses(&client.take_received());
    (client, received)
}

fn ok(content: &str) -> (u16, Option<String>) {
    (200, Some(content.to_owned()))
}

#[test]
fn pipelined_responses_are_ordered_despite_io_faults() {
    let content = "x".repeat(200_000);
    let requests = [
        get("/a"),
        post("/echo", content.as_bytes()),
        post("/b", content.as_bytes()),
        get("/seed"),
        post("/early", b"unread"),
        get("/stream"),
        b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n".to_vec(),
        get("/out-of-turn"),
        post("/refuse", b"never read"),
        get("/last"),
    ]
    .concat();
    let numbers = |end: u32| (0..end).map(|number| format!("{number}\n")).collect::<String>();
    let expected = [
        ok("/a 0"),
        ok(&content),
        ok("/b 200000"),
        ok(&numbers(20_000)),
        ok("early"),
        ok(&numbers(100_000)),
        ok("/c 3"),
        ok("in turn"),
        (403, Some(String::new())),
        ok("/last 0"),
    ];
    for seed in 0..8 {
        let faults = if seed == 0 { Faults::default() } else { Faults::all() };
        let memory = Memory::with_faults(seed, faults);
        start(&memory, |server| server);
        let (client, received) = exchange(&memory, &requests);
        assert_eq!(received.len(), expected.len(), "seed {seed}");
        for (place, (got, expected)) in received.iter().zip(&expected).enumerate() {
            assert!(got == expected, "seed {seed}, response {place}: {}", got.0);
        }
        assert!(!client.is_ended());
    }
}

#[test]
fn continue_is_sent_when_the_body_is_read() {
    let memory = Memory::new();
    start(&memory, |server| server.max_body_size(100));
    let head = |path: &str, length: u32| {
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    for path in ["/buffered", "/echo"] {
        let (client, received) = exchange(&memory, head(path, 2).as_bytes());
        assert_eq!(received, [(100, Some(String::new()))], "{path}");
        client.send(b"hi");
        memory.run();
        assert_eq!(responses(&client.take_received()).len(), 1);
    }
    let (client, received) = exchange(&memory, head("/early", 2).as_bytes());
    assert_eq!(received, [ok("early")]);
    assert!(client.is_ended(), "the client may or may not send the content now");
    for path in ["/buffered", "/echo"] {
        let (_client, received) = exchange(&memory, head(path, 101).as_bytes());
        assert_eq!(received.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [413], "{path}");
    }
}

#[test]
fn failures_are_500_or_break_the_connection() {
    let memory = Memory::new();
    start(&memory, |server| server);
    for path in ["/panic", "/bad-header"] {
        let (client, received) = exchange(&memory, &[get(path), get("/next")].concat());
        assert_eq!(received[0].0, 500, "{path}");
        assert_eq!(received[1], ok("/next 0"), "a failed request does not affect the next one");
        assert!(!client.is_ended());
    }
    for path in ["/panic-late", "/unfinished", "/broken-stream"] {
        let (client, received) = exchange(&memory, &[get("/before"), get(path), get("/next")].concat());
        assert_eq!(received[0], ok("/before 0"));
        assert_eq!(received[1], (200, None), "{path}: visibly truncated");
        assert!(client.is_ended() && received.len() == 2);
    }
    let (client, received) = exchange(&memory, b"GET /panic-late HTTP/1.0\r\n\r\n");
    assert_eq!(received.len(), 1);
    assert!(client.is_reset(), "the end of the stream would delimit the body");
}

#[test]
fn backpressure_reaches_the_handler_and_the_peer() {
    let memory = Memory::new();
    start(&memory, |server| server);
    for path in ["/stream", "/seed"] {
        let client = memory.connect();
        client.take_only(0);
        client.send(&get(path));
        memory.run();
        let polls = memory.polls();
        memory.advance(Duration::from_secs(29));
        assert!(memory.polls() - polls < 10, "{path}: it waits instead of spinning");
        client.take_only(usize::MAX);
        memory.run();
        assert!(responses(&client.take_received())[0].1.is_some());
        drop(client);
    }
    let client = memory.connect();
    client.take_only(0);
    client.send(&get("/a").repeat(10_000));
    memory.run();
    assert!(client.unread() > 200_000, "reading pauses while responses wait");
    memory.advance(Duration::from_secs(31));
    assert!(client.is_closed(), "the write timer");
}

#[test]
fn handler_is_dropped_on_reset_not_on_half_close() {
    let memory = Memory::new();
    start(&memory, |server| server);
    let tasks = memory.tasks();
    let (client, _) = exchange(&memory, &get("/slow"));
    client.end();
    memory.advance(Duration::from_secs(6));
    assert_eq!(responses(&client.take_received()), [ok("slow")]);
    assert!(client.is_closed());
    let (client, _) = exchange(&memory, &get("/slow"));
    client.reset();
    memory.run();
    assert!(client.is_closed());
    assert_eq!(memory.tasks(), tasks, "no task is left");
}

#[test]
fn upgrade_passes_on_bytes_already_read() {
    for seed in 0..8 {
        let memory = Memory::with_faults(seed, if seed == 0 { Faults::default() } else { Faults::all() });
        start(&memory, |server| server);
        let request = b"GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nearly ";
        let client = memory.connect();
        client.send(request);
        memory.run();
        client.send(b"late");
        memory.run();
        let received = client.take_received();
        assert!(received.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
        assert!(received.ends_with(b"Connection: Upgrade\r\n\r\nearly late"), "{}", received.escape_ascii());
        client.end();
        memory.run();
        assert!(client.is_closed());
    }
    let memory = Memory::new();
    start(&memory, |server| server);
    let (_client, received) = exchange(&memory, &get("/upgrade"));
    assert_eq!(received[0].0, 500, "an upgrade without an offer is a misuse");
}

#[test]
fn shutdown_closes_idle_and_finishes_running() {
    let memory = Memory::new();
    let handle = start(&memory, |server| server);
    let (idle, _) = exchange(&memory, &get("/a"));
    let (busy, _) = exchange(&memory, &get("/slow"));
    let (stuck, _) = exchange(&memory, b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    handle.shutdown(Duration::from_secs(10));
    memory.run();
    assert!(idle.is_ended() && !busy.is_ended() && !stuck.is_ended());
    assert!(handle.is_draining());
    memory.advance(Duration::from_secs(6));
    let received = busy.take_received();
    assert!(find(&received, b"Connection: close\r\n").is_some());
    assert_eq!(responses(&received), [ok("slow")]);
    assert!(busy.is_ended() && !busy.is_closed() && !stuck.is_ended());
    busy.end();
    memory.run();
    assert!(busy.is_closed(), "it may have been sending its next request");
    memory.advance(Duration::from_secs(5));
    assert!(stuck.is_closed(), "the grace is over");
    assert_eq!((handle.connections(), memory.tasks()), (0, 0));
}

#[test]
fn close_resets_a_close_delimited_response() {
    for path in ["/stream", "/seed"] {
        let memory = Memory::new();
        let handle = start(&memory, |server| server);
        let client = memory.connect();
        client.take_only(10_000);
        client.send(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        memory.run();
        handle.close();
        memory.run();
        assert!(client.take_received().len() == 10_000 && client.is_reset(), "{path}");
    }
    let memory = Memory::new();
    let handle = start(&memory, |server| server);
    let client = memory.connect();
    client.send(b"GET /seed HTTP/1.0\r\n\r\n");
    memory.run();
    handle.close();
    memory.run();
    assert!(client.is_closed() && !client.is_reset(), "a completely sent response stays complete");
}

#[test]
fn timers_fire_once_without_polls_in_between() {
    let memory = Memory::new();
    start(&memory, |server| server);
    let (client, _) = exchange(&memory, &get("/a"));
    for _ in 0..10 {
        memory.advance(Duration::from_secs(50));
        client.send(&get("/a"));
        memory.run();
        assert!(!client.is_ended());
    }
    memory.advance(Duration::from_secs(76));
    assert!(client.is_closed());
    let slow = memory.connect();
    slow.send(b"GET / HTTP/1.1\r\n");
    memory.advance(Duration::from_secs(16));
    assert_eq!(responses(&slow.take_received())[0].0, 408);
    assert!(slow.is_ended() && !slow.is_closed(), "it lingers");
    memory.advance(Duration::from_secs(6));
    assert!(slow.is_closed());
}

/// A body that outlives its request must not read from the next one.
#[test]
fn leftovers_of_a_request_are_discarded() {
    let memory = Memory::new();
    let kept: Rc<Cell<Option<httpants_driver::Body>>> = Rc::default();
    let place = Rc::clone(&kept);
    let server = Server::with_runtime(memory.clone(), move |request: Request| {
        place.set(Some(request.into_body()));
        async { "taken" }
    });
    memory.start(server.body_policy(|_| BodyPolicy::Stream));
    let (client, received) = exchange(&memory, &post("/", b"12345"));
    assert_eq!(received, [ok("taken")]);
    let mut body = kept.take().unwrap();
    client.send(&post("/", b"abcde"));
    memory.run();
    let mut second = kept.take().unwrap();
    memory.serve(async move {
        assert!(matches!(body.next().await, Some(Err(httpants_driver::BodyError::ResponseFinished))));
        assert!(second.next().await.is_some());
    });
    memory.run();
    assert_eq!(responses(&client.take_received()), [ok("taken")]);
}

#[test]
fn cookies_are_sent_with_every_kind_of_response() {
    let memory = Memory::new();
    let world = memory.clone();
    let server = Server::with_runtime(memory.clone(), move |request: Request| {
        let world = world.clone();
        async move {
            sleep(&world, Duration::from_secs(2)).await;
            assert_eq!(request.time(), Duration::from_secs(2));
            request.set_cookie(httpants_driver::protocol::cookies::Cookie::new("plain", "1"))?;
            request.set_signed_cookie("user", "jo")?;
            request.remove_signed_cookie("old")?;
            let user = request.signed_cookie_text("user").unwrap_or_default();
            if request.path() == "/seed" {
                return request.responder().send_response(user, 200, "text/plain");
            }
            Ok(Response::text(user))
        }
    });
    memory.start(server.cookie_secrets(["a secret"]).unwrap());
    for path in ["/", "/seed"] {
        let client = memory.connect();
        client.send(&get(path));
        memory.advance(Duration::from_secs(2));
        let received = String::from_utf8(client.take_received()).unwrap();
        let value = received.lines().find_map(|line| line.strip_prefix("Set-Cookie: user=")).unwrap();
        assert!(received.contains("\r\nSet-Cookie: plain=1\r\n"), "{received}");
        let gone = "\r\nSet-Cookie: old=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT\r\n";
        assert!(received.contains(gone), "{received}");
        let value = value.split(';').next().unwrap();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nCookie: user={value}\r\n\r\n").as_bytes());
        memory.advance(Duration::from_secs(2));
        assert_eq!(responses(&client.take_received()), [ok("jo")]);
    }
}
