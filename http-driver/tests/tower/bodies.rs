//! Tests of how the bodies of a service are polled, and how compression changes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use bytes::Bytes;
use http::Response;
use http_body::Frame;
use httpants_driver::tower::TowerService;
use httpants_driver::{Body, BoxError, Compression, Server};
use httpants_testkit::memory::Memory;
use tower::service_fn;

use crate::{application, data, exchange, head, trailers};

#[test]
fn service_and_body_are_polled_within_the_function() {
    let memory = Memory::new();
    let inside = Arc::new(AtomicBool::new(false));
    let (known, entered) = (Arc::clone(&inside), Arc::clone(&inside));
    let service = service_fn(move |_: http::Request<Body>| {
        assert!(known.load(Ordering::Relaxed));
        let (known, mut left) = (Arc::clone(&known), 3);
        let frames = futures_util::stream::poll_fn(move |_| {
            assert!(known.load(Ordering::Relaxed));
            left -= 1;
            Poll::Ready((left > 0).then(|| Ok::<_, BoxError>(Frame::data(Bytes::from_static(b"x")))))
        });
        async { Ok::<_, BoxError>(Response::new(http_body_util::StreamBody::new(frames))) }
    });
    let service = TowerService::new(service).within(move |poll| {
        assert!(!entered.swap(true, Ordering::Relaxed), "not twice at a time");
        poll();
        poll();
        entered.store(false, Ordering::Relaxed);
    });
    memory.start(Server::with_runtime(memory.clone(), service));
    assert!(exchange(&memory, &head("GET", "/", "")).1.ends_with("1\r\nx\r\n1\r\nx\r\n0\r\n\r\n"));

    let memory = Memory::new();
    let service = TowerService::new(service_fn(application)).within(|_| {});
    memory.start(Server::with_runtime(memory.clone(), service));
    assert!(exchange(&memory, &head("GET", "/early", "")).1.starts_with("HTTP/1.1 500 "));
}

/// The digests are those of the bytes before compression.
#[test]
fn trailers_of_compressed_bodies_have_no_digest() {
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), TowerService::new(service_fn(application)));
    memory.start(server.compression(Compression::default()));
    let ask = |path: &str, accepted: &str| {
        let client = memory.connect();
        client.send(&head("GET", path, &format!("Accept-Encoding: {accepted}\r\n")));
        memory.run();
        String::from_utf8_lossy(&client.take_received()).into_owned()
    };
    let coded = ask("/digests", "gzip");
    assert!(coded.contains("\r\nContent-Encoding: gzip\r\n"), "{coded}");
    assert!(coded.ends_with("\r\n0\r\nx-sum: 7\r\n\r\n"), "{coded}");
    let plain = ask("/digests", "identity");
    assert!(
        plain.ends_with("0\r\ncontent-digest: a\r\nx-sum: 7\r\ndigest: b\r\nrepr-digest: c\r\ncontent-md5: d\r\n\r\n")
    );
    let announced = ask("/announced-digest", "gzip");
    assert!(announced.ends_with("\r\n\r\n1\r\na\r\n0\r\ncontent-digest: a\r\n\r\n"), "{announced}");
}

/// Such frames may be ready endlessly.
#[test]
fn frames_that_are_not_sent_do_not_starve_other_tasks() {
    const MAX_POLLS: usize = 10_000;
    let memory = Memory::new();
    let service = service_fn(move |_: http::Request<Body>| {
        let mut frames = 0;
        let frames = futures_util::stream::poll_fn(move |_| {
            frames += 1;
            Poll::Ready(match frames {
                1..MAX_POLLS => Some(Ok::<_, BoxError>(trailers(&[("x-sum", "7")]))),
                MAX_POLLS => Some(Ok(data("x"))),
                _ => None,
            })
        });
        let response = Response::builder().header("Content-Length", 1).body(http_body_util::StreamBody::new(frames));
        async { Ok::<_, BoxError>(response.unwrap()) }
    });
    memory.start(Server::with_runtime(memory.clone(), TowerService::new(service)));
    let polls = memory.polls();
    assert!(exchange(&memory, &head("GET", "/", "")).1.ends_with("Content-Length: 1\r\n\r\nx"));
    assert!(memory.polls() - polls > 3, "{} polls", memory.polls() - polls);
}
