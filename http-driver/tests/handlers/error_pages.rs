//! Tests of `Server::on_error`.

use std::future::pending;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use httpants_driver::protocol::{Config, Timer};
use httpants_driver::{
    AccessLog, BodyPolicy, FileRoot, Misuse, ProtocolError, Request, RequestHead, Response, ServerError,
    ServerErrorKind, StatusCode, WhenFull,
};
use httpants_testkit::memory::Memory;

use crate::world::{World, errors, get, in_time, ok, post, responses, seconds, start_with, text};

/// Returns a page with all arguments of the function.
fn page(error: &ServerError, request: Option<&RequestHead>) -> Option<Response> {
    let path = request.map_or("-", |request| request.path());
    let page = Response::html(format!("{} {path}: {error}", error.status().as_u16()));
    // The status of the page is ignored.
    Some(page.with_status(299).with_header("X-Page", "1"))
}

type Handling = std::pin::Pin<Box<dyn Future<Output = Response>>>;

/// Fails in the way selected by the path.
fn application(_: Memory, request: Request) -> Handling {
    if request.path() == "/function" {
        panic!("on purpose");
    }
    Box::pin(respond(request))
}

async fn respond(mut request: Request) -> Response {
    let files = FileRoot::open(env!("CARGO_MANIFEST_DIR")).unwrap();
    match request.path() {
        "/panic" => panic!("on purpose"),
        "/misuse" => Response::text("x").with_header("A", "\n"),
        "/stream" => Response::stream(Failing),
        "/unfinished" => {
            let _ = request.responder();
            request.responder().send_status(200).unwrap();
            Misuse::HeadDue.into()
        }
        "/never" => pending().await,
        "/text" => request.text().await.into(),
        "/text-400" => (StatusCode::BAD_REQUEST, request.text().await).into(),
        "/query" => request.get().map(|_| "ok").into(),
        "/own" => Response::text("own").with_status(404),
        _ => files.serve(&request).with_header("X-Own", "2"),
    }
}

struct Failing;

impl futures_core::Stream for Failing {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(Some(Err(std::io::Error::other("on purpose"))))
    }
}

fn configure(config: &mut Config) {
    config.limits.fields = 5;
    config.limits.max_body_size = 10;
    config.timeouts.handler = Some(seconds(5));
    config.timeouts.head = Some(seconds(5));
    config.timeouts.body = Some(seconds(5));
}

fn with_pages() -> World {
    start_with(application, |server| server.config(configure).on_error(page))
}

