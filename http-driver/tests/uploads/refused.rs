//! Tests of refusals: the handler does not run, and no file is left.

use httpants_driver::Server;
use httpants_testkit::memory::Memory;

use crate::{Describing, MULTIPART, URLENCODED, World, chunked, form, noise, part, request, worlds};

type Change = fn(Server<Memory, Describing>) -> Server<Memory, Describing>;

/// Returns cases: the error, the settings, the request, the status, and whether the connection
/// closes because some of the body is unread.
fn cases() -> Vec<(&'static str, Change, Vec<u8>, u16, bool)> {
    let same: Change = |server| server;
    let file = |length| part("name=f; filename=x", &noise(length));
    let form_of = |parts: &[Vec<u8>]| form(parts);
    vec![
        ("no closing delimiter", same, part("name=a", b"1"), 400, false),
        ("no delimiter at all", same, b"hello".to_vec(), 400, false),
        ("no name", same, form_of(&[file(400_000), part("filename=x", b"")]), 400, true),
        ("a folded line", same, form_of(&[part("name=a;\r\n b=c", b"")]), 400, true),
        (
            "too many parts",
            |server| server.forms(|limits| limits.parts = 2),
            form_of(&[file(5), file(400_000), file(5)]),
            413,
            true,
        ),
        (
            "too many files",
            |server| server.forms(|limits| limits.files = Some(1)),
            form_of(&[file(400_000), part("name=a", b"1"), file(1)]),
            413,
            true,
        ),
        (
            "a file too large",
            |server| server.forms(|limits| limits.file = Some(600_000)),
            form_of(&[file(600_000), file(600_001)]),
            413,
            true,
        ),
        (
            "a text too large",
            |server| server.forms(|limits| limits.text_field = 10),
            form_of(&[file(300_000), part("name=a", b"0123456789"), part("name=a", b"0123456789a")]),
            413,
            true,
        ),
        (
            "texts too large together",
            |server| server.forms(|limits| limits.total_memory = 15),
            form_of(&[file(1_000), part("name=a", b"0123456789"), part("name=a", b"012345")]),
            413,
            true,
        ),
        ("an epilogue too long", same, [form_of(&[file(300_000)]), vec![b'x'; 20_000]].concat(), 413, true),
    ]
}

fn response_to(change: Change, bytes: &[u8], memory: Memory, what: &str) -> (String, bool) {
    let (world, calls) = World::describing(memory, change);
    let client = world.send(bytes);
    let response = String::from_utf8(client.take_received()).unwrap();
    assert_eq!(calls.get(), 0, "{what}: the handler must not run");
    world.assert_nothing_left();
    (response, client.is_ended())
}

#[test]
fn invalid_form_is_refused_the_same_at_every_cut() {
    for (what, change, content, status, ends) in cases() {
        for make in [request, chunked] {
            let bytes = make("POST", MULTIPART, &content);
            let (expected, ended) = response_to(change, &bytes, Memory::new(), what);
            assert!(expected.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {expected}");
            assert!(!expected.contains("bound") || expected.contains("boundary"), "{what}: input is not echoed");
            assert_eq!(expected.contains("Connection: close\r\n"), ends, "{what}: {expected}");
            assert_eq!(ended, ends, "{what}");
            for (seed, memory) in worlds(4) {
                assert_eq!(response_to(change, &bytes, memory, what).0, expected, "{what}, seed {seed}");
            }
        }
    }
}

#[test]
fn connection_continues_after_a_fully_read_bad_form() {
    let (world, calls) = World::describing(Memory::new(), |server| server);
    let good = request("POST", MULTIPART, &form(&[part("name=a", b"1")]));
    for bad in [request("POST", MULTIPART, b"--bound"), request("POST", URLENCODED, &b"a=1&".repeat(1_001))] {
        let client = world.send(&[bad, good.clone()].concat());
        let received = String::from_utf8(client.take_received()).unwrap();
        assert_eq!(received.matches("HTTP/1.1 4").count(), 1, "{received}");
        assert!(received.contains("post a=1\n") && !client.is_ended());
    }
    assert_eq!(calls.get(), 2);
}

#[test]
fn refusal_by_the_head_precedes_100_continue() {
    let (world, calls) = World::describing(Memory::new(), |server| server.forms(|limits| limits.total_memory = 1_000));
    let head = |content_type: &str, length: u32| {
        format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    let two = format!("{URLENCODED}\r\nContent-Type: text/plain");
    for (content_type, length, status) in [
        ("multipart/form-data", 10, 400),
        ("multipart/form-data; boundary=a; boundary=b", 10, 400),
        (URLENCODED, 1_001, 413),
        (MULTIPART, 11 << 20, 413),
        ("text/plain", 11 << 20, 413),
        (&two, 10, 400),
        (&format!("text/plain\r\nContent-Type: {MULTIPART}"), 10, 400),
    ] {
        let client = world.send(head(content_type, length).as_bytes());
        let response = String::from_utf8(client.take_received()).unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{content_type}: {response}");
        assert!(response.contains("Connection: close\r\n") && client.is_ended(), "{content_type}: {response}");
    }
    assert_eq!(calls.get(), 0);
    for content_type in [MULTIPART, URLENCODED, "text/plain\r\nContent-Type: text/html"] {
        let client = world.send(head(content_type, 10).as_bytes());
        assert_eq!(client.take_received(), b"HTTP/1.1 100 Continue\r\n\r\n", "{content_type}");
    }
}

#[test]
fn chunked_text_over_memory_is_refused() {
    let (world, _) = World::describing(Memory::new(), |server| server.forms(|limits| limits.total_memory = 1_000));
    world.content(&chunked("POST", URLENCODED, &[b'a'; 1_000]));
    let response = world.response(&chunked("POST", URLENCODED, &[b'a'; 1_001]));
    assert!(response.starts_with("HTTP/1.1 413 ") && response.contains("Connection: close\r\n"), "{response}");
}
