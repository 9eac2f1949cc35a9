//! Tests of each route, over one connection if possible.

use serde_json::json;

use crate::demo::Demo;

#[test]
fn plaintext_returns_hello_world() {
    let response = Demo::start(&[]).get("/plaintext");
    assert_eq!((response.status, response.text()), (200, "Hello, World!"));
    assert_eq!(response.header("Content-Length"), Some("13"));
    assert!(response.header("Content-Type").unwrap().starts_with("text/plain"));
    assert!(response.header("Date").unwrap().ends_with(" GMT"));
    assert!(response.header("Server").unwrap().starts_with("httpants/"));
}

#[test]
fn echo_returns_body_and_type() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let content: Vec<u8> = (0..5_000_000_u32).map(|number| number as u8).collect();
    let response = client.request("POST", "/echo", "Content-Type: image/x-noise\r\n", &content);
    assert_eq!((response.status, response.header("Content-Type")), (200, Some("image/x-noise")));
    assert!(response.body == content);
    assert_eq!(client.post("/echo", "").body, b"");
}

#[test]
fn echo_len_returns_the_body_length() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    assert_eq!(client.post("/echo-len", vec![b'x'; 3_000_000]).text(), "3000000");
    assert_eq!(client.post("/echo-len", "").text(), "0");
}

#[test]
fn stream_is_chunked_with_the_requested_size() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let response = client.get("/stream?chunks=3&size=5&delay=10");
    assert_eq!(response.header("Transfer-Encoding"), Some("chunked"));
    assert_eq!(response.text(), "xxxxxxxxxxxxxxx");
    assert_eq!(client.get("/stream?chunks=20&size=1000000").body.len(), 20_000_000);
    assert_eq!(client.get("/stream?chunks=0").body.len(), 0);
    assert_eq!(client.get("/stream?chunks=3&size=0").body.len(), 0);
    for mistake in ["/stream?chunks=-1", "/stream?size=99999999999", "/slow?ms=soon"] {
        assert_eq!(client.get(mistake).status, 400, "{mistake}");
    }
}

#[test]
fn stream_of_empty_chunks_ends_at_once() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let endless = "/stream?chunks=18446744073709551615";
    for (method, query) in
        [("GET", "size=0"), ("HEAD", "size=0"), ("HEAD", "size=0&delay=1"), ("HEAD", "size=1&delay=60000")]
    {
        let response = client.request(method, &format!("{endless}&{query}"), "", "");
        assert_eq!((response.status, response.body.len()), (200, 0), "{method} {query}");
        assert_eq!(response.header("Transfer-Encoding"), Some("chunked"), "{method} {query}");
    }
    // The delays of empty chunks are kept.
    let started = std::time::Instant::now();
    assert_eq!(client.get("/stream?chunks=3&size=0&delay=100").body.len(), 0);
    assert!(started.elapsed().as_millis() >= 300);
}

#[test]
fn slow_waits_for_ms() {
    let started = std::time::Instant::now();
    assert_eq!(Demo::start(&[]).get("/slow?ms=200").text(), "slow");
    assert!(started.elapsed().as_millis() >= 200);
}

#[test]
fn status_returns_the_requested_status() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    for code in [200, 204, 299, 304, 404, 418, 500, 599, 999] {
        let response = client.get(&format!("/status/{code}"));
        assert_eq!((response.status, response.body.len()), (code, 0));
    }
    for impossible in ["/status/100", "/status/1000", "/status/x", "/status/"] {
        assert_eq!(client.get(impossible).status, 400, "{impossible}");
    }
}

#[test]
fn healthz_returns_ok() {
    let response = Demo::start(&[]).get("/healthz");
    assert_eq!((response.status, response.text()), (200, "ok"));
}

#[test]
fn metrics_count_requests() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    assert_eq!(client.get("/status/404").status, 404);
    let response = client.get("/metrics");
    assert_eq!(response.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let lines: Vec<_> = response.text().lines().collect();
    for line in [
        "httpants_connections_open 1",
        "httpants_requests_total 2",
        "httpants_responses_total{class=\"4xx\"} 1",
        "httpants_refusals_total{status=\"400\",reason=\"missing-host\"} 0",
    ] {
        assert!(lines.contains(&line), "{line}: {}", response.text());
    }
}

#[test]
fn handler_panic_does_not_stop_the_server() {
    let demo = Demo::start(&[]);
    for _ in 0..3 {
        assert_eq!(demo.get("/panic").status, 500);
    }
    assert_eq!(demo.get("/plaintext").status, 200);
}

#[test]
fn other_paths_return_the_request_as_received() {
    let demo = Demo::start(&[]);
    let fields = "X-Thing: a\r\nx-thing:  b \r\nContent-Type: text/plain\r\n";
    let response = demo.connect().request("PUT", "/some%20path/?b=2&a=x+y%21&b=3&blank=#part", fields, "abc");
    assert_eq!(response.status, 200);
    assert_eq!(
        response.json(),
        json!({
            "method": "PUT",
            "url": "/some%20path/?b=2&a=x+y%21&b=3&blank=#part",
            "path": "/some%20path/",
            "query": "b=2&a=x+y%21&b=3&blank=",
            "fragment": "part",
            "protocol": "HTTP/1.1",
            "scheme": "http",
            "host": "demo.test",
            "hostname": "demo.test",
            "remote_ip": "127.0.0.1",
            "full_url": "http://demo.test/some%20path/?b=2&a=x+y%21&b=3&blank=#part",
            "headers": [
                ["Host", "demo.test"], ["X-Thing", "a"], ["x-thing", "b"],
                ["Content-Type", "text/plain"], ["Content-Length", "3"],
            ],
            "get": {"b": ["2", "3"], "a": ["x y!"]},
            "post": {},
            "files": {},
            "cookies": {},
            "body_size": 3,
            "body_sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "trailers": [],
        })
    );
}

#[test]
fn query_with_too_many_variables_is_refused() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    for (count, status) in [(1000, 200), (1001, 413)] {
        let query = vec!["a=1"; count].join("&");
        assert_eq!(client.get(&format!("/x?{query}")).status, status);
    }
}
