//! Test of the counters of a server on real sockets and several threads.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use httpants_tokio::{Request, Server};

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const BAD: &str = "GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";

/// Sends bytes and returns how many bytes were received until the server closed.
fn ask(address: std::net::SocketAddr, bytes: &str) -> u64 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(bytes.as_bytes()).unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    received.len() as u64
}

#[test]
fn counters_match_the_received_responses() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let server = Server::new(async |request: Request| vec![b'x'; request.path().len() * 50_000]);
    let bound = server.listener(socket).workers(2).bind().unwrap();
    let handle = bound.handle();
    let serving = thread::spawn(move || bound.run());
    let clients: Vec<_> = (0..8)
        .map(|_| thread::spawn(move || (0..20).map(|_| ask(address, REQUEST)).sum::<u64>() + ask(address, BAD)))
        .collect();
    let received: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    handle.shutdown(Duration::from_secs(30));
    serving.join().unwrap().unwrap();
    let counters = handle.counters();
    assert_eq!((counters.connections_accepted, counters.connections_open), (168, 0));
    assert_eq!((counters.requests, counters.responses.successful, counters.responses.client_error), (320, 320, 8));
    assert_eq!(counters.refusals.of_status(400), 8);
    assert_eq!((counters.closes.finished, counters.closes.refused), (160, 8));
    assert_eq!(counters.bytes_received, (160 * REQUEST.len() + 8 * BAD.len()) as u64);
    assert_eq!(counters.bytes_sent, received);
}
