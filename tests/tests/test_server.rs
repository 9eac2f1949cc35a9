//! Tests of `TestServer` on each adapter.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{AsyncReadExt, AsyncWriteExt};
use httpants_driver::{Address, BoxError, Bytes, ConnectionInfo, Request, Response};
use httpants_testkit::{TestError, TestRuntime, TestServer, Trailers};

/// Returns a response with a stream of these pieces, without a length.
fn stream(pieces: &'static [&'static str]) -> Response {
    let pieces = pieces.iter().map(|piece| match *piece {
        "" => Err(BoxError::from("failed")),
        piece => Ok(Bytes::from(piece)),
    });
    Response::stream(futures_util::stream::iter(pieces))
}

async fn respond(mut request: Request) -> Response {
    if request.method() == "CONNECT" {
        return match &*request.hostname() {
            "echo.example" => Response::tunnel(async |mut stream| {
                let mut received = Vec::new();
                let _ = stream.read_to_end(&mut received).await;
            }),
            _ => Response::text("no tunnel").with_status(403),
        };
    }
    match request.path() {
        "/whole" => Response::text("whole").with_header("X-Of", request.method().as_str()),
        "/stream" => stream(&["a", "bc"]),
        "/broken" => stream(&["a", ""]),
        "/trailers" => trailers(&request).await,
        "/panic" => panic!("requested"),
        "/empty" => Response::new(204),
        "/upgrade" => Response::upgrade("echo", async |mut stream| {
            let mut buffer = [0; 5];
            stream.read_exact(&mut buffer).await.unwrap();
            stream.write_all(&buffer).await.unwrap();
        }),
        "/form" => Response::text(request.post().get("name").unwrap_or("none").to_owned()),
        "/cookies" => Response::text(request.headers().get("Cookie").unwrap_or_default().to_vec()),
        "/client" => Response::text(format!("{:?} {}", request.remote_ip(), request.scheme())),
        "/tlvs" => match request.remote_ip() {
            Some(ip) => Response::text(format!("{ip} {:?}", request.proxy_tlvs().authority())),
            None => Response::new(500),
        },
        "/large" => Response::bytes("text/plain", vec![b'x'; 3 << 20]),
        _ => match request.bytes().await {
            Ok(body) => Response::bytes("text/plain", body),
            Err(error) => error.into(),
        },
    }
}

async fn trailers(request: &Request) -> Response {
    let mut responder = request.responder();
    responder.send_status(200).unwrap();
    responder.send_headers([("Trailer", "X-Sum")], true).unwrap();
    responder.send("abc").await.unwrap();
    let fields = httpants_driver::FieldLines::try_from_iter([("X-Sum", "7")]).unwrap();
    responder.finish_with_trailers(&fields).await.unwrap()
}

fn responses_are_decoded<R>(server: &TestServer<R>)
where
    R: TestRuntime,
{
    let whole = server.get("/whole").send();
    assert_eq!(
        (whole.status().as_u16(), &whole.body()[..], &whole.headers()["X-Of"]),
        (200, &b"whole"[..], &"GET".parse().unwrap())
    );
    let head = server.head("/whole").send();
    assert_eq!((&head.headers()["Content-Length"], head.body().len()), (&"5".parse().unwrap(), 0));
    let streamed = server.get("/stream").send();
    assert_eq!(
        (streamed.body().as_ref(), &streamed.headers()["Transfer-Encoding"]),
        (&b"abc"[..], &"chunked".parse().unwrap())
    );
    let trailers = server.get("/trailers").send();
    assert_eq!(trailers.body(), "abc");
    assert_eq!(trailers.extensions().get::<Trailers>().unwrap().0["x-sum"], "7");
    assert_eq!(server.get("/empty").send().status(), 204);
    assert_eq!(server.get("/large").send().body().len(), 3 << 20);
    let continued = server.post("/").header("Expect", "100-continue").body("late").send();
    assert_eq!((continued.status().as_u16(), continued.body().as_ref()), (200, &b"late"[..]));
}

fn requests_have_the_given_parts<R: TestRuntime>(server: &TestServer<R>) {
    assert_eq!(server.put("/").body(vec![b'y'; 1 << 20]).send().body().len(), 1 << 20);
    assert_eq!(server.post("/form").form([("name", "Ada & co")]).send().body(), "Ada & co");
    assert_eq!(server.get("/cookies").cookie("a", "1").cookie("b", "2").send().body(), "a=1; b=2");
    let remote: SocketAddr = "198.51.100.7:1".parse().unwrap();
    let mut info = ConnectionInfo::new(remote, Address::default());
    info.secure = true;
    assert_eq!(server.get("/client").connection_info(info).send().body(), "Some(198.51.100.7) https");
    for bad in [
        server.get("/").header("a b", "c"),
        server.get("/").header("a", "b\r\nc: d"),
        server.get("/a b"),
        server.get(""),
        server.request("GE T", "/"),
        server.get("/").cookie("a", "b\r\nc: d"),
    ] {
        assert!(matches!(server.block_on(bad.result()).unwrap(), Err(TestError::Request(_))));
    }
    // The server refuses the request.
    assert_eq!(server.get("/").header("Content-Length", "x").send().status(), 400);
}

fn failures_match_those_on_the_wire<R: TestRuntime>(server: &TestServer<R>) {
    assert_eq!(server.get("/panic").send().status(), 500);
    let broken = server.block_on(server.get("/broken").result()).unwrap();
    assert!(matches!(broken, Err(TestError::Incomplete(1) | TestError::Connection(_))), "{broken:?}");
    assert_eq!(server.get("/whole").send().status(), 200);
}