fn request(method: &str, path: &str, fields: &str, body: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

/// Returns a case per error: the request, the status, the path passed to the function, and the
/// default text.
fn cases() -> Vec<(String, u16, &'static str, &'static str)> {
    let form = "Content-Type: multipart/form-data\r\nContent-Length: 2\r\n";
    let packed = "Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n";
    let large = "the content is larger than allowed (RFC 9110 15.5.14)";
    vec![
        ("GET / HTTP/1.1\r\n\r\n".into(), 400, "-", "an HTTP/1.1 request must have a Host field (RFC 9112 3.2)"),
        ("GET / HTTP/1.1\r\nHost".into(), 408, "-", "the head did not arrive in time (RFC 9110 15.5.9)"),
        (post("/a", "")[..].replace(": 0", ": 5"), 408, "/a", "the content did not arrive in time (RFC 9110 15.5.9)"),
        (request("POST", "/a", "Content-Length: 11\r\n", "12345678901"), 413, "/a", large),
        (request("POST", "/a", "Expect: 100-continue\r\nContent-Length: 11\r\n", ""), 413, "/a", large),
        (request("POST", "/a", "Transfer-Encoding: chunked\r\n", "b\r\n12345678901\r\n0\r\n\r\n"), 413, "/a", large),
        (get(&"/x".repeat(9000)), 414, "-", "the request target is longer than allowed (RFC 9110 4.1)"),
        (
            request("POST", "/a", "Expect: x\r\n", ""),
            417,
            "-",
            "100-continue is the only expectation that this server meets (RFC 9110 10.1.1)",
        ),
        (request("GET", "/", &"A: 1\r\n".repeat(6), ""), 431, "-", "more field lines than allowed (RFC 6585 5)"),
        (get("/function"), 500, "/function", "Internal Server Error"),
        (get("/panic"), 500, "/panic", "Internal Server Error"),
        (get("/misuse"), 500, "/misuse", "Internal Server Error"),
        (get("/stream"), 500, "/stream", "Internal Server Error"),
        (get("/unfinished"), 500, "/unfinished", "Internal Server Error"),
        (
            request("POST", "/a", "Transfer-Encoding: gzip, chunked\r\n", ""),
            501,
            "-",
            "chunked is the only transfer coding that this server reads (RFC 9112 6.1)",
        ),
        (get("/never"), 503, "/never", "the application did not respond in time (RFC 9110 15.6.4)"),
        ("GET / HTTP/2.0\r\n\r\n".into(), 505, "-", "this server speaks HTTP/1.1 and HTTP/1.0 (RFC 9110 2.5)"),
        (
            request("POST", "/a", form, "--"),
            400,
            "/a",
            "multipart content must have a boundary parameter (RFC 2046 5.1.1)",
        ),
        (request("POST", "/text", packed, "xx"), 415, "/text", ""),
        (get(&format!("/query?{}", "a=1&".repeat(1001))), 413, "/query", "there are more variables than allowed"),
        (get("/nothing"), 404, "/nothing", "Not Found"),
        (get("/src/../../x"), 404, "/src/../../x", "Not Found"),
        (request("PUT", "/Cargo.toml", "Content-Length: 0\r\n", ""), 405, "/Cargo.toml", "Method Not Allowed"),
        (request("GET", "/Cargo.toml", "If-Match: \"x\"\r\n", ""), 412, "/Cargo.toml", "Precondition Failed"),
        (request("GET", "/Cargo.toml", "Range: bytes=9999999-\r\n", ""), 416, "/Cargo.toml", "Range Not Satisfiable"),
    ]
}

/// Returns everything that a server sends for this request after another one.
fn received(world: &World, bytes: &str) -> String {
    let client = world.connect();
    client.send((get("/own") + bytes).as_bytes());
    world.memory.run();
    world.memory.advance(seconds(5));
    text(&client)
}

#[test]
fn each_error_of_the_server_has_the_page_of_the_application() {
    let (world, default) = (with_pages(), start_with(application, |server| server.config(configure)));
    for (bytes, status, path, cause) in cases() {
        let all = received(&world, &bytes);
        let (own, last) = all.split_once("\r\n\r\nown").unwrap();
        assert!(own.starts_with("HTTP/1.1 404 ") && !own.contains("X-Page"), "a response of the handler: {own}");
        let (head, body) = last.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{bytes:?}\n{head}");
        let expected = format!("{status} {path}: {cause}");
        assert!(body.starts_with(&expected) && (body == expected || cause.is_empty()), "{bytes:?}\n{body}");
        for line in ["X-Page: 1", "Content-Type: text/html; charset=utf-8", &format!("Content-Length: {}", body.len())]
        {
            assert_eq!(head.matches(&format!("\r\n{line}")).count(), 1, "{bytes:?}\n{head}");
        }
        assert_eq!(head.matches("Content-").count(), if status == 416 { 3 } else { 2 }, "{head}");

        // The status line and the `Connection` field are the same without the function.
        let all = received(&default, &bytes);
        let (_, last) = all.split_once("\r\n\r\nown").unwrap();
        let (default_head, default_body) = last.split_once("\r\n\r\n").unwrap();
        assert_eq!(default_head.lines().next(), head.lines().next());
        for field in ["Connection", "Allow", "Content-Range", "Accept-Encoding", "Server", "X-Own"] {
            let line = |head: &str| head.lines().find(|line| line.starts_with(field)).map(str::to_owned);
            assert_eq!(line(head), line(default_head), "{bytes:?}");
        }
        assert!(!default_body.contains("X-Page") && default_body.trim_end().ends_with(cause), "{default_body}");
    }
    let [with, without] = [&world, &default].map(|world| world.handle.counters());
    assert_eq!(format!("{:?}", with.responses), format!("{:?}", without.responses));
    assert_eq!(format!("{:?}", with.refusals), format!("{:?}", without.refusals));
    assert_eq!(with.handler_panics, without.handler_panics);
}

#[test]
fn responses_to_head_have_the_length_of_the_page_and_no_body() {
    let world = with_pages();
    for (bytes, status) in [
        ("HEAD / HTTP/1.1\r\n\r\n".to_owned(), 400),
        (request("HEAD", "/panic", "", ""), 500),
        (request("HEAD", "/nothing", "", ""), 404),
        (request("HEAD", "/never", "", ""), 503),
        (request("HEAD", &format!("/query?{}", "a=1&".repeat(1001)), "", ""), 413),
    ] {
        let all = received(&world, &bytes);
        let (_, head) = all.split_once("\r\n\r\nown").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status} ")) && head.contains("\r\nX-Page: 1\r\n"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        assert!(length.parse::<usize>().unwrap() > 10 && head.ends_with("\r\n\r\n"), "{head}");
    }
}

