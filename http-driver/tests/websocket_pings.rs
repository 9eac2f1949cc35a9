//! Tests of the pings of WebSockets, in memory and in virtual time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::future::pending;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use httpants_driver::websocket::async_tungstenite::tungstenite::Error;
use httpants_driver::websocket::{Message, WebSocketError};
use httpants_driver::{Handle, Request, Response, Server};
use httpants_testkit::memory::{Client, Memory};

const PING: &[u8] = b"\x89\0";
const PONG: &[u8] = b"\x8a\x80\0\0\0\0";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

struct World {
    memory: Memory,
    handle: Handle,
    /// The messages that handlers have read, or the errors with which reading ended.
    read: Arc<Mutex<Vec<String>>>,
}

impl World {
    fn new() -> Self {
        let (memory, read) = (Memory::new(), Arc::<Mutex<Vec<String>>>::default());
        let notes = Arc::clone(&read);
        let handle = memory.start(Server::with_runtime(memory.clone(), move |request: Request| {
            let response = respond(&request, &notes);
            async { response }
        }));
        Self { memory, handle, read }
    }

    fn open(&self, path: &str) -> Client {
        let client = self.memory.connect();
        let fields = "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{fields}{key}\r\n").as_bytes());
        self.memory.run();
        assert!(client.take_received().starts_with(b"HTTP/1.1 101 "));
        client
    }

    fn send(&self, client: &Client, bytes: &[u8]) {
        client.send(bytes);
        self.memory.run();
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut self.read.lock().unwrap())
    }
}

fn respond(request: &Request, notes: &Arc<Mutex<Vec<String>>>) -> Result<Response, WebSocketError> {
    let (websocket, notes) = (request.websocket()?, Arc::clone(notes));
    let websocket = match request.path() {
        "/default" | "/deaf" => websocket,
        "/off" => websocket.ping_interval(None),
        "/patient" => websocket.ping_interval(seconds(10)).ping_timeout(seconds(25)),
        _ => websocket.ping_interval(Duration::ZERO).ping_timeout(Duration::ZERO),
    };
    if request.path() == "/deaf" {
        return Ok(websocket.on_upgrade(async |_socket| pending().await));
    }
    Ok(websocket.on_upgrade(async move |mut socket| {
        let note = |text: String| notes.lock().unwrap().push(text);
        while let Some(message) = socket.next().await {
            match message {
                Ok(message) => note(format!("{message:?}")),
                Err(Error::Io(error)) if error.kind() == ErrorKind::TimedOut => note("timed out".to_owned()),
                Err(error) => note(error.to_string()),
            }
        }
        assert!(socket.send(Message::text("late")).await.is_err());
        note("end".to_owned());
    }))
}

#[test]
fn client_that_responds_to_pings_stays() {
    let world = World::new();
    let client = world.open("/default");
    for _ in 0..20 {
        world.memory.advance(seconds(29));
        assert!(client.take_received().is_empty());
        world.memory.advance(seconds(1));
        assert_eq!(client.take_received(), PING);
        world.send(&client, PONG);
    }
    assert!(world.read().is_empty() && !client.is_ended());
    // An unsolicited pong is passed on to the handler.
    world.send(&client, PONG);
    assert_eq!(world.read(), ["Pong(b\"\")"]);
}

#[test]
fn client_that_does_not_respond_is_dropped() {
    let world = World::new();
    let (reading, deaf, off) = (world.open("/default"), world.open("/deaf"), world.open("/off"));
    world.memory.advance(seconds(49));
    assert!(!reading.is_closed() && !deaf.is_closed() && world.read().is_empty());
    world.memory.advance(seconds(1));
    assert_eq!(world.read(), ["timed out", "end"]);
    for client in [&reading, &deaf] {
        assert_eq!(client.take_received(), PING);
        assert!(client.is_closed());
    }
    // A handler that waits for something else is dropped a second later.
    assert_eq!(world.handle.connections(), 2);
    world.memory.advance(seconds(1));
    assert_eq!(world.handle.connections(), 1);
    world.memory.advance(seconds(3600));
    assert!(off.take_received().is_empty() && !off.is_closed());
}

#[test]
fn any_received_bytes_prevent_the_ping_timeout() {
    let world = World::new();
    let (whole, part, deaf) = (world.open("/default"), world.open("/default"), world.open("/deaf"));
    world.memory.advance(seconds(20));
    for _ in 0..5 {
        world.memory.advance(seconds(10));
        // A message, a part of a message, and messages that are not read.
        world.send(&whole, b"\x81\x81\0\0\0\0a");
        world.send(&part, b"\x01\x81\0\0\0\0b");
        deaf.send(&b"\x81\x81\0\0\0\0c".repeat(100));
        world.memory.run();
        // Only a part of a frame.
        world.send(&part, b"\x80");
        world.memory.advance(seconds(20));
        assert!(!whole.is_closed() && !part.is_closed() && !deaf.is_closed());
        world.send(&part, b"\x80\0\0\0\0");
    }
    assert_eq!(world.read().len(), 10);
}

#[test]
fn handler_that_does_not_read_keeps_a_responsive_client() {
    let world = World::new();
    let client = world.open("/deaf");
    for _ in 0..20 {
        world.memory.advance(seconds(30));
        assert_eq!(client.take_received(), PING);
        client.send(PONG);
    }
    world.memory.advance(seconds(19));
    assert!(!client.is_closed());
}

#[test]
fn timeout_may_be_longer_than_the_interval() {
    let world = World::new();
    let client = world.open("/patient");
    world.memory.advance(seconds(10));
    assert_eq!(client.take_received(), PING);
    world.memory.advance(seconds(24));
    world.send(&client, PONG);
    assert!(client.take_received().is_empty() && !client.is_closed());
    world.memory.advance(seconds(2));
    assert_eq!(client.take_received(), PING);
    world.memory.advance(seconds(23));
    assert!(!client.is_closed());
    world.memory.advance(seconds(1));
    assert!(client.is_closed());
}

#[test]
fn zero_interval_and_timeout_end_at_once() {
    let world = World::new();
    let client = world.open("/zero");
    world.memory.advance(Duration::from_millis(3));
    assert!(client.is_closed());
    world.memory.advance(seconds(2));
    assert_eq!(world.handle.connections(), 0);
}

#[test]
fn pings_end_with_the_closing_handshake() {
    let world = World::new();
    let client = world.open("/default");
    world.memory.advance(seconds(29));
    world.handle.shutdown(seconds(100));
    world.memory.advance(Duration::from_millis(900));
    assert_eq!(client.take_received(), b"\x88\x02\x03\xe9");
    world.memory.advance(seconds(30));
    assert!(client.take_received().is_empty() && client.is_closed());
}
