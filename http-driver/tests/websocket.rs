//! Tests of WebSockets in memory.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_core::Stream;
use httpants_driver::{Request, Server};
use httpants_testkit::memory::Memory;

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// The first and a further frame of a fragmented text message without content, masked with zeros.
const BEGIN: [u8; 6] = [0x01, 0x80, 0, 0, 0, 0];
const FURTHER: [u8; 6] = [0x00, 0x80, 0, 0, 0, 0];

#[test]
fn empty_fragments_do_not_starve_other_tasks() {
    let memory = Memory::new();
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let handler = move |request: Request| {
        let polls = Arc::clone(&counted);
        std::future::ready(request.websocket().map(|websocket| {
            websocket.on_upgrade(async move |mut socket| {
                let _ = poll_fn(|context| {
                    polls.fetch_add(1, Ordering::Relaxed);
                    Pin::new(&mut socket).poll_next(context)
                })
                .await;
            })
        }))
    };
    memory.start(Server::with_runtime(memory.clone(), handler));
    let client = memory.connect();
    client.send(HANDSHAKE);
    memory.run();
    assert!(client.take_received().starts_with(b"HTTP/1.1 101 "));
    let before = polls.load(Ordering::Relaxed);
    client.send(&BEGIN);
    client.send(&FURTHER.repeat(200_000));
    memory.run();
    let polled = polls.load(Ordering::Relaxed) - before;
    assert!(polled > 8, "read {} bytes in {polled} turns", 200_000 * FURTHER.len());
}
