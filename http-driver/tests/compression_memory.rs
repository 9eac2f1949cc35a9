//! Test of the memory of responses that are compressed while they are sent. It runs alone in its
//! process, because it measures the process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use httpants_driver::{Compression, CompressionLevel, Event, Request, Response, Server};
use httpants_testkit::memory::Memory;

const STREAMS: u64 = 4;
/// The limit for server-sent events in the documentation of `Compression`.
const EVENTS_ALLOWED: u64 = 1 << 20;
/// The limits in the documentation of `Compression`.
const ALLOWED: [(CompressionLevel, u64); 3] =
    [(CompressionLevel::Fastest, 3 << 20), (CompressionLevel::Default, 3 << 20), (CompressionLevel::Best, 8 << 20)];

/// Returns the resident memory of the process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// A stream that yields some pieces of text and then waits forever.
struct Pieces(u32);

impl Stream for Pieces {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(rest) = self.0.checked_sub(1) else { return Poll::Pending };
        self.0 = rest;
        let text: String = (0..5000).map(|number| format!("{} of a text\n", number * 7 + rest)).collect();
        Poll::Ready(Some(Ok(text.into())))
    }
}

fn respond(lasts: bool) -> Response {
    if lasts { Response::events(Events(3_000)) } else { Response::stream(Pieces(7)) }
        .with_header("Content-Type", if lasts { "text/event-stream" } else { "text/plain" })
}

/// A stream that yields some events and then waits forever.
struct Events(u32);

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Event>> {
        let Some(rest) = self.0.checked_sub(1) else { return Poll::Pending };
        self.0 = rest;
        Poll::Ready(Some(Event::new(format!("{} of some events", rest * 7))))
    }
}

#[test]
fn stream_that_is_compressed_takes_bounded_memory() {
    for (level, allowed) in ALLOWED {
        for coding in ["zstd", "br", "gzip"] {
            assert_memory(level, coding, false, allowed);
            // Event streams last long, so the memory must suffice for many of them.
            assert_memory(level, coding, true, EVENTS_ALLOWED);
        }
    }
}

fn assert_memory(level: CompressionLevel, coding: &str, lasts: bool, allowed: u64) {
    let memory = Memory::new();
    let handler = move |_: Request| std::future::ready(respond(lasts));
    let server = Server::with_runtime(memory.clone(), handler).compression(Compression::default().level(level));
    memory.start(server);
    let before = resident();
    let clients: Vec<_> = (0..STREAMS)
        .map(|_| {
            let client = memory.connect();
            client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: {coding}\r\n\r\n").as_bytes());
            for _ in 0..10 {
                memory.run();
                let _ = client.take_received();
            }
            client
        })
        .collect();
    let each = resident().saturating_sub(before) / STREAMS;
    assert!(each < allowed, "{coding} at {level:?}, events {lasts}: {each} bytes");
    drop(clients);
}
