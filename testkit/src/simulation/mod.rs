//! A simulator that runs whole servers in random scenarios and checks rules that must always hold.
//!
//! A scenario is drawn from the number that is its seed: clients, a network, the pace of the
//! application, and events such as a shutdown. The clients pipeline, cut their requests into
//! pieces, dawdle, fall silent, end their streams halfway, or behind their requests and wait for
//! the responses, reset, and stop reading; handlers go on behind their responses and give up reads;
//! sockets move any number of bytes and pretend not to be ready; tasks run in any order; the
//! machine is suspended and resumed; the server is stopped at any moment. The rules:
//!
//! - responses come in the order of their requests, each whole or visibly broken, and broken
//!   only for a reason;
//! - each request that came in whole is handled once and gets one response, or its connection
//!   fails where the client sees it;
//! - requests of one connection are not handled at the same time, a response does not wait for
//!   what its handler does behind it, and that is not dropped while the server runs;
//! - a client that falls silent is disconnected when its timer fires;
//! - a client that ends its stream has its responses whole, or the end that
//!   [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed) sets, and is disconnected at
//!   once behind them;
//! - each request that was accepted has one line in the access log;
//! - a server that is stopped has ended when the grace period ends;
//! - nothing is left at the end: no connection, task, handler or file;
//! - no task is polled, and nothing wakes, without end while nothing happens.
//!
//! The same seed always makes the same scenario, so a failure can be repeated:
//!
//! ```
//! use httpants_testkit::simulation::Simulator;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::new()?;
//! let outcome = simulator.run(7)?;
//! assert!(outcome.requests > 0);
//! # Ok(()) }
//! ```
//!
//! # A custom runtime
//!
//! [`Simulator::run_on`] runs the same scenarios on a [`Runtime`] that is made over
//! [`Memory`]: for transports that do more than to pass on, such as those with buffers of
//! their own, or a layer of security.
//!
//! # A custom server
//!
//! The same clients, faults and rules apply to programs that drive
//! [`Connection`](httpants_core::Connection) by a loop of their own. They implement [`System`],
//! use [`Application`] as its application, and call [`Simulator::run_with`] instead of
//! [`Simulator::run`]. `examples/by_hand` of this package is one, in 160 lines. This one closes
//! each connection at once, which some seeds notice:
//!
//! ```
//! use std::time::Duration;
//! use httpants_driver::protocol::{Now, ConnectionInfo};
//! use httpants_testkit::memory::MemoryTransport;
//! use httpants_testkit::simulation::{Simulator, System};
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

mod application;
mod checker;
mod client;
mod handler;
mod operation;
mod response;
mod scenario;
mod served;
mod system;

use std::fmt;
use std::io;
use std::path::PathBuf;

use httpants_core::Config;
use httpants_driver::Serve;
use httpants_driver::runtime::{Runtime, Spawn};
use tempfile::TempDir;

pub use self::application::Application;
pub use self::handler::Pages;
pub use self::operation::pattern;
use self::scenario::Scenario;
use self::served::Served;
pub use self::system::{Scene, System};
use crate::memory::Memory;

/// The size of the file that simulated clients ask for, in bytes.
const FILE_SIZE: usize = 100_000;
/// The largest content of a request that is accepted, in bytes.
const MAX_REQUEST: u64 = 200_000;

/// Returns the configuration of a [`System`]: the defaults, whose timers and limits the rules
/// assume, but 200,000 bytes for the content of a request.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::default();
    config.limits.max_body_size = MAX_REQUEST;
    config
}

/// Runs scenarios; see the [module](self).
#[derive(Debug)]
pub struct Simulator {
    uploads: TempDir,
    /// Removed with the simulator.
    _files: TempDir,
    file: PathBuf,
}

/// The outcome of a scenario in which every rule held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// How many requests the clients began to send.
    pub requests: usize,
    /// How many got the response that they asked for.
    pub completed: usize,
    /// How many were refused, for a reason.
    pub refused: usize,
    /// How many responses broke off, visibly and for a reason.
    pub broken: usize,
    /// How many got no response because their connections ended, for a reason.
    pub dropped: usize,
    /// How many turns it took: [`System::turn`], or polls of the tasks of a server in memory.
    pub turns: u64,
}

/// A rule that was broken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// The number that repeats the scenario.
    pub seed: u64,
    /// What did not hold, and for whom.
    pub what: String,
    /// What happened up to there, one event a line.
    pub log: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Violation {}

impl Simulator {
    /// Makes a simulator, with a directory for uploads and a file to be requested.
    ///
    /// # Errors
    /// Those of making them.
    pub fn new() -> io::Result<Self> {
        let (uploads, files) = (TempDir::new()?, TempDir::new()?);
        let file = files.path().join("file.bin");
        std::fs::write(&file, operation::pattern(0, FILE_SIZE))?;
        Ok(Self { uploads, _files: files, file })
    }

    /// Runs the scenario of a seed, with a [`Server`](httpants_driver::Server) on the runtime in
    /// memory.
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub fn run(&self, seed: u64) -> Result<Outcome, Violation> {
        self.run_on(seed, |memory| (memory.clone(), memory.listener()))
    }

    /// Runs the scenario of a seed, with a [`Server`](httpants_driver::Server) on a custom runtime
    /// over this [`Memory`], whose clock, tasks and connections it shares. What it does by itself
    /// is under test, such as the buffers and wakers of its transport.
    ///
    /// ```
    /// # use httpants_testkit::simulation::Simulator;
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

    /// Runs the scenario of a seed, with a custom system, which `make` creates.
    ///
    /// # Errors
    /// The first rule that did not hold.
    pub fn run_with<S: System>(&self, seed: u64, make: impl FnOnce(&Scene) -> S) -> Result<Outcome, Violation> {
        let mut scenario = Scenario::begin(seed, make);
        let result = scenario.run().and_then(|()| scenario.end());
        result.map_err(|what| Violation { seed, what, log: scenario.log })
    }
}
