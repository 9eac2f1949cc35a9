//! Whole servers in simulated worlds: a seed draws clients, a network, an application's pace
//! and what befalls the server, and every rule that must hold is looked at.
//!
//! The clients pipeline, cut their requests into pieces, dawdle, fall silent, end their
//! streams halfway, reset, and stop reading; sockets move any number of bytes and say that
//! they are not ready when they are; tasks run in any order; the machine falls asleep and
//! wakes up; the server is told to stop at any moment. What must hold:
//!
//! - answers come in the order of their requests, each whole or visibly broken, and broken
//!   only for a reason;
//! - each request that came in whole is handled once and answered once, or its connection
//!   fails where the client sees it;
//! - a client that falls silent is left when its timer says so;
//! - nothing is left at the end: no connection, task, handler or file;
//! - no task is polled without end while nothing happens.
//!
//! The same seed always tells the same story, so a failure is repeated by its seed:
//!
//! ```
//! use httpants_driver::simulation::Simulator;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::new()?;
//! let outcome = simulator.run(7)?;
//! assert!(outcome.requests > 0);
//! # Ok(()) }
//! ```

mod answer;
mod application;
mod client;
mod errand;
mod judge;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use tempfile::TempDir;

use self::answer::End;
use self::application::Journal;
use self::client::{Action, Client};
use self::judge::Circumstances;
use crate::Handle;
use crate::memory::random::Random;
use crate::memory::{self, Faults, Memory};
use crate::runtime::Runtime;
use crate::server::Server;

/// The size of the file that simulated clients ask for, in bytes.
const FILE_SIZE: usize = 100_000;
/// What is held in memory of a request; what is larger goes to a temporary file.
const MEMORY: u64 = 10_000;
/// When a story is over, whatever its clients do: longer than all timers together.
const END: Duration = Duration::from_secs(3_600);
/// The most polls while nothing happens but timers.
const QUIET: u64 = 200;

/// Runs stories; see the [module](self).
#[derive(Debug)]
pub struct Simulator {
    uploads: TempDir,
    /// Removed with the simulator.
    _files: TempDir,
    file: PathBuf,
}

/// What happened in a story in which every rule held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// How many requests the clients began to send.
    pub requests: usize,
    /// How many were answered as they asked.
    pub answered: usize,
    /// How many were refused, as they deserved.
    pub refused: usize,
    /// How many answers broke off, visibly and for a reason.
    pub broken: usize,
    /// How many requests ended with their connections, for a reason.
    pub unanswered: usize,
    /// How often a task was polled.
    pub polls: u64,
}

/// A rule that did not hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// The seed of the story, which repeats it.
    pub seed: u64,
    /// What did not hold, and for whom.
    pub what: String,
    /// What happened up to there, one event a line.
    pub story: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Violation {}

/// What befalls the server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    /// It is told to finish within this time.
    Shutdown(Duration),
    Close,
    /// The machine sleeps.
    Jump(Duration),
    /// Somebody sets the clock of the day.
    SetWallClock(Duration),
}

impl Simulator {
    /// A simulator, with a directory for uploads and a file to be asked for.
    ///
    /// # Errors
    /// Those of making them.
    pub fn new() -> io::Result<Self> {
        let (uploads, files) = (TempDir::new()?, TempDir::new()?);
        let file = files.path().join("file.bin");
        std::fs::write(&file, errand::pattern(0, FILE_SIZE))?;
        Ok(Self { uploads, _files: files, file })
    }

    /// Runs the story of a seed.
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub fn run(&self, seed: u64) -> Result<Outcome, Violation> {
        let mut story = Story::begin(self, seed);
        let result = story.play().and_then(|()| story.end(self.uploads.path()));
        result.map_err(|what| Violation { seed, what, story: story.log })
    }
}

struct Story {
    memory: Memory,
    handle: Handle,
    journal: Rc<Journal>,
    clients: Vec<(Client, memory::Client)>,
    events: Vec<(Duration, Event)>,
    circumstances: Circumstances,
    log: Vec<String>,
}

impl Story {
    fn begin(simulator: &Simulator, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults {
            shuffle: random.percent(75),
            cut: random.percent(75),
            delay_percent: *random.one_of(&[0, 10, 25, 60]),
            send_files: random.percent(50),
        };
        let memory = Memory::with_faults(random.next(), faults);
        let journal = Rc::new(Journal::default());
        let (world, pages, file) = (memory.clone(), Rc::clone(&journal), simulator.file.clone());
        let handler = move |request| application::answer(world.clone(), Rc::clone(&pages), file.clone(), request);
        let max_connections = *random.one_of(&[1, 2, 100, 100]);
        let server = Server::with_runtime(memory.clone(), handler)
            .intake(application::intake)
            .max_request(errand::MAX_REQUEST)
            .max_connections(max_connections)
            .upload_directory(simulator.uploads.path())
            .forms(|limits| limits.memory = MEMORY);
        let (handle, serving) = server.attach();
        memory.serve(serving);
        let clients = (0..1 + random.below(4) as u64)
            .map(|number| (Client::draw(number, &mut random), memory.connect()))
            .collect();
        let mut story = Self {
            memory,
            handle,
            journal,
            clients,
            events: Vec::new(),
            circumstances: Circumstances { crowded: max_connections < 4, ..Circumstances::default() },
            log: vec![format!("{faults:?}")],
        };
        story.draw_events(&mut random);
        for (number, (client, _)) in story.clients.iter().enumerate() {
            story.log.extend(client.requests.iter().map(|request| format!("client {number}: {:?}", request.errand)));
            story.log.push(format!("client {number}: {:?}", client.leaving));
        }
        story
    }

