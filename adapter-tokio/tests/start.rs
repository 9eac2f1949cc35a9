//! Test of the start of a server with several workers.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use httpants_tokio::{Request, Server};

/// The first worker cannot start, because its thread already drives a runtime; the others could
/// start.
#[test]
fn run_fails_before_accepting_if_a_worker_cannot_start() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let bound = Server::new(async |_: Request| "ok").listener(socket).workers(3).bind().unwrap();
    let handle = bound.handle();
    let _waiting = TcpStream::connect(address).unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        sender.send(runtime.block_on(async { bound.run() }))
    });
    let result = receiver.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(result.unwrap_err().to_string().contains("cannot block inside a tokio runtime"));
    assert_eq!(handle.counters().connections_accepted, 0);
}