#[test]
fn connections_over_a_limit_have_a_page() {
    let world = start_with(application, |server| {
        server.max_connections(1).when_full(WhenFull::Refuse).on_error(|error, request| {
            assert_eq!((error.kind(), request.is_none()), (&ServerErrorKind::Overloaded, true));
            page(error, request).map(|page| page.with_header("Retry-After", "5"))
        })
    });
    let _first = world.client("");
    let refused = world.client("");
    let received = text(&refused);
    assert!(received.starts_with("HTTP/1.1 503 ") && received.contains("\r\nRetry-After: 5\r\n"), "{received}");
    assert!(received.ends_with("\r\n\r\n503 -: the server has too many connections (RFC 9110 15.6.4)"), "{received}");
    assert!(refused.is_ended());
    let world = start_with(application, |server| {
        server.max_connections_per_address(1).on_error(|error, request| {
            assert_eq!(error.kind(), &ServerErrorKind::AddressLimit);
            page(error, request)
        })
    });
    let _first = world.client("");
    let received = text(&world.client(""));
    assert!(
        received.ends_with("\r\n\r\n503 -: too many connections from this address (RFC 9110 15.6.4)"),
        "{received}"
    );
}

#[test]
fn server_errors_have_distinct_kinds() {
    let causes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&causes);
    let world = start_with(application, |server| {
        server.config(configure).on_error(move |error, _| {
            let line = error.refusal().map(|refusal| String::from_utf8_lossy(refusal.request_line()).into_owned());
            seen.lock().unwrap().push((error.kind().clone(), line));
            None
        })
    });
    for bytes in [get("/a b"), get("/panic"), get("/misuse"), get("/stream"), get("/never")] {
        let _ = received(&world, &bytes);
    }
    let expected = [
        (ServerErrorKind::Protocol(ProtocolError::RequestLine), Some("GET /a b HTTP/1.1".to_owned())),
        (ServerErrorKind::Panic, None),
        (ServerErrorKind::Misuse(Misuse::FieldValue), None),
        (ServerErrorKind::Failure, None),
        (ServerErrorKind::Timeout(Timer::Handler), None),
    ];
    assert_eq!(*causes.lock().unwrap(), expected);
}

/// All of these are mistakes of the application, or it chose the default.
#[test]
fn invalid_page_falls_back_to_the_default() {
    for (name, message) in [
        ("none", None),
        ("panic", Some("panicked")),
        ("stream", Some("without a whole body")),
        ("upgrade", Some("without a whole body")),
        ("file", Some("without a whole body")),
        ("field", Some("control characters")),
        ("length", Some("Content-Length")),
        ("chunked", Some("Transfer-Encoding")),
        ("close", Some("Connection")),
        ("hop", Some("Connection")),
    ] {
        let bad = move |_: &ServerError, _: Option<&RequestHead>| match name {
            "none" => None,
            "panic" => panic!("on purpose"),
            "stream" => Some(Response::stream(Failing)),
            "upgrade" => Some(Response::upgrade("x", async |_| {})),
            "file" => Some(Response::file("Cargo.toml")),
            "field" => Some(Response::text("x").with_header("A", "\n")),
            "length" => Some(Response::text("x").with_header("Content-Length", "2")),
            "chunked" => Some(Response::text("x").with_header("Transfer-Encoding", "chunked")),
            "close" => Some(Response::text("x").with_header("Connection", "close")),
            _ => Some(Response::text("x").with_header("Connection", "X-Page")),
        };
        let start_bad = || start_with(application, move |server| server.config(configure).on_error(bad));
        let start_default = || start_with(application, |server| server.config(configure));
        for bytes in ["GET / HTTP/1.1\r\n\r\n".to_owned(), get("/panic"), get("/nothing")] {
            let expected = received(&start_default(), &bytes);
            let logged = errors(|| assert_eq!(received(&start_bad(), &bytes), expected, "{name}"));
            if bytes.contains("/panic") {
                continue;
            }
            match message {
                None => assert_eq!(logged, [""; 0]),
                Some(message) => assert!(logged.len() == 1 && logged[0].contains(message), "{name}: {logged:?}"),
            }
        }
    }
}

#[test]
fn handler_error_with_a_changed_status_has_no_page() {
    let world = with_pages();
    let packed = "Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n";
    let all = received(&world, &request("POST", "/text-400", packed, "xx"));
    let (_, last) = all.split_once("\r\n\r\nown").unwrap();
    assert!(last.starts_with("HTTP/1.1 400 ") && !last.contains("X-Page"), "{last}");
}