    fn draw_events(&mut self, random: &mut Random) {
        for (percent, event) in [
            (20, Event::Shutdown(Duration::from_millis(*random.one_of(&[0, 10, 3_000, 60_000])))),
            (5, Event::Close),
            (7, Event::Jump(Duration::from_secs(*random.one_of(&[1, 20, 100_000])))),
            (7, Event::SetWallClock(Duration::from_secs(*random.one_of(&[0, 1_000_000_000, 4_000_000_000])))),
        ] {
            if random.percent(percent) {
                let at = *random.one_of(&[0, 1, 20, 300, 3_000, 20_000, 70_000]) + random.below(30) as u64;
                self.events.push((Duration::from_millis(at), event));
            }
        }
        self.events.sort_by_key(|(at, _)| *at);
        self.events.reverse();
    }

    /// Goes from event to event until nothing more can happen.
    fn play(&mut self) -> Result<(), String> {
        loop {
            self.memory.run();
            let now = self.memory.now().mono;
            let happened = self.befall(now);
            if self.clients_act(now) || happened {
                continue;
            }
            let planned = self.events.last().map(|(at, _)| *at);
            let waiting = self.clients.iter().filter_map(|(client, _)| client.deadline());
            let next = waiting.chain(planned).chain(self.memory.next_deadline()).min();
            match next {
                Some(next) if next > now + END => return Err(format!("a timer for {next:?}, at {now:?}")),
                Some(next) => self.memory.advance(next.saturating_sub(now)),
                None => return Ok(()),
            }
        }
    }

    /// What befalls the server at this moment.
    fn befall(&mut self, now: Duration) -> bool {
        let Some((_, event)) = self.events.pop_if(|(at, _)| *at <= now) else {
            return false;
        };
        self.log.push(format!("{now:?} {event:?}"));
        match event {
            Event::Shutdown(grace) => {
                self.handle.shutdown(grace);
                self.circumstances.drained = true;
            }
            Event::Close => {
                self.handle.close();
                self.circumstances.closed = true;
            }
            Event::Jump(span) => {
                self.memory.jump(span);
                self.circumstances.jumped = true;
            }
            Event::SetWallClock(time) => self.memory.set_wall_clock(httpants_core::UnixTime(time)),
        }
        true
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

    /// Nothing more can happen: what must hold now.
    fn end(&mut self, uploads: &Path) -> Result<Outcome, String> {
        let polls = self.memory.polls();
        self.memory.advance(END);
        if self.memory.polls() - polls > QUIET {
            return Err(format!("{} polls while nothing happened", self.memory.polls() - polls));
        }
        let mut outcome = Outcome { polls, ..Outcome::default() };
        for (number, (client, _)) in self.clients.iter().enumerate() {
            let tally = judge::judge(client, self.circumstances).map_err(|why| {
                self.log.push(format!("client {number} received: {}", client.received.escape_ascii()));
                format!("client {number}: {why}")
            })?;
            outcome.requests += client.requests.iter().filter(|request| request.is_begun()).count();
            outcome.answered += tally.answered;
            outcome.refused += tally.refused;
            outcome.broken += tally.broken;
            outcome.unanswered += tally.unanswered;
        }
        self.journal.check()?;
        if self.handle.connections() > 0 {
            return Err(format!("{} connections are left", self.handle.connections()));
        }
        self.handle.close();
        self.memory.run();
        if self.memory.tasks() > 0 {
            return Err(format!("{} tasks are left", self.memory.tasks()));
        }
        no_files(uploads).map_err(|error| format!("uploads: {error}"))?;
        Ok(outcome)
    }
}

/// No file is in the directory, nor open without a name.
fn no_files(directory: &Path) -> io::Result<()> {
    if directory.read_dir()?.next().is_some() {
        return Err(io::Error::other("a file was left in the directory"));
    }
    let Ok(open) = Path::new("/proc/self/fd").read_dir() else {
        return Ok(()); // Not on Linux.
    };
    for entry in open {
        if entry?.path().read_link().is_ok_and(|file| file.starts_with(directory)) {
            return Err(io::Error::other("a file was left open"));
        }
    }
    Ok(())
}
