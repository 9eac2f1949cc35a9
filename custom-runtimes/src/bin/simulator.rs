//! The core in a simulated world: clients, a network and a clock without sockets or waiting.
//!
//! In this folder: `cargo run --bin simulator -- 7`
//!
//! An hour of simulated time takes moments, and the same seed always gives the same run, so the
//! effect of load on timeouts can be tested without load.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use httpants_core::{
    Close, Config, Connection, ConnectionInfo, Event, Now, RequestId, ResponseHead, Timer, Transmit, UnixTime,
};

const CLIENTS: usize = 1_000;
const REQUESTS: usize = 20;
/// One of this number of clients stops sending in the middle of a request.
const SILENT: usize = 50;

/// A planned event with its time; events at the same time keep the order in which they were
/// planned.
type Planned = Reverse<(Duration, u64, usize, Action)>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    /// The client begins its next request.
    Request,
    Arrives(Vec<u8>),
    /// The application finished its work.
    Respond(RequestId),
    Deadline,
}

struct Client {
    connection: Connection,
    asked: Duration,
    left: usize,
    silent: bool,
    open: bool,
}

#[derive(Default)]
struct World {
    now: Duration,
    planned: BinaryHeap<Planned>,
    count: u64,
    latencies: Vec<Duration>,
    /// The number of connections that ended, and the number of those that a timer ended.
    ended: usize,
    timed_out: usize,
}

impl World {
    fn plan(&mut self, after: Duration, client: usize, action: Action) {
        self.count += 1;
        self.planned.push(Reverse((self.now + after, self.count, client, action)));
    }

    fn now(&self) -> Now {
        Now::new(self.now, UnixTime::from_secs(1_800_000_000 + self.now.as_secs()))
    }

    fn perform(&mut self, number: usize, client: &mut Client, action: Action, random: &mut Rng) {
        let now = self.now();
        match action {
            Action::Request => self.request(number, client, random),
            Action::Arrives(bytes) => {
                // Requests are small here, so the core always has room for one.
                let _ = client.connection.receive(&bytes, now);
            }
            Action::Respond(id) => {
                let _ = client.connection.respond_with(id, &ResponseHead::default(), "a response");
            }
            Action::Deadline => client.connection.handle_timeout(now),
        }
        self.drive(number, client, random);
    }

    /// Sends a request over a network that cuts it into pieces and delays them.
    fn request(&mut self, number: usize, client: &mut Client, random: &mut Rng) {
        client.asked = self.now;
        client.left -= 1;
        let mut rest: &[u8] = b"GET /simulated HTTP/1.1\r\nHost: example.com\r\n\r\n";
        let mut delay = Duration::ZERO;
        while !rest.is_empty() {
            let (piece, following) = rest.split_at(random.usize(1..=rest.len()));
            delay += Duration::from_millis(random.u64(1..=40));
            if client.silent && client.left == 0 && following.is_empty() {
                return;
            }
            self.plan(delay, number, Action::Arrives(piece.to_vec()));
            rest = following;
        }
    }

    fn events(&mut self, number: usize, client: &mut Client, random: &mut Rng) {
        while let Some(event) = client.connection.poll_event() {
            match event {
                Event::Request(request) => {
                    let thinking = Duration::from_millis(random.u64(1..=100));
                    self.plan(thinking, number, Action::Respond(request.id()));
                }
                Event::ResponseEnd(stats) if stats.complete => {
                    self.latencies.push(self.now - client.asked);
                    if client.left > 0 {
                        self.plan(Duration::from_secs(random.u64(1..=90)), number, Action::Request);
                    }
                }
                Event::TimedOut(timer) if timer != Timer::Linger => self.timed_out += 1,
                _ => {}
            }
        }
    }

    fn drive(&mut self, number: usize, client: &mut Client, random: &mut Rng) {
        let now = self.now();
        self.events(number, client, random);
        while let Some(Transmit::Bytes(slices)) = client.connection.poll_transmit() {
            let sent: usize = slices.map(<[u8]>::len).sum();
            client.connection.handle_sent(sent as u64, now);
            self.events(number, client, random);
        }
        match client.connection.poll_close() {
            Some(Close::ShutdownWrite) | None => {
                if let Some(deadline) = client.connection.poll_timeout() {
                    self.plan(deadline.at.saturating_sub(self.now), number, Action::Deadline);
                }
            }
            Some(_) => {
                client.open = false;
                self.ended += 1;
            }
        }
    }
}

fn main() {
    let seed = std::env::args().nth(1).and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut random = Rng::with_seed(seed);
    let config = Arc::new(Config::default());
    let mut world = World::default();
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|number| {
            let silent = random.usize(..SILENT) == 0;
            let connection = Connection::new(Arc::clone(&config), ConnectionInfo::default(), Now::default());
            world.plan(Duration::from_millis(random.u64(..10_000)), number, Action::Request);
            Client { connection, asked: Duration::ZERO, left: REQUESTS, silent, open: true }
        })
        .collect();
    while let Some(Reverse((at, _, number, action))) = world.planned.pop() {
        world.now = at;
        if let Some(client) = clients.get_mut(number)
            && client.open
        {
            world.perform(number, client, action, &mut random);
        }
    }
    world.latencies.sort_unstable();
    let latency = |share: usize| world.latencies.get(world.latencies.len() * share / 100).copied().unwrap_or_default();
    println!("seed {seed}: {} responses in {:?}", world.latencies.len(), world.now);
    println!("latency: {:?} at the median, {:?} at the 99th percentile", latency(50), latency(99));
    println!("connections ended by a timer: {} of {}", world.timed_out, world.ended);
}
