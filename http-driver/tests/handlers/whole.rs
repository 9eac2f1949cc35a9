//! Tests of the body in one piece, as bytes, text and JSON, in memory, in a file and while it is
//! received.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use httpants_driver::{BodyError, Request, Response, StatusCode};
use httpants_testkit::memory::Memory;

use crate::world::{
    Notes, World, failed, get, millis, ok, post_head, responses, start, start_streaming, start_with, timeout,
};

fn chunked(path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{fields}\r\n").into_bytes();
    for chunk in body.chunks(10_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\nX-Sum: 7\r\n\r\n");
    bytes
}

fn with_length(path: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n");
    [head.as_bytes(), body].concat()
}

async fn twice(_: Memory, mut request: Request) -> Result<String, BodyError> {
    let first = request.bytes().await?;
    let second = request.bytes().await?;
    assert_eq!(first, second);
    assert!(request.body().is_none_or(|body| *body == first));
    assert!(first.iter().enumerate().all(|(at, byte)| usize::from(*byte) == at % 251));
    Ok(format!("{} {}", first.len(), request.trailers().text("x-sum").unwrap_or("-")))
}

#[test]
fn whole_body_of_any_size_can_be_read_more_than_once() {
    for world in [start(twice), start_streaming(twice)] {
        for size in [0, 1, 10_000, 280 << 10, 3 << 20] {
            let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
            let client = world.connect();
            assert_eq!(world.ask(&client, with_length("/", "", &body)), [ok(&format!("{size} -"))]);
            assert_eq!(world.ask(&client, chunked("/", "", &body)), [ok(&format!("{size} 7"))]);
        }
        assert_eq!(world.ask(&world.connect(), get("/")), [ok("0 -")]);
    }
}

#[test]
fn body_is_none_if_it_is_not_in_memory() {
    let handler = async |_: Memory, request: Request| format!("{:?}", request.body().map(|body| body.len()));
    let body = |size| with_length("/", "", &vec![b'x'; size]);
    let world = start(handler);
    let client = world.connect();
    for (size, seen) in [(0, "Some(0)"), (256 << 10, "Some(262144)"), ((256 << 10) + 1, "None")] {
        assert_eq!(world.ask(&client, body(size)), [ok(seen)]);
    }
    let world = start_streaming(handler);
    assert_eq!(world.ask(&world.connect(), body(1)), [ok("None")]);
}

#[test]
fn whole_body_after_reading_pieces_is_an_error() {
    let handler = async |_: Memory, mut request: Request| {
        let _ = request.body_mut().next().await;
        format!("{:?} {:?}", request.bytes().await, request.body())
    };
    for world in [start(handler), start_streaming(handler)] {
        assert_eq!(world.ask(&world.connect(), with_length("/", "", b"body")), [ok("Err(Taken) None")]);
    }
    // A body in a file can be read again.
    let handler = async |_: Memory, mut request: Request| {
        let first = request.body_mut().next().await.unwrap()?.len();
        let (rest, all) = (request.body_mut().bytes().await?.len(), request.bytes().await?.len());
        assert_eq!(first + rest, all);
        Ok::<_, BodyError>(all.to_string())
    };
    let world = start(handler);
    assert_eq!(world.ask(&world.connect(), with_length("/", "", &[b'x'; 600_000])), [ok("600000")]);
}

#[test]
fn cancelled_reads_lose_no_bytes() {
    let whole = async |memory: Memory, mut request: Request| {
        assert_eq!(timeout(&memory, millis(10), request.bytes()).await, None);
        let remaining = request.body_mut().remaining();
        let body = request.bytes().await?;
        Ok::<_, BodyError>(format!("{remaining:?} {}", String::from_utf8_lossy(&body)))
    };
    let pieces = async |memory: Memory, mut request: Request| {
        assert_eq!(timeout(&memory, millis(10), request.body_mut().bytes()).await, None);
        let mut body = Vec::new();
        while let Some(piece) = request.body_mut().next().await {
            body.extend_from_slice(&piece?);
        }
        Ok::<_, BodyError>(format!("{:?} {}", request.body_mut().remaining(), String::from_utf8_lossy(&body)))
    };
    let finish = |world: &World, seen: &str| {
        let client = world.client(post_head("/", 12) + "first ");
        world.memory.advance(millis(20));
        client.send(b"second");
        world.memory.advance(millis(20));
        assert_eq!(responses(&client), [ok(seen)]);
    };
    finish(&start_streaming(whole), "Some(12) first second");
    finish(&start_streaming(pieces), "Some(0) first second");
}

#[test]
fn text_is_in_its_charset() {
    let handler = async |_: Memory, mut request: Request| request.text().await;
    for world in [start(handler), start_streaming(handler)] {
        for (fields, body, seen) in [
            ("", &b"gr\xc3\xb6\xc3\x9fe"[..], Ok("größe")),
            ("Content-Type: text/plain\r\n", b"\xef\xbb\xbfgr\xc3\xb6\xc3\x9fe", Ok("größe")),
            ("Content-Type: text/plain; Charset=\"UTF-8\"\r\n", b"gr\xc3\xb6\xc3\x9fe", Ok("größe")),
            ("Content-Type: text/plain; charset=ISO-8859-1\r\n", b"gr\xf6\xdfe", Ok("größe")),
            ("Content-Type: text/plain; charset=us-ascii\r\n", b"size", Ok("size")),
            ("Content-Encoding: identity\r\n", b"size", Ok("size")),
            ("Content-Type: text/plain ;\tcharset=utf-8 ; x=\"a;b\";;\r\n", b"size", Ok("size")),
            ("", b"", Ok("")),
            ("", b"gr\xf6\xdfe", Err(400)),
            ("Content-Type: text/plain; charset=us-ascii\r\n", b"gr\xc3\xb6\xc3\x9fe", Err(400)),
            ("Content-Type: text/plain; charset=koi8-r\r\n", b"x", Err(415)),
            ("Content-Type: text/plain\r\nContent-Type: text/html\r\n", b"x", Err(415)),
            ("Content-Type: text\r\n", b"x", Err(415)),
            ("Content-Encoding: gzip\r\n", b"x", Err(415)),
        ] {
            let got = &world.ask(&world.connect(), with_length("/", fields, body))[..];
            match seen {
                Ok(text) => assert_eq!(got, [ok(text)], "{fields:?}"),
                Err(status) => assert_eq!(got[0].0, status, "{fields:?}"),
            }
        }
    }
}

#[derive(serde::Deserialize, serde::Serialize)]
struct Order {
    item: String,
    count: u32,
}

async fn order(_: Memory, mut request: Request) -> Result<Response, BodyError> {
    let order: Order = request.json().await?;
    Ok(Response::json(&order))
}

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn json_of_280_kib_is_received_and_sent() {
    let item = "\u{e9}".repeat(140 << 10);
    let body = serde_json::to_string(&Order { item, count: 2 }).unwrap();
    for world in [start(order), start_streaming(order)] {
        let types = ["Content-Type: application/json ;charset=utf-8;\r\n"];
        for fields in [JSON, "Content-Type: application/vnd.order+json; charset=utf-8\r\n"].into_iter().chain(types) {
            for make in [with_length, chunked] {
                assert_eq!(world.ask(&world.connect(), make("/", fields, body.as_bytes())), [ok(&body)]);
            }
        }
    }
}

#[test]
fn json_that_is_not_acceptable_is_refused_without_an_echo() {
    let good = br#"{"item":"a","count":2}"#;
    let change = |server: httpants_driver::Server<Memory, _>| server.max_body_size(100);
    for (fields, body, status, text) in [
        (JSON, &b"{\"item\":\n secret}"[..], 400, "invalid JSON: line 2, column 2\n"),
        (JSON, br#"{"item":"secret","count":"secret"}"#, 400, "the JSON does not fit: line 1, column 33\n"),
        (JSON, b"", 400, "invalid JSON: line 1, column 0\n"),
        ("", good, 415, "unsupported Content-Type: expected application/json (RFC 9110 15.5.16)\n"),
        (
            "Content-Type: text/json\r\n",
            good,
            415,
            "unsupported Content-Type: expected application/json (RFC 9110 15.5.16)\n",
        ),
        (
            "Content-Type: application/jsonp\r\n",
            good,
            415,
            "unsupported Content-Type: expected application/json (RFC 9110 15.5.16)\n",
        ),
    ] {
        let world = start_with(order, change);
        let got = world.ask(&world.connect(), with_length("/", fields, body));
        assert_eq!(got, [(status, Some(text.to_owned()))], "{fields:?}");
    }
    for make in [with_length, chunked] {
        let world = start_with(order, change);
        let got = world.ask(&world.connect(), make("/", JSON, &[b' '; 101]));
        assert_eq!(got[0].0, 413);
    }
    let world = start(order);
    let client = world.client(with_length("/", &format!("{JSON}Content-Encoding: gzip\r\n"), good));
    let received = crate::world::text(&client);
    assert!(received.starts_with("HTTP/1.1 415 ") && received.contains("Accept-Encoding: identity\r\n"), "{received}");
}

#[test]
fn value_that_cannot_be_json_is_a_500() {
    let world = start(async |_: Memory, _: Request| Response::json(&std::collections::BTreeMap::from([((1, 2), 3)])));
    assert_eq!(world.ask(&world.connect(), get("/")), [failed()]);
}

#[test]
fn tuples_become_responses() {
    let world = start(async |_: Memory, request: Request| match request.path() {
        "/status" => Response::from((StatusCode::CREATED, "made")),
        "/fields" => (StatusCode::ACCEPTED, [("Content-Type", "text/css"), ("X-A", "b")], "a{}").into(),
        "/cookies" => (StatusCode::OK, [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], "").into(),
        "/wrong" => (StatusCode::OK, [("X\nA", "b")], ()).into(),
        _ => Response::method_not_allowed(["GET", "HEAD"]),
    });
    let ask = |path| {
        let client = world.client(get(path));
        crate::world::text(&client)
    };
    let made = ask("/status");
    assert!(made.starts_with("HTTP/1.1 201 Created\r\n") && made.ends_with("\r\n\r\nmade"), "{made}");
    let fields = ask("/fields");
    assert!(fields.starts_with("HTTP/1.1 202 ") && fields.contains("Content-Type: text/css\r\nX-A: b\r\n"), "{fields}");
    assert!(!fields.contains("text/plain"));
    assert!(ask("/cookies").contains("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"));
    assert!(ask("/wrong").starts_with("HTTP/1.1 500 "));
    let not_allowed = ask("/");
    assert!(not_allowed.starts_with("HTTP/1.1 405 ") && not_allowed.contains("\r\nAllow: GET, HEAD\r\n"));
}

#[test]
fn segments_are_split_before_they_are_decoded() {
    let world = start(async |_: Memory, request: Request| {
        let segments: Vec<_> = request.segments().collect();
        assert!(request.path_segments().iter().eq(segments.iter()));
        format!("{segments:?}")
    });
    for (target, segments) in [
        ("/", "[\"\"]"),
        ("/a%2Fb//c%zz/", "[\"a/b\", \"\", \"c%zz\", \"\"]"),
        ("/%c3%a9%ff?x/y", "[\"\u{e9}\u{fffd}\"]"),
        ("http://h/a", "[\"a\"]"),
    ] {
        assert_eq!(world.ask(&world.connect(), get(target)), [ok(segments)], "{target}");
    }
    let options = get("*").replace("GET", "OPTIONS");
    assert_eq!(world.ask(&world.connect(), options), [ok("[]")]);
}

#[test]
fn query_parameter_is_the_first_of_its_name_even_if_empty() {
    let world = start(async |_: Memory, request: Request| {
        let names = ["a", "b c", "", "none"];
        format!("{:?}", names.map(|name| request.query_param(name).map(String::from)))
    });
    for (query, seen) in [
        ("?a=1&a=2&b+c=%26+%zz", r#"[Some("1"), Some("& %zz"), None, None]"#),
        ("?b%20c&=x&a", r#"[Some(""), Some(""), Some("x"), None]"#),
        ("", "[None, None, None, None]"),
    ] {
        assert_eq!(world.ask(&world.connect(), get(&format!("/{query}"))), [ok(seen)], "{query}");
    }
}

/// The future of `bytes` is polled once and dropped; a second one must return the whole body.
#[test]
fn bytes_polled_once_and_again_is_whole() {
    let handler = async |_: Memory, mut request: Request| {
        let first = {
            let mut bytes = pin!(request.bytes());
            poll_fn(|context| Poll::Ready(bytes.as_mut().poll(context).is_ready())).await
        };
        Ok::<_, BodyError>(format!("{first} {}", request.bytes().await?.len()))
    };
    let world = start_streaming(handler);
    let client = world.client(post_head("/", 200_000));
    client.send(&[b'x'; 100_000]);
    world.memory.run();
    assert_eq!(world.ask(&client, [b'x'; 100_000]), [ok("false 200000")]);
}

/// A truncated body returns the same error each time, and never an empty piece.
#[test]
fn body_that_is_cut_off_stays_an_error() {
    let seen = Notes::default();
    let kept = seen.clone();
    let world = start_streaming(move |memory: Memory, mut request: Request| {
        let kept = kept.clone();
        // In another task, because the handler is dropped with its connection.
        memory.serve(async move {
            for _ in 0..2 {
                assert!(matches!(request.bytes().await, Err(BodyError::Closed(_))));
            }
            assert!(matches!(request.body_mut().next().await, Some(Err(BodyError::Closed(_)))));
            kept.add("done".to_owned());
        });
        pending::<()>()
    });
    for begun in ["", "begun"] {
        let client = world.client(post_head("/", 10) + begun);
        client.end();
        world.memory.run();
        assert_eq!(seen.take(), ["done"]);
    }
}

#[test]
fn empty_body_that_was_read_is_empty_again() {
    let world = start_streaming(async |_: Memory, mut request: Request| {
        let read = request.body_mut().bytes().await?;
        Ok::<_, BodyError>(format!("{} {}", read.len(), request.bytes().await?.len()))
    });
    assert_eq!(world.ask(&world.connect(), chunked("/", "", b"")), [ok("0 0")]);
    assert_eq!(world.ask(&world.connect(), get("/")), [ok("0 0")]);
}
