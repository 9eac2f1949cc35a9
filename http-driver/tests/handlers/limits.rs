//! Tests of the limits on connections, and of the limits of single requests.

use std::future::{pending, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;

use futures_io::AsyncWrite;
use httpants_driver::protocol::{Address, ConnectionInfo};
use httpants_driver::runtime::sleep;
use httpants_driver::{BodyPolicy, Request, RequestHead, RequestLimits, Response, Timer, WhenFull};
use httpants_testkit::memory::{Client, Memory};

use crate::world::{World, get, millis, ok, post_head, responses, seconds, start_with, text};

fn peer(ip: &str) -> ConnectionInfo {
    let address = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 50_000);
    ConnectionInfo::new(address(ip), address("10.0.0.1"))
}

async fn path(memory: Memory, request: Request) -> String {
    if request.path() == "/slow" {
        sleep(&memory, seconds(3)).await;
    }
    request.path().to_owned()
}

impl World {
    fn client_from(&self, ip: &str, bytes: &str) -> Client {
        let client = self.memory.connect_from(peer(ip));
        client.send(bytes.as_bytes());
        self.memory.run();
        client
    }
}

fn assert_refused(client: &Client) {
    assert_refused_by(client, "the server has too many connections");
}

fn assert_refused_address(client: &Client) {
    assert_refused_by(client, "too many connections from this address");
}

