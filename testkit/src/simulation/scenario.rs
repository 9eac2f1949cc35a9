//! One scenario: clients, a system, and the events that affect it.

use std::time::Duration;

use httpants_core::{Now, UnixTime};

use super::Outcome;
use super::checker::{self, Circumstances};
use super::client::{Action, Client};
use super::response::End;
use super::system::{Scene, System};
use crate::memory::random::Random;
use crate::memory::{self, Faults, START, pipe};

/// A time that is longer than all timers together: a system must not wait longer for a timer, and
/// the clock advances by it at the end of the scenario.
const END: Duration = Duration::from_secs(3_600);
/// Maximum number of turns at one time; more indicate a busy loop.
const MAX_TURNS: u64 = 10_000;
/// Maximum number of wake-ups of a system between two events: enough for all timers together,
/// checked each millisecond.
const MAX_WAKES: u64 = 100_000;
/// Maximum number of turns after the end.
const QUIET: u64 = 200;

/// An event that affects the system.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// The system is asked to finish within this time.
    Shutdown(Duration),
    Close,
    /// The machine is suspended.
    Jump(Duration),
    /// The wall clock is set.
    SetWallClock(Duration),
}

pub(super) struct Scenario<S> {
    system: S,
    clients: Vec<(Client, memory::Client)>,
    events: Vec<(Duration, Event)>,
    circumstances: Circumstances,
    clock: Duration,
    /// The wall-clock time at which the monotonic clock was zero.
    wall: UnixTime,
    turns: u64,
    /// Number of wake-ups without an event since the last event.
    wakes: u64,
    pub(super) log: Vec<String>,
}

