//! Tests of the protocol through real sockets: persistence, pipelining, framing, 100 Continue.

use crate::demo::Demo;

#[test]
fn connection_serves_many_requests() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    for number in 0..200 {
        assert_eq!(client.get(&format!("/{number}")).json()["path"], format!("/{number}"));
    }
}

#[test]
fn close_and_http_1_0_end_the_connection() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let response = client.request("GET", "/plaintext", "Connection: close\r\n", "");
    assert_eq!(response.header("Connection"), Some("close"));
    assert!(client.is_at_end());

    let mut client = demo.connect();
    client.send("GET /stream?chunks=2&size=4 HTTP/1.0\r\n\r\n");
    assert_eq!(client.response().text(), "xxxxxxxx");
    assert!(client.is_at_end());

    let mut client = demo.connect();
    for _ in 0..2 {
        client.send("GET /plaintext HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        assert_eq!(client.response().header("Connection"), Some("keep-alive"));
    }
}

#[test]
fn head_has_the_fields_of_get_without_a_body() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    for path in ["/plaintext", "/stream", "/some/path"] {
        let (head, get) = (client.request("HEAD", path, "", ""), client.get(path));
        assert_eq!(head.status, 200);
        for name in ["Content-Length", "Content-Type"] {
            // The inspector shows the method, and HEAD is one letter longer than GET.
            if path != "/some/path" || name != "Content-Length" {
                assert_eq!(head.header(name), get.header(name), "{path}");
            }
        }
    }
}

#[test]
fn pipelined_requests_get_responses_in_order() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let requests: Vec<_> = (0..50)
        .map(|number| {
            let ms = if number % 10 == 0 { 20 } else { 0 };
            format!(
                "GET /slow?ms={ms} HTTP/1.1\r\nHost: a\r\n\r\nPOST /{number} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            )
        })
        .collect();
    client.send(requests.concat());
    for number in 0..50 {
        assert_eq!(client.response().text(), "slow");
        assert_eq!(client.response().json()["path"], format!("/{number}"));
    }
}

#[test]
fn bad_request_does_not_affect_earlier_requests() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    client.send("GET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n");
    assert_eq!(client.response().text(), "Hello, World!");
    assert_eq!(client.response().text(), "Hello, World!");
    let refusal = client.response();
    assert_eq!((refusal.status, refusal.header("Connection")), (400, Some("close")));
    assert!(client.is_at_end());
}

#[test]
fn half_closed_client_gets_all_responses() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    client.send("GET /slow?ms=50 HTTP/1.1\r\nHost: a\r\n\r\nGET /plaintext HTTP/1.1\r\nHost: a\r\n\r\n");
    client.half_close();
    assert_eq!(client.response().text(), "slow");
    assert_eq!(client.response().text(), "Hello, World!");
    assert!(client.is_at_end());
}

#[test]
fn chunked_body_arrives_with_its_trailers() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    const HEAD: &str = "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    for piece in [&format!("POST /x {HEAD}"), "3\r", "\nab", "c\r\n0", "\r\nX-Sum", ": 6\r\n\r\n"] {
        client.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let report = client.response().json();
    assert_eq!(report["body_size"], 3);
    assert_eq!(report["body_sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(report["trailers"], serde_json::json!([["X-Sum", "6"]]));

    client.send(format!("POST /echo {HEAD}5\r\nhello\r\n"));
    // The echo is streamed, so it begins before the request has ended.
    client.send("7\r\n, world\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "hello, world");
    assert_eq!(client.get("/plaintext").status, 200);
}

#[test]
fn continue_is_sent_on_read_and_not_before_a_refusal() {
    let demo = Demo::start(&["--max-request", "1000"]);
    const EXPECT: &str = "HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n";
    let mut client = demo.connect();
    for path in ["/any", "/echo", "/echo-len"] {
        client.send(format!("POST {path} {EXPECT}Content-Length: 1000\r\n\r\n"));
        assert_eq!(client.response().status, 100, "{path}");
        client.send([b'x'; 1000]);
        assert_eq!(client.response().status, 200, "{path}");
    }
    client.send(format!("POST /any {EXPECT}Content-Length: 1001\r\n\r\n"));
    assert_eq!(client.response().status, 413);
    assert!(client.is_at_end());
}

#[test]
fn max_request_applies_to_chunked_bodies() {
    let demo = Demo::start(&["--max-request", "1000"]);
    const HEAD: &str = "HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = demo.connect();
    for (size, status) in [(1000, 200), (1001, 413)] {
        client.send(format!("POST /any {HEAD}{size:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(size)));
        assert_eq!(client.response().status, status);
    }
    assert!(client.is_at_end());
}
