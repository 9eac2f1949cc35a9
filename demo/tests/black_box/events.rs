//! Tests of server-sent events.

use crate::demo::Demo;
use crate::runtimes::RUNTIMES;

#[test]
fn events_continue_after_the_last_event_id() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let path = "/events?count=3&delay=0&retry=7";
    let response = client.get(path);
    for (name, value) in [
        ("Content-Type", "text/event-stream"),
        ("Cache-Control", "no-store"),
        ("X-Accel-Buffering", "no"),
        ("Transfer-Encoding", "chunked"),
    ] {
        assert_eq!(response.header(name), Some(value));
    }
    let expected = "id: 1\nretry: 7\ndata: {\"number\":1,\"after\":null}\n\n\
                    id: 2\ndata: {\"number\":2,\"after\":null}\n\n\
                    id: 3\ndata: {\"number\":3,\"after\":null}\n\n";
    assert_eq!(response.text(), expected);
    let next = client.request("GET", path, "Last-Event-ID: 41\r\n", "");
    assert!(
        next.text().starts_with("id: 42\nretry: 7\ndata: {\"number\":42,\"after\":41}\n\nid: 43\n"),
        "{}",
        next.text()
    );
    assert_eq!(client.request("GET", path, "Last-Event-ID: a\r\n", "").text(), expected);
    let last = format!("Last-Event-ID: {}\r\n", u64::MAX);
    assert_eq!(client.request("GET", path, &last, "").text(), "");
    assert_eq!(client.get("/events?count=0").text(), "");
    assert_eq!(client.request("HEAD", "/events", "", "").status, 200);
    for mistake in ["/events?count=-1", "/events?delay=soon", "/events?retry=1s", "/events?heartbeat=x"] {
        assert_eq!(client.get(mistake).status, 400, "{mistake}");
    }
}

#[test]
fn comments_are_sent_between_events() {
    let demo = Demo::start(&[]);
    let response = demo.get("/events?count=2&delay=2000&heartbeat=20");
    let (first, rest) = response.text().split_once("\n\n").unwrap();
    assert!(first.starts_with("id: 1\n"), "{first}");
    let rest = rest.trim_start_matches(":\n\n");
    assert!(response.text().contains("\n\n:\n\n:\n\n") && rest.starts_with("id: 2\n"), "{}", response.text());
}

#[test]
fn drain_ends_events_at_once_on_each_runtime() {
    for runtime in RUNTIMES {
        let mut demo = Demo::start(&["--runtime", runtime]);
        let mut client = demo.connect();
        client.send("GET /events?delay=3600000&retry=5 HTTP/1.1\r\nHost: a\r\n\r\n");
        client.await_response();
        demo.terminate();
        // The response is complete: the last chunk was received, and then the end.
        let response = client.response();
        assert_eq!(response.text(), "id: 1\nretry: 5\ndata: {\"number\":1,\"after\":null}\n\n", "{runtime}");
        assert!(client.is_at_end());
        assert_eq!(demo.exit().code(), Some(0), "{runtime}");
    }
}
