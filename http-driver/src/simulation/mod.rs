//! Whole servers in simulated worlds: a seed draws clients, a network, an application's pace
//! and what befalls the server, and every rule that must hold is looked at.
//!
//! The clients pipeline, cut their requests into pieces, dawdle, fall silent, end their
//! streams halfway, or behind their requests and wait for the responses, reset, and stop reading;
//! handlers go on behind their responses and give up reads; sockets move any number of bytes and say that
//! they are not ready when they are; tasks run in any order; the machine falls asleep and
//! wakes up; the server is told to stop at any moment. What must hold:
//!
//! - answers come in the order of their requests, each whole or visibly broken, and broken
//!   only for a reason;
//! - each request that came in whole is handled once and answered once, or its connection
//!   fails where the client sees it;
//! - requests of one connection are not handled at the same time, a response does not wait for
//!   what its handler does behind it, and that is not dropped while the server runs;
//! - a client that falls silent is left when its timer says so;
//! - a client that ends its stream has its responses whole, or the end that
//!   [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed) says, and is left at once
//!   behind them;
//! - each request that was accepted has one line in the access log;
//! - a server that is told to stop has ended by the time it was given;
//! - nothing is left at the end: no connection, task, handler or file;
//! - no task is polled, and nothing wakes, without end while nothing happens.
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
//!
//! # A runtime of one's own
//!
//! [`Simulator::run_on`] plays the same stories on a [`Runtime`] that is made over
//! [`Memory`]: for transports that do more than to pass on, such as those with buffers of
//! their own, or a layer of security.
//!
//! # A server of one's own
//!
//! The same clients, faults and rules are there for whoever drives
//! [`Connection`](httpants_core::Connection) by a loop of their own: they make it a [`System`],
//! with [`Application`] for its application, and run it by [`Simulator::run_with`] in place of
//! [`Simulator::run`]. `examples/by_hand` of this package is one, in 160 lines. This one leaves
//! before it has heard anything, which some seeds notice:
//!
//! ```
//! use std::time::Duration;
//! use httpants_driver::protocol::{Now, ConnectionInfo};
//! use httpants_driver::memory::MemoryTransport;
//! use httpants_driver::simulation::{Simulator, System};
//!
//! struct Impatient;
//!
//! impl System for Impatient {
//!     fn connect(&mut self, socket: MemoryTransport, _: ConnectionInfo, _: Now) {
//!         drop(socket);
//!     }
//!     fn turn(&mut self, _: Now) -> Option<Duration> {
//!         None
//!     }
//!     fn shutdown(&mut self, _: Duration, _: Now) {}
//!     fn connections(&self) -> usize {
//!         0
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::new()?;
//! let violation = (0..100).find_map(|seed| simulator.run_with(seed, |_| Impatient).err());
//! assert!(violation.is_some_and(|violation| violation.what.contains("the accept timer after 0ns")));
//! # Ok(()) }
//! ```

mod answer;
mod application;
mod client;
mod errand;
mod handler;
mod judge;
mod served;
mod story;
mod system;

use std::fmt;
use std::io;
use std::path::PathBuf;

use httpants_core::Config;
use tempfile::TempDir;

pub use self::application::Application;
pub use self::errand::pattern;
pub use self::handler::Pages;
use self::served::Served;
use self::story::Story;
pub use self::system::{Scene, System};
use crate::Serve;
use crate::memory::Memory;
use crate::runtime::{Runtime, Spawn};

/// The size of the file that simulated clients ask for, in bytes.
const FILE_SIZE: usize = 100_000;
/// The largest content of a request that is accepted, in bytes.
const MAX_REQUEST: u64 = 200_000;

/// What a [`System`] serves with: the defaults, by whose timers and limits it is judged, but
/// 200,000 bytes for the content of a request.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::default();
    config.limits.max_body_size = MAX_REQUEST;
    config
}

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
    /// How many turns it took: [`System::turn`], or polls of the tasks of a server in memory.
    pub turns: u64,
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

    /// Runs the story of a seed, with a [`Server`](crate::Server) on the runtime in memory.
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub fn run(&self, seed: u64) -> Result<Outcome, Violation> {
        self.run_on(seed, |memory| (memory.clone(), memory.listener()))
    }

    /// Runs the story of a seed, with a [`Server`](crate::Server) on a runtime of one's own,
    /// which is made for each story anew: over this [`Memory`], whose clock, tasks and
    /// connections it shares. What it does by itself is under test, such as the buffers and
    /// wakers of its transport.
    ///
    /// ```
    /// # use httpants_driver::simulation::Simulator;
    /// // Memory itself is what `run` runs on.
    /// let simulator = Simulator::new()?;
    /// let outcome = simulator.run_on(7, |memory| (memory.clone(), memory.listener()))?;
    /// assert_eq!(outcome, simulator.run(7)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub fn run_on<R>(&self, seed: u64, make: impl FnOnce(&Memory) -> (R, R::Listener)) -> Result<Outcome, Violation>
    where
        R: Runtime<Transport: Send> + Spawn<Serve<R, Pages>>,
    {
        self.run_with(seed, |scene| Served::new(self, scene, make))
    }

    /// Runs the story of a seed, with a system of one's own, which is made for each story anew.
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub fn run_with<S: System>(&self, seed: u64, make: impl FnOnce(&Scene) -> S) -> Result<Outcome, Violation> {
        let mut story = Story::begin(seed, make);
        let result = story.play().and_then(|()| story.end());
        result.map_err(|what| Violation { seed, what, story: story.log })
    }
}
