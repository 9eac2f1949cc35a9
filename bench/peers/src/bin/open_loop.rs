//! `open_loop PORT PATH CONNECTIONS RATE SECONDS`: GET requests at times that do not depend on the
//! responses.
//!
//! Request i is scheduled at i / RATE seconds, on connection i modulo CONNECTIONS, and its latency
//! counts from that time, so a stall of the server increases the latency of every request that had
//! to wait. Prints one line of JSON; latencies are in microseconds. It polls without waiting: give
//! it a dedicated processor.

use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

type Failure = Box<dyn Error>;

struct Connection {
    stream: TcpStream,
    /// The scheduled time of each request without a response; only the first was sent.
    scheduled: VecDeque<Instant>,
    received: Vec<u8>,
}

impl Connection {
    /// Connects from one of several addresses, because one has fewer than 65,536 ports, and not
    /// from those of a previous run, whose connections stay in TIME_WAIT for a minute.
    fn open(port: u16, number: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let run = u8::try_from(std::process::id() % 250).unwrap_or(0);
        let from = Ipv4Addr::new(127, 0, 1 + run, 2 + u8::try_from(number / 20_000).unwrap_or(0));
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
        socket.set_tcp_nodelay(true)?;
        socket.set_nonblocking(true)?;
        Ok(Self { stream: TcpStream::from_std(socket.into()), scheduled: VecDeque::new(), received: Vec::new() })
    }

    /// Reads the available bytes; returns whether the response is complete.
    fn receive(&mut self) -> Result<bool, Failure> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err("the server closed a connection".into()),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        let whole = is_whole(&self.received)?;
        if whole {
            self.received.clear();
        }
        Ok(whole)
    }
}

/// Returns whether this is a complete response with status 200 and a Content-Length.
fn is_whole(received: &[u8]) -> Result<bool, Failure> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut response = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head) = response.parse(received)? else { return Ok(false) };
    if response.code != Some(200) {
        return Err(format!("status {:?}", response.code).into());
    }
    let length = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length: usize = std::str::from_utf8(length.ok_or("no Content-Length")?.value)?.parse()?;
    Ok(received.len() == head + length)
}

struct Load {
    poll: Poll,
    events: Events,
    request: Vec<u8>,
    connections: Vec<Connection>,
    latencies: Histogram<u64>,
}

impl Load {
    /// Opens the connections, each of which gets a response before the measurement begins.
    fn open(port: u16, path: &str, count: usize) -> Result<Self, Failure> {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes();
        let (poll, events, latencies) = (Poll::new()?, Events::with_capacity(1024), Histogram::new(3)?);
        let mut load = Self { poll, events, request, connections: Vec::with_capacity(count), latencies };
        for number in 0..count {
            let mut connection = Connection::open(port, number)?;
            load.poll.registry().register(&mut connection.stream, Token(number), Interest::READABLE)?;
            load.connections.push(connection);
            load.ask(number, Instant::now())?;
            load.receive()?;
        }
        while load.is_waiting() {
            load.receive()?;
        }
        load.latencies.clear();
        Ok(load)
    }

    /// Returns whether a request has no response yet.
    fn is_waiting(&self) -> bool {
        self.connections.iter().any(|connection| !connection.scheduled.is_empty())
    }

    /// Queues a request on a connection; sends it if the connection is idle.
    fn ask(&mut self, number: usize, scheduled: Instant) -> io::Result<()> {
        let connection = &mut self.connections[number];
        connection.scheduled.push_back(scheduled);
        if connection.scheduled.len() == 1 { connection.stream.write_all(&self.request) } else { Ok(()) }
    }

    /// Reads the available responses, without waiting.
    fn receive(&mut self) -> Result<(), Failure> {
        self.poll.poll(&mut self.events, Some(Duration::ZERO))?;
        for event in &self.events {
            let connection = &mut self.connections[event.token().0];
            if connection.receive()? {
                let scheduled = connection.scheduled.pop_front().ok_or("a response without a request")?;
                self.latencies.record(u64::try_from(scheduled.elapsed().as_micros())?)?;
                if !connection.scheduled.is_empty() {
                    connection.stream.write_all(&self.request)?;
                }
            }
        }
        Ok(())
    }

    fn run(&mut self, rate: f64, requests: u32) -> Result<(), Failure> {
        let start = Instant::now();
        let count = self.connections.len();
        let mut asked = 0;
        while asked < requests || self.is_waiting() {
            let scheduled = start + Duration::from_secs_f64(f64::from(asked) / rate);
            if asked < requests && Instant::now() >= scheduled {
                self.ask(asked as usize % count, scheduled)?;
                asked += 1;
            }
            self.receive()?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, path, connections, rate, seconds] = &*arguments else {
        return Err("expected PORT PATH CONNECTIONS RATE SECONDS".into());
    };
    let mut load = Load::open(port.parse()?, path, connections.parse()?)?;
    let (rate, seconds): (u32, u32) = (rate.parse()?, seconds.parse()?);
    println!("ready");
    io::stdin().read_line(&mut String::new())?;
    load.run(f64::from(rate), rate * seconds)?;
    let at = |quantile| load.latencies.value_at_quantile(quantile);
    let (requests, p50, p99, p999) = (load.latencies.len(), at(0.5), at(0.99), at(0.999));
    println!(r#"{{"requests":{requests},"p50":{p50},"p99":{p99},"p999":{p999},"max":{}}}"#, load.latencies.max());
    io::stdin().read_line(&mut String::new())?;
    Ok(())
}
