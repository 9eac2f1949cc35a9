//! Tests of each server through a real socket, and a test that the simulator is deterministic.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const DESCRIPTORS: usize = 64;

struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// Starts a program of this package; returns `None` if it reports that it cannot run here.
    fn start(program: &str) -> Option<Self> {
        // With a low limit of descriptors, so that a test can use all of them.
        let command = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" 127.0.0.1:0");
        let mut process = Command::new("sh")
            .args(["-c", &command, program])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            let output = process.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("io_uring is not available"), "{said}");
            eprintln!("not run: {said}");
            return None;
        }
        let address = line.trim().strip_prefix("listening on http://").unwrap().trim_end_matches('/').to_owned();
        Some(Self { process, address })
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends bytes; returns what the server sends until it closes, which it does after all
    /// responses.
    fn exchange(&self, sent: &[u8]) -> Vec<u8> {
        let stream = self.connect();
        let mut writer = stream.try_clone().unwrap();
        let mut received = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                writer.write_all(sent).unwrap();
                writer.shutdown(Shutdown::Write).unwrap();
            });
            (&stream).read_to_end(&mut received).unwrap();
        });
        received
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serves(program: &str) {
    let Some(server) = Server::start(program) else { return };
    let large = vec![b'x'; 3 << 20];
    let mut sent = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n\
        POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nchunk\r\n2\r\ned\r\n0\r\n\r\n"
        .to_vec();
    sent.extend_from_slice(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", large.len()).as_bytes());
    sent.extend_from_slice(&large);
    let received = server.exchange(&sent);
    let text = String::from_utf8_lossy(&received);
    assert_eq!(text.matches("HTTP/1.1 200 OK\r\n").count(), 3, "{}", text.len());
    assert!(text.contains("\r\n\r\nchunkedHTTP/1.1"), "the second response");
    assert!(received.ends_with(&[b"\r\n\r\n", large.as_slice()].concat()), "the third response");

    let refused = server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /no host HTTP/1.1\r\n\r\n");
    let text = String::from_utf8_lossy(&refused);
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.contains("HTTP/1.1 400 Bad Request\r\n"), "{text}");

    // A connection that stays open while the others are served, byte by byte.
    let mut idle = server.connect();
    idle.set_nodelay(true).unwrap();
    for _ in 0..2 {
        for byte in b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok" {
            idle.write_all(&[*byte]).unwrap();
        }
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\nok") {
            let mut byte = [0];
            idle.read_exact(&mut byte).unwrap();
            response.push(byte[0]);
        }
    }
    serves_others_beside_a_flood(&server);
    serves_when_descriptors_are_free_again(&server);
}

/// Checks that the server responds after more clients have connected and disconnected than it has
/// descriptors.
fn serves_when_descriptors_are_free_again(server: &Server) {
    let clients: Vec<_> = (0..2 * DESCRIPTORS).map(|_| server.connect()).collect();
    drop(clients);
    let received = server.exchange(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(received.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

/// Checks that the server responds while another client sends requests endlessly and reads every
/// response.
fn serves_others_beside_a_flood(server: &Server) {
    let flood = &server.connect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(200);
            let mut writer = flood;
            while writer.write_all(&requests).is_ok() {}
        });
        let (begun, wait_for_it) = std::sync::mpsc::channel();
        scope.spawn(move || {
            let mut total = 0;
            let mut buffer = vec![0; 1 << 16];
            let mut reader = flood;
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                total += count;
                if total > 1 << 20 {
                    let _ = begun.send(());
                }
            }
        });
        wait_for_it.recv().unwrap();
        let mut other = server.connect();
        let mut start = [0; 15];
        let read = other.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").and_then(|()| other.read_exact(&mut start));
        // Ends the threads, for which the scope waits, before an assertion can fail.
        flood.shutdown(Shutdown::Both).unwrap();
        read.unwrap();
        assert_eq!(&start, b"HTTP/1.1 200 OK");
    });
}

#[test]
fn event_loop_serves() {
    serves(env!("CARGO_BIN_EXE_event_loop"));
}

#[test]
fn io_uring_serves() {
    serves(env!("CARGO_BIN_EXE_io_uring"));
}

#[test]
fn same_seed_gives_the_same_simulation() {
    let story = |seed: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_simulator")).arg(seed).output().unwrap();
        assert!(output.status.success());
        let story = String::from_utf8(output.stdout).unwrap();
        assert!(story.contains("connections ended by a timer: 1000 of 1000"), "{story}");
        story
    };
    assert_eq!(story("7"), story("7"));
    assert_ne!(story("7"), story("8"));
}
