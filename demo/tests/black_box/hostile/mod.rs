//! Tests of hostile peers on real sockets and the real clock. Each test checks the behaviour of the
//! server, how long it holds resources, and its peak memory; it prints a row of the table in
//! `docs/evidence/guarantees.md`, and fails if its bound is exceeded.

mod bytes;
mod connections;
mod disk;
mod exhaustion;
mod uploads;

use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::process::{Process, wait_until};

/// The resources that an attack costs the demo.
struct Attack<'a> {
    name: &'a str,
    demo: &'a Demo,
    process: Process,
    /// The state of the demo before the attack.
    descriptors: usize,
    peak: u64,
}

impl<'a> Attack<'a> {
    /// Begins after the demo has served each kind of request once.
    fn begin(name: &'a str, demo: &'a Demo) -> Self {
        assert_eq!(demo.get("/plaintext").status, 200);
        let process = demo.process();
        wait_until("nothing is open", || process.sockets() == 1);
        Self { name, demo, descriptors: process.descriptors().len(), peak: process.peak(), process }
    }

    /// Waits until the demo has this many connections open.
    #[track_caller]
    fn holds(&self, connections: usize) {
        wait_until("they are accepted", || self.process.sockets() > connections);
    }

    /// Waits until everything is released; returns how long that took.
    #[track_caller]
    fn await_release(&self) -> Duration {
        let started = Instant::now();
        // This connection is accepted after all others.
        assert_eq!(self.demo.get("/plaintext").text(), "Hello, World!");
        wait_until("everything is released", || self.process.descriptors().len() <= self.descriptors);
        started.elapsed()
    }

    /// Waits until everything is released, then checks that the demo serves as before. Peak memory
    /// may grow by at most `most` KiB, and the wait may take at most `soon`.
    #[track_caller]
    fn end(self, did: &str, most: u64, soon: Duration) {
        let released = self.await_release();
        let grown = self.process.peak() - self.peak;
        println!("| {} | {did} | {} ms | {grown} KiB |", self.name, released.as_millis());
        assert!(grown <= most, "{}: {grown} KiB instead of {most}", self.name);
        // The machine may be busy.
        assert!(released <= soon + Duration::from_secs(8), "{}: {released:?} instead of {soon:?}", self.name);
    }
}

/// Raises this process's limit of descriptors to the maximum.
fn raise_limit() {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most }).unwrap();
}

fn open(demo: &Demo) -> TcpStream {
    let stream = TcpStream::connect_timeout(&demo.address(), PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Closes the connection with a reset.
fn reset(stream: TcpStream) {
    rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
}

/// Returns the longest duration of this many requests, each on its own connection.
fn slowest(demo: &Demo, requests: usize) -> Duration {
    let once = || {
        let started = Instant::now();
        assert_eq!(Client::connect(demo.address()).get("/plaintext").status, 200);
        started.elapsed()
    };
    (0..requests).map(|_| once()).max().unwrap()
}