#[test]
fn refusal_by_the_body_policy_has_no_page() {
    let world = start_with(application, |server| {
        server.on_error(page).body_policy(|head| match head.path() {
            "/policy" => panic!("on purpose"),
            _ => BodyPolicy::Refuse(Box::new(Response::text("own").with_status(413))),
        })
    });
    assert_eq!(world.ask(&world.connect(), post("/", "x")), [(413, Some("own".to_owned()))]);
    let body = "500 /policy: Internal Server Error".to_owned();
    assert_eq!(world.ask(&world.connect(), post("/policy", "x")), [(500, Some(body))]);
}

#[test]
fn streaming_handler_responds_with_its_own_413() {
    let handler = async |_: Memory, mut request: Request| {
        let mut received = 0;
        while let Some(piece) = request.body_mut().next().await {
            match piece {
                Ok(piece) => received += piece.len(),
                Err(error) => return Response::from(error),
            }
            if received > 5 {
                return Response::text("at most 5 bytes").with_status(413);
            }
        }
        Response::text(received.to_string())
    };
    let world = start_with(handler, |server| {
        server.config(configure).on_error(page).body_policy(|_| BodyPolicy::StreamUpTo(u64::MAX))
    });
    let client = world.connect();
    assert_eq!(world.ask(&client, post("/", "12345")), [ok("5")]);
    let own = [(413, Some("at most 5 bytes".to_owned()))];
    assert_eq!(world.ask(&client, post("/", "1234567890123")), own);
    let chunked = request("POST", "/", "Transfer-Encoding: chunked\r\n", "b\r\n12345678901\r\n");
    assert_eq!(world.ask(&client, chunked), own);
}

#[test]
fn refused_tunnels_have_the_page() {
    let world = start_with(async |_: Memory, _: Request| "ok", |server| server.on_error(page));
    let body = "501 : Not Implemented".to_owned();
    let received = world.ask(&world.connect(), "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    assert_eq!(received, [(501, Some(body))]);
}

/// Using the handler's request takes the lock of the connection.
#[test]
fn no_lock_is_held_while_the_function_runs() {
    in_time(|| {
        let kept: Arc<Mutex<Option<Request>>> = Arc::default();
        let (keep, used) = (Arc::clone(&kept), Arc::clone(&kept));
        let handler = move |_: Memory, request: Request| {
            let never = request.path() == "/never";
            *keep.lock().unwrap() = Some(request);
            async move {
                assert!(never, "on purpose");
                pending::<Response>().await
            }
        };
        let function = move |_: &ServerError, _: Option<&RequestHead>| {
            let request = used.lock().unwrap();
            let misuse = request.as_ref().unwrap().responder().send_headers([("A", "b")], false);
            assert!(misuse.is_err(), "nothing can be sent out of order");
            Some(Response::text("page"))
        };
        let world = start_with(handler, |server| server.config(configure).on_error(function));
        for path in ["/never", "/panic"] {
            let client = world.connect();
            client.send(get(path).as_bytes());
            world.memory.run();
            world.memory.advance(seconds(5));
            let received = responses(&client);
            assert_eq!(received[0].1.as_deref(), Some("page"), "{path}");
        }
    });
}

#[test]
fn access_log_has_the_size_of_the_page() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&lines);
    let world = start_with(application, |server| {
        let access_log = AccessLog::common(move |line| log.lock().unwrap().push(line.to_owned()));
        server.config(configure).on_error(|_, _| Some(Response::text("x".repeat(5000)))).access_log(access_log)
    });
    for bytes in [get("/a b"), get("/nothing"), get("/never")] {
        let _ = received(&world, &bytes);
    }
    let lines = lines.lock().unwrap();
    let last: Vec<_> = lines.iter().skip(1).step_by(2).map(|line| line.split_once("\" ").unwrap().1).collect();
    assert_eq!(last, ["400 5000", "404 5000", "503 5000"]);
}

#[test]
fn connection_continues_after_a_page_as_without_it() {
    let world = with_pages();
    let client = world.connect();
    for path in ["/nothing", "/panic"] {
        let received = world.ask(&client, get(path) + &get("/own"));
        assert_eq!(received.len(), 2, "{path}");
    }
    let refused = world.ask(&client, "bad\r\n".to_owned() + &get("/own"));
    assert!(refused.len() == 1 && refused[0].0 == 400 && client.is_ended(), "{refused:?}");
}