fn connections_can_be_used_as_streams<R: TestRuntime>(server: &TestServer<R>) {
    let echoed = server.block_on(async {
        let mut connection = server.connect();
        connection.send("GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
        let mut received = Vec::new();
        connection.read_to_end(&mut received).await.unwrap();
        received
    });
    let echoed = echoed.unwrap();
    assert!(echoed.starts_with(b"HTTP/1.1 101 ") && echoed.ends_with(b"\r\n\r\nhello"), "{}", echoed.escape_ascii());
    assert_eq!(server.get("/upgrade").header("Connection", "upgrade").header("Upgrade", "echo").send().status(), 101);
    // The tunnel waits for its client, and the client does not wait for a body.
    let tunnel = server.request("CONNECT", "echo.example:1").send();
    assert_eq!((tunnel.status().as_u16(), tunnel.body().len()), (200, 0));
    let refused = server.request("CONNECT", "other.example:1").send();
    assert_eq!((refused.status().as_u16(), refused.body().as_ref()), (403, &b"no tunnel"[..]));
}

fn proxy_header_tlvs_reach_the_handler<R: TestRuntime>(server: &TestServer<R>) {
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x18\xcb\0\x71\x09\x0a\0\0\x01\xc3\x50\x01\xbb\x02\0\x09a.example";
    let request = b"GET /tlvs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let response = server.block_on(async {
        let mut connection = server.connect();
        connection.send([&header[..], request].concat());
        let mut received = Vec::new();
        connection.read_to_end(&mut received).await.unwrap();
        received
    });
    assert!(response.unwrap().ends_with(b"\r\n\r\n203.0.113.9 Some(\"a.example\")"));
}

macro_rules! on_each_adapter {
    ($($name:ident: $adapter:ident),*) => {
        $(mod $name {
            use $adapter::Server;
            use $adapter::testing::TestServer;

            #[test]
            fn responses_are_decoded() {
                super::responses_are_decoded(&TestServer::new(super::respond));
            }

            #[test]
            fn requests_have_the_given_parts() {
                super::requests_have_the_given_parts(&TestServer::new(super::respond));
            }

            #[test]
            fn failures_match_those_on_the_wire() {
                super::failures_match_those_on_the_wire(&TestServer::new(super::respond));
            }

            #[test]
            fn connections_can_be_used_as_streams() {
                super::connections_can_be_used_as_streams(&TestServer::new(super::respond));
            }

            #[test]
            fn proxy_header_tlvs_reach_the_handler() {
                let server = Server::new(super::respond).config(|config| config.proxy_protocol = true);
                super::proxy_header_tlvs_reach_the_handler(&TestServer::of(server));
            }

            #[test]
            fn settings_of_a_server_are_kept() {
                let server = TestServer::of(Server::new(super::respond).max_body_size(3).listen("127.0.0.1:1"));
                assert_eq!(server.post("/").body("abcd").send().status(), 413);
                assert_eq!(server.post("/").body("abc").send().body(), "abc");
                assert_eq!(server.handle().counters().requests, 2);
            }
        })*
    };
}

on_each_adapter! { on_tokio: httpants_tokio, on_smol: httpants_smol, on_async_std: httpants_async_std }

async fn slow(request: Request) -> String {
    let before = tokio::time::Instant::now();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    format!("{} {}", before.elapsed().as_secs(), request.time().as_secs())
}

#[test]
fn tokio_timers_of_a_handler_take_no_time_in_a_plain_test() {
    let server = httpants_tokio::testing::TestServer::new(slow);
    let began = std::time::Instant::now();
    assert_eq!(server.get("/").send().body(), "3600 3600");
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[tokio::test(start_paused = true)]
async fn tokio_timers_of_a_handler_use_the_clock_of_the_test() {
    let server = httpants_tokio::testing::TestServer::new(slow);
    let before = tokio::time::Instant::now();
    let (one, other) = tokio::join!(server.get("/"), server.get("/").result());
    assert_eq!(one.body(), "3600 3600");
    assert_eq!(other.unwrap().body(), "3600 3600");
    assert_eq!(before.elapsed().as_secs(), 3600);
}

#[tokio::test(start_paused = true)]
async fn timeouts_of_the_server_use_the_clock_of_the_test() {
    let server = httpants_tokio::testing::TestServer::of(httpants_tokio::Server::new(slow).config(|config| {
        config.timeouts.handler = Some(Duration::from_secs(30));
    }));
    let before = tokio::time::Instant::now();
    assert_eq!(server.get("/").await.status(), 503);
    assert_eq!(before.elapsed().as_secs(), 30);
}

#[tokio::test]
async fn dropping_the_server_ends_its_tasks() {
    let server = httpants_tokio::testing::TestServer::new(respond);
    let mut idle = server.connect();
    assert_eq!(server.get("/whole").await.status(), 200);
    let handle = server.handle().clone();
    drop(server);
    assert!(idle.receive().await.unwrap().is_empty());
    while handle.connections() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(tokio::runtime::Handle::current().metrics().num_alive_tasks(), 0);
}

#[tokio::test]
#[should_panic = "write `.await` instead of `.send()`"]
async fn send_inside_a_runtime_panics_with_an_explanation() {
    httpants_tokio::testing::TestServer::new(respond).get("/").send();
}
