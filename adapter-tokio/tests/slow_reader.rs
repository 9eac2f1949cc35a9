//! Clients that read slowly, on real sockets.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use httpants_tokio::{FileRoot, Handle, ListenAddress, Request, Response, Server};

/// A server that gives up after 3 s without progress, and a client that has asked for more than
/// any buffer holds.
fn start(path: &str) -> (Handle, TcpStream) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    File::create(folder.join("large")).unwrap().set_len(64 << 20).unwrap();
    let application = async |request: Request| match request.path() {
        "/file" => Response::file("large"),
        _ => vec![b'x'; 64 << 20].into(),
    };
    let server = Server::new(application).file_root(FileRoot::open(folder).unwrap()).listen("127.0.0.1:0");
    let bound = server.config(|config| config.timeouts.write = Some(Duration::from_secs(3))).bind().unwrap();
    let ([ListenAddress::Socket(address)], handle) = (bound.local_addresses(), bound.handle()) else {
        unreachable!("it listens there");
    };
    let address = *address;
    thread::spawn(move || bound.run());
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).unwrap();
    client.read_exact(&mut [0; 100]).unwrap();
    (handle, client)
}

/// 200 kB/s, of a response that the kernel buffers for longer than the timer runs.
#[test]
fn a_client_that_reads_slowly_without_pause_is_served() {
    let mut clients = ["/", "/file"].map(start);
    let mut piece = vec![0; 20_000];
    for _ in 0..120 {
        for (handle, client) in &mut clients {
            client.read_exact(&mut piece).unwrap();
            assert_eq!(handle.connections(), 1, "the write timer ran out");
        }
        thread::sleep(Duration::from_millis(100));
    }
    clients.iter().for_each(|(handle, _)| handle.close());
}

#[test]
fn a_client_that_reads_a_byte_now_and_then_is_dropped() {
    let (handle, mut client) = start("/");
    let since = Instant::now();
    while handle.connections() > 0 {
        let _ = client.read(&mut [0]);
        assert!(since.elapsed() < Duration::from_secs(30), "it holds its connection");
        thread::sleep(Duration::from_millis(100));
    }
}