impl<S: System> Scenario<S> {
    pub(super) fn begin(seed: u64, make: impl FnOnce(&Scene) -> S) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults {
            shuffle: random.percent(75),
            cut: random.percent(75),
            delay_percent: *random.one_of(&[0, 10, 25, 60]),
            send_files: random.percent(50),
        };
        let scene = Scene { seed: random.next(), faults, max_connections: *random.one_of(&[1, 2, 100, 100]) };
        let mut scenario = Self {
            system: make(&scene),
            clients: Vec::new(),
            events: Vec::new(),
            circumstances: Circumstances { crowded: scene.max_connections < 4, ..Circumstances::default() },
            clock: Duration::ZERO,
            wall: START,
            turns: 0,
            wakes: 0,
            log: vec![format!("{faults:?}")],
        };
        let mut network = Random::new(scene.seed);
        for number in 0..1 + random.below(4) as u64 {
            let client = Client::draw(number, &mut random, &|path| scenario.system.supports(path));
            let (end, socket) = pipe::pair(network.next(), faults);
            scenario.system.connect(socket, memory::peer(), scenario.now());
            scenario
                .log
                .extend(client.requests.iter().map(|request| format!("client {number}: {:?}", request.operation)));
            scenario.log.push(format!("client {number}: {:?}", client.disconnect));
            scenario.clients.push((client, end));
        }
        scenario.draw_events(&mut random);
        scenario
    }

    fn draw_events(&mut self, random: &mut Random) {
        for (percent, event) in [
            (20, Event::Shutdown(Duration::from_millis(*random.one_of(&[0, 10, 3_000, 60_000])))),
            (5, Event::Close),
            (7, Event::Jump(Duration::from_secs(*random.one_of(&[1, 20, 100_000])))),
            (7, Event::SetWallClock(Duration::from_secs(*random.one_of(&[0, 1_000_000_000, 4_000_000_000])))),
        ] {
            if random.percent(percent) {
                let at = *random.one_of(&[0, 1, 20, 300, 3_000, 20_000, 85_000]) + random.below(30) as u64;
                self.events.push((Duration::from_millis(at), event));
            }
        }
        self.events.sort_by_key(|(at, _)| *at);
        self.events.reverse();
    }

    fn now(&self) -> Now {
        Now::new(self.clock, UnixTime(self.wall.0 + self.clock))
    }

    /// Runs from event to event until nothing more can happen.
    pub(super) fn run(&mut self) -> Result<(), String> {
        loop {
            let deadline = self.rest()?;
            let now = self.clock;
            let applied = self.apply_event(now);
            if self.clients_act(now) || applied {
                self.wakes = 0;
                continue;
            }
            self.wakes += 1;
            if self.wakes > MAX_WAKES {
                return Err(format!("{MAX_WAKES} times awake while nothing happened"));
            }
            let planned = self.events.last().map(|(at, _)| *at);
            let waiting = self.clients.iter().filter_map(|(client, _)| client.deadline());
            match waiting.chain(planned).chain(deadline).min() {
                Some(next) if next > now + END => return Err(format!("a timer for {next:?}, at {now:?}")),
                Some(next) => self.clock = self.clock.max(next),
                None => return Ok(()),
            }
        }
    }

    /// Calls the system until it waits; returns the time until which it waits.
    fn rest(&mut self) -> Result<Option<Duration>, String> {
        for _ in 0..MAX_TURNS {
            self.turns += 1;
            let deadline = self.system.turn(self.now());
            // A system without wakers notices only when it tries again that a socket has become
            // ready.
            let delayed = self.clients.iter().filter(|(_, socket)| socket.take_delayed()).count();
            if delayed == 0 && deadline.is_none_or(|at| at > self.clock) {
                return Ok(deadline);
            }
        }
        Err(format!("{MAX_TURNS} turns at one moment"))
    }

    /// Applies the next event that is due; returns whether there was one.
    fn apply_event(&mut self, now: Duration) -> bool {
        let Some((_, event)) = self.events.pop_if(|(at, _)| *at <= now) else {
            return false;
        };
        self.log.push(format!("{now:?} {event:?}"));
        match event {
            Event::Shutdown(grace) => {
                self.system.shutdown(grace, self.now());
                self.circumstances.drained = true;
                self.must_end_by(now + grace);
            }
            Event::Close => {
                self.system.close(self.now());
                self.circumstances.closed = true;
                self.must_end_by(now);
            }
            Event::Jump(span) => {
                self.clock += span;
                self.circumstances.jumped = true;
            }
            Event::SetWallClock(time) => self.wall = UnixTime(time.saturating_sub(now)),
        }
        true
    }

    fn must_end_by(&mut self, at: Duration) {
        let over = self.circumstances.over.get_or_insert(at);
        *over = at.min(*over);
    }

    fn clients_act(&mut self, now: Duration) -> bool {
        let mut acted = false;
        for (number, (client, socket)) in self.clients.iter_mut().enumerate() {
            let received = socket.take_received();
            let end = match (socket.is_reset(), socket.is_ended()) {
                (true, _) => End::Reset,
                (false, true) => End::Ended,
                (false, false) => End::Open,
            };
            if !received.is_empty() || end != client.end {
                self.wakes = 0;
                self.log.push(format!("{now:?} client {number} receives {} bytes, {end:?}", received.len()));
            }
            client.receive(&received, end, now);
            while let Some(action) = client.act(now) {
                acted = true;
                match &action {
                    Action::Send(bytes) => {
                        self.log.push(format!("{now:?} client {number} sends {} bytes", bytes.len()));
                        socket.send(bytes);
                        continue;
                    }
                    Action::End => socket.end(),
                    Action::Reset => socket.reset(),
                    Action::TakeOnly(count) => socket.take_only(*count),
                }
                self.log.push(format!("{now:?} client {number} {action:?}"));
            }
        }
        acted
    }

    /// Checks the rules that must hold at the end, when nothing more can happen.
    pub(super) fn end(&mut self) -> Result<Outcome, String> {
        let mut outcome = Outcome { turns: self.turns, ..Outcome::default() };
        self.clock += END;
        self.rest()?;
        if self.turns - outcome.turns > QUIET {
            return Err(format!("{} turns when all was over", self.turns - outcome.turns));
        }
        for (number, (client, _)) in self.clients.iter().enumerate() {
            let counts = checker::check(client, self.circumstances).map_err(|why| {
                self.log.push(format!("client {number} received: {}", client.received.escape_ascii()));
                format!("client {number}: {why}")
            })?;
            outcome.requests += client.requests.iter().filter(|request| request.is_begun()).count();
            outcome.completed += counts.completed;
            outcome.refused += counts.refused;
            outcome.broken += counts.broken;
            outcome.dropped += counts.dropped;
        }
        match self.system.connections() {
            0 => {}
            connections => return Err(format!("{connections} connections are left")),
        }
        self.system.close(self.now());
        self.rest()?;
        self.system.check()?;
        Ok(outcome)
    }
}