fn assert_refused_by(client: &Client, limit: &str) {
    let received = text(client);
    assert!(received.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{received}");
    assert!(received.contains("\r\nConnection: close\r\n"), "{received}");
    assert!(received.ends_with(&format!("\r\n\r\n{limit} (RFC 9110 15.6.4)\n")), "{received}");
    assert!(client.is_ended() && !client.is_reset());
}

#[test]
fn connections_over_the_limit_of_an_address_get_503() {
    let world = start_with(path, |server| server.max_connections_per_address(2));
    let first = world.client_from("192.0.2.1", &get("/1"));
    let second = world.client_from("192.0.2.1", "");
    assert_eq!(responses(&first), [ok("/1")]);
    let third = world.client_from("192.0.2.1", "");
    assert_refused_address(&third);
    let other = world.client_from("192.0.2.2", &get("/other"));
    assert_eq!(responses(&other), [ok("/other")]);
    // A refused connection that still lingers does not count.
    drop(second);
    world.memory.run();
    let fourth = world.client_from("192.0.2.1", &get("/4"));
    assert_eq!(responses(&fourth), [ok("/4")]);
    let counters = world.handle.counters();
    assert_eq!((counters.connections_over_address_limit, counters.closes.overloaded), (1, 1));
    assert_eq!((counters.connections_accepted, counters.responses.server_error), (5, 1));
    drop((first, third, other, fourth));
    world.memory.run();
    world.assert_left();
}

#[test]
fn refused_client_that_sends_a_body_gets_its_response() {
    let world = start_with(path, |server| server.max_connections_per_address(1));
    let first = world.client_from("192.0.2.1", "");
    let upload = format!("{}{}", post_head("/", 1 << 20), "x".repeat(1 << 20));
    let second = world.client_from("192.0.2.1", &upload);
    world.memory.advance(millis(500));
    assert_refused_address(&second);
    assert!(!second.is_closed());
    second.end();
    world.memory.run();
    assert!(second.is_closed() && !second.is_reset() && !first.is_closed());
}

#[test]
fn ipv6_clients_count_by_prefix_and_unix_clients_do_not_count() {
    let world = start_with(path, |server| server.max_connections_per_address(1));
    let _first = world.client_from("2001:db8::1", "");
    assert_refused_address(&world.client_from("2001:db8::ffff:2", ""));
    let other = world.client_from("2001:db8:0:1::1", &get("/other"));
    assert_eq!(responses(&other), [ok("/other")]);
    let _v4 = world.client_from("192.0.2.1", "");
    assert_refused_address(&world.client_from("::ffff:192.0.2.1", ""));
    let unix: Vec<_> =
        (0..5).map(|_| world.memory.connect_from(ConnectionInfo::new(Address::Unix, Address::Unix))).collect();
    for client in &unix {
        assert_eq!(world.ask(client, get("/unix")), [ok("/unix")]);
    }
}

#[test]
fn address_of_the_proxy_header_counts() {
    let limit = |server: httpants_driver::Server<_, _>| {
        server.max_connections_per_address(1).config(|config| config.proxy_protocol = true)
    };
    let world = start_with(path, limit);
    let header = |ip: &str| format!("PROXY TCP4 {ip} 10.0.0.1 50000 80\r\n");
    let balancer = |bytes: &str| world.client_from("10.0.0.9", bytes);
    let first = balancer(&format!("{}{}", header("203.0.113.1"), get("/1")));
    let second = balancer(&format!("{}{}", header("203.0.113.2"), get("/2")));
    assert_eq!((responses(&first), responses(&second)), (vec![ok("/1")], vec![ok("/2")]));
    // The PROXY header in one piece with a request, and alone.
    assert_refused_address(&balancer(&format!("{}{}", header("203.0.113.1"), get("/again"))));
    assert_refused_address(&balancer(&header("203.0.113.1")));
    let waiting = balancer("PROXY TCP4 203.0.113.1 ");
    assert!(text(&waiting).is_empty() && !waiting.is_ended());
    drop(first);
    waiting.send(format!("10.0.0.1 1 80\r\n{}", get("/later")).as_bytes());
    world.memory.run();
    assert_eq!(responses(&waiting), [ok("/later")]);
    assert_eq!(world.handle.counters().connections_over_address_limit, 2);
    // The address of the peer itself, which a load balancer uses for its health checks.
    let _check = balancer("PROXY UNKNOWN\r\n");
    assert_refused_address(&balancer("PROXY UNKNOWN\r\n"));
}

#[test]
fn full_server_refuses_with_when_full() {
    let world = start_with(path, |server| server.max_connections(2).when_full(WhenFull::Refuse));
    let first = world.client(get("/1"));
    let second = world.client(get("/2"));
    assert_eq!((responses(&first), responses(&second)), (vec![ok("/1")], vec![ok("/2")]));
    // More than may linger at a time.
    let refused: Vec<_> = (0..200).map(|_| world.client("")).collect();
    refused.iter().for_each(assert_refused);
    assert!(world.handle.connections() <= 2 + 64, "{} are open", world.handle.connections());
    assert_eq!(world.ask(&first, get("/1")), [ok("/1")]);
    drop(second);
    world.memory.run();
    let next = world.client(get("/next"));
    assert_eq!(responses(&next), [ok("/next")]);
    assert_refused(&world.client(""));
    let counters = world.handle.counters();
    assert_eq!((counters.closes.overloaded, counters.connections_over_address_limit), (201, 0));
}

/// Without lingering, a reset could destroy the response.
#[test]
fn refused_connections_linger_while_others_are_refused() {
    let world = start_with(path, |server| server.max_connections(1).when_full(WhenFull::Refuse));
    let first = world.client(get("/1"));
    let upload = format!("{}{}", post_head("/", 1 << 20), "x".repeat(1000));
    let refused: Vec<_> = (0..63).map(|_| world.client(&upload)).collect();
    assert!(refused.iter().all(|client| client.is_ended() && !client.is_closed()));
    // If more connections would linger than allowed, the oldest is closed.
    let last = world.client(&upload);
    assert_refused(&last);
    assert!(refused.iter().filter(|client| client.is_closed()).count() <= 2);
    assert_eq!(world.ask(&first, get("/1")), [ok("/1"), ok("/1")]);
}

#[test]
fn last_request_of_a_connection_closes_it() {
    let world = start_with(path, |server| server.max_requests_per_connection(2));
    let client = world.client([get("/1"), get("/2"), get("/3")].concat());
    let received = text(&client);
    assert_eq!(received.matches("HTTP/1.1 200 ").count(), 2, "{received}");
    let (first, second) = received.split_at(received.rfind("HTTP/1.1").unwrap());
    assert!(!first.contains("Connection:") && second.contains("\r\nConnection: close\r\n"), "{received}");
    assert!(client.is_ended());
}

#[test]
fn old_connections_close_between_requests_or_after_the_response() {
    let world = start_with(path, |server| server.max_connection_age(seconds(10)));
    let idle = world.client(get("/idle"));
    let (busy, partial) = (world.client(""), world.client("GET /partial HTTP/1.1\r\n"));
    assert_eq!(responses(&idle), [ok("/idle")]);
    world.memory.advance(seconds(8));
    busy.send(get("/slow").as_bytes());
    world.memory.run();
    assert!(!idle.is_ended());
    world.memory.advance(seconds(2));
    assert!(idle.is_ended() && !busy.is_ended() && !partial.is_ended());
    partial.send(b"Host: a\r\n\r\n");
    world.memory.advance(seconds(1));
    for (client, path) in [(&busy, "/slow"), (&partial, "/partial")] {
        let received = text(client);
        assert!(received.contains("\r\nConnection: close\r\n") && received.ends_with(path), "{received}");
        assert!(client.is_ended());
    }
    let counters = world.handle.counters();
    assert_eq!((counters.timeouts.of(Timer::Age), counters.closes.timed_out), (3, 1));
    drop((idle, busy, partial));
    world.memory.run();
    world.assert_left();
}

/// Responds in the way selected by the path, and continues for ten seconds during or after the
/// response.
async fn respond_early(memory: Memory, request: Request) -> Response {
    let mut responder = request.responder();
    match request.path() {
        "/whole" => {
            let responded = responder.send_response("whole", 200, "text/plain").unwrap();
            sleep(&memory, seconds(10)).await;
            responded
        }
        "/stream" => {
            responder.send_status(200).unwrap();
            responder.send_headers([("X", "y")], true).unwrap();
            sleep(&memory, seconds(10)).await;
            responder.finish().await.unwrap()
        }
        path => Response::text(path.to_owned()),
    }
}

#[test]
fn request_after_an_early_response_is_served_later() {
    for path in ["/whole", "/stream"] {
        for shuts_down in [false, true] {
            let world = start_with(respond_early, |server| server.max_connection_age(seconds(5)));
            let client = world.client([get(path), get("/next"), get("/never")].concat());
            let alone = world.client(get(path));
            if shuts_down {
                world.handle.shutdown(seconds(100));
            }
            world.memory.advance(seconds(6));
            assert!(!client.is_ended() && alone.is_ended() == (path == "/whole"), "{path}");
            world.memory.advance(seconds(5));
            let received = text(&client);
            assert_eq!(received.matches("HTTP/1.1 200 ").count(), 2, "{received}");
            let (first, next) = received.split_at(received.rfind("HTTP/1.1").unwrap());
            assert!(!first.contains("\r\nConnection:"), "{received}");
            assert!(next.contains("\r\nConnection: close\r\n") && next.ends_with("/next"), "{received}");
            assert!(client.is_ended() && alone.is_ended());
            drop((client, alone));
            world.memory.run();
            if !shuts_down {
                world.assert_left();
            }
        }
    }
}

#[test]
fn maximum_age_does_not_cut_responses_or_upgraded_streams() {
    async fn application(memory: Memory, request: Request) -> Response {
        match request.path() {
            "/upgrade" => Response::upgrade("echo", async |mut stream| {
                let written = poll_fn(|context| Pin::new(&mut stream).poll_write(context, b"on")).await;
                assert_eq!(written.ok(), Some(2));
                pending::<()>().await;
            }),
            _ => {
                let mut responder = request.responder();
                responder.send_status(200).unwrap();
                responder.send_headers([("X", "y")], true).unwrap();
                for _ in 0..30 {
                    responder.send("piece").await.unwrap();
                    sleep(&memory, seconds(1)).await;
                }
                responder.finish().await.unwrap()
            }
        }
    }
    let world = start_with(application, |server| server.max_connection_age(seconds(5)));
    let stream = world.client(get("/stream"));
    let upgraded = world.client("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    world.memory.advance(seconds(29));
    assert!(!stream.is_ended() && !upgraded.is_ended());
    world.memory.advance(seconds(2));
    assert_eq!(responses(&stream), [ok(&"piece".repeat(30))]);
    assert!(stream.is_ended() && !upgraded.is_ended());
    assert!(text(&upgraded).ends_with("\r\n\r\non"));
}

/// Starts a server on which requests to `/own` have these limits.
fn start_limited(limits: RequestLimits, policy: fn() -> BodyPolicy) -> World {
    let handler = async |_: Memory, mut request: Request| match request.body_mut().bytes().await {
        Ok(body) if request.path().ends_with("never") => {
            pending::<()>().await;
            body.len().to_string()
        }
        Ok(body) => body.len().to_string(),
        Err(error) => format!("{error}"),
    };
    start_with(handler, |server| {
        server.max_body_size(10).body_policy(move |head| match head.path().starts_with("/own") {
            true => policy().with_limits(limits.clone()),
            false => policy(),
        })
    })
}

const POLICIES: [fn() -> BodyPolicy; 3] = [|| BodyPolicy::Buffer, || BodyPolicy::Stream, || BodyPolicy::StreamUpTo(10)];

#[test]
fn request_has_its_own_body_size() {
    for policy in POLICIES {
        let world = start_limited(RequestLimits::new().max_body_size(20), policy);
        let client = world.connect();
        for (path, length, status) in [("/own", 20, 200), ("/", 10, 200), ("/own", 20, 200), ("/", 11, 413)] {
            let request = format!("{}{}", post_head(path, length), "x".repeat(length));
            assert_eq!(world.ask(&client, request)[0].0, status, "{path} {length}");
        }
        let other = world.client(format!("{}{}", post_head("/own", 21), "x".repeat(21)));
        assert_eq!(responses(&other)[0].0, 413);
    }
}

#[test]
fn request_has_its_own_body_timeouts() {
    for policy in POLICIES {
        let limits = RequestLimits::new().body_timeout(seconds(100)).body_rate(0);
        let world = start_limited(limits, policy);
        let client = world.connect();
        for path in ["/own", "/own", "/"] {
            client.send(post_head(path, 1).as_bytes());
            world.memory.run();
            world.memory.advance(seconds(99));
            client.send(b"x");
            world.memory.run();
            let expected = if path == "/" { 408 } else { 200 };
            assert_eq!(responses(&client)[0].0, expected, "{path}");
        }
        let quick = start_limited(RequestLimits::new().body_rate(1000).body_rate_grace(seconds(1)), policy);
        let client = quick.client(post_head("/own", 5));
        quick.memory.advance(seconds(2));
        assert_eq!(responses(&client)[0].0, 408);
    }
}

#[test]
fn request_has_its_own_handler_timeout() {
    for policy in POLICIES {
        let world = start_limited(RequestLimits::new().handler_timeout(seconds(5)), policy);
        let own = world.client(format!("{}x", post_head("/own-never", 1)));
        let other = world.client(format!("{}x", post_head("/never", 1)));
        world.memory.advance(seconds(4));
        assert!(responses(&own).is_empty());
        world.memory.advance(seconds(1));
        assert_eq!(responses(&own)[0].0, 503);
        assert!(responses(&other).is_empty() && !other.is_ended());
    }
}

#[test]
fn request_has_its_own_framing_limit() {
    let chunk = format!("1;x={}\r\nx\r\n0\r\n\r\n", "y".repeat(2000));
    let request = |path: &str| format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}");
    for policy in POLICIES {
        let world = start_limited(RequestLimits::new().chunk_overhead(1000), policy);
        let client = world.client([request("/"), request("/own")].concat());
        let received = responses(&client);
        assert_eq!(received.iter().map(|got| got.0).collect::<Vec<_>>(), [200, 400]);
    }
}

#[test]
fn later_limits_of_a_policy_replace_earlier_ones() {
    let policy = || {
        let earlier = RequestLimits::new().max_body_size(1).handler_timeout(seconds(5));
        BodyPolicy::Stream.with_limits(earlier)
    };
    let world = start_limited(RequestLimits::new().max_body_size(20), policy);
    let client = world.client(format!("{}{}", post_head("/own-never", 20), "x".repeat(20)));
    assert!(!client.is_ended());
    world.memory.advance(seconds(5));
    assert_eq!(responses(&client)[0].0, 503);
}

/// Starts a server whose handlers of `/never` paths do not respond.
fn start_choosing(choose: impl Fn(&RequestHead) -> Option<RequestLimits> + Send + Sync + 'static) -> World {
    let handler = async |_: Memory, request: Request| match request.path().ends_with("never") {
        true => pending::<String>().await,
        false => request.path().to_owned(),
    };
    start_with(handler, |server| {
        let server = server.config(|config| config.timeouts.handler = Some(seconds(30)));
        server.max_body_size(10).request_limits(choose)
    })
}

#[test]
fn any_request_can_have_its_own_handler_timeout() {
    let world = start_choosing(|head| {
        head.path().starts_with("/report").then(|| RequestLimits::new().handler_timeout(seconds(300)))
    });
    let report = world.client([get("/report"), get("/report-never")].concat());
    let upload = world.client(format!("{}x", post_head("/report-never", 1)));
    // The limits of a request do not apply to the next one.
    let other = world.client([get("/report"), get("/never")].concat());
    world.memory.advance(seconds(29));
    assert_eq!(responses(&other), [ok("/report")]);
    world.memory.advance(seconds(1));
    assert_eq!(responses(&other)[0].0, 503);
    world.memory.advance(seconds(269));
    assert_eq!((responses(&report), responses(&upload)), (vec![ok("/report")], vec![]));
    world.memory.advance(seconds(1));
    assert_eq!((responses(&report)[0].0, responses(&upload)[0].0), (503, 503));
}

#[test]
fn limits_of_the_policy_replace_those_of_the_server() {
    let limits = || RequestLimits::new().max_body_size(30).handler_timeout(seconds(300));
    let handler = async |_: Memory, request: Request| {
        if request.path() == "/never" {
            pending::<()>().await;
        }
        "done"
    };
    let world = start_with(handler, |server| {
        server.max_body_size(10).request_limits(move |_| Some(limits())).body_policy(|head| match head.path() {
            "/20" => BodyPolicy::StreamUpTo(20),
            "/never" => BodyPolicy::Stream.with_limits(RequestLimits::new().handler_timeout(seconds(5))),
            _ => BodyPolicy::Buffer,
        })
    });
    for (path, length, status) in [("/", 30, "100"), ("/", 31, "413"), ("/20", 20, "200"), ("/20", 21, "413")] {
        let expecting = post_head(path, length).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
        let client = world.client(expecting);
        let received = text(&client);
        assert!(received.starts_with(&format!("HTTP/1.1 {status} ")), "{path} {length} {received}");
    }
    let never = world.client(format!("{}{}", post_head("/never", 30), "x".repeat(30)));
    world.memory.advance(seconds(5));
    assert_eq!(responses(&never)[0].0, 503);
}

#[test]
fn panic_in_the_choice_of_limits_is_a_500() {
    let world = start_choosing(|head| match head.path() {
        "/panic" => panic!("on purpose"),
        _ => None,
    });
    let client = world.client([get("/panic"), get("/ok")].concat());
    let received = responses(&client);
    assert_eq!((received[0].0, &received[1]), (500, &ok("/ok")));
}
