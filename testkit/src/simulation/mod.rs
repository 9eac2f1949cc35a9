//! A simulator that runs whole servers in random scenarios and checks rules that must always hold.
//!
//! A scenario is generated from a seed: clients, a network, the pace of the application, and events
//! such as a shutdown. Clients pipeline requests, split them into pieces, send slowly, fall silent,
//! end their streams in the middle of a request or after it, reset, and stop reading. Handlers
//! continue after their responses and cancel reads. Sockets transfer any number of bytes and report
//! that they are not ready; tasks run in any order; the machine is suspended and resumed; the
//! server is stopped at any time. The rules:
//!
//! - responses are in the order of their requests, each complete or visibly incomplete, and
//!   incomplete only for a valid reason;
//! - each request that was received completely is handled once and gets one response, or its
//!   connection fails visibly;
//! - requests of one connection are not handled at the same time; a response does not wait for what
//!   its handler does afterwards, and that handler is not dropped while the server runs;
//! - a client that falls silent is disconnected when its timer fires;
//! - a client that ends its stream gets its responses completely, or the end that
//!   [`Timeouts::half_closed`](httpants_core::Timeouts::half_closed) sets, and is disconnected at
//!   once afterwards;
//! - each accepted request has one line in the access log;
//! - a server that is stopped has ended when the grace period ends;
//! - at the end no connection, task, handler or file is left;
//! - while nothing happens, tasks are not polled or woken endlessly.
//!
//! The same seed always gives the same scenario, so a failure can be repeated:
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
//! [`Simulator::run_on`] runs the same scenarios on a custom [`Runtime`] on top of [`Memory`]: for
//! transports that do more than pass bytes on, such as those with their own buffers or with
//! encryption.
//!
//! # A custom server
//!
//! The same clients, faults and rules apply to programs that drive
//! [`Connection`](httpants_core::Connection) in their own loop. They implement [`System`], use
//! [`Application`] as the application, and call [`Simulator::run_with`] instead of
//! [`Simulator::run`]. `examples/by_hand` of this package is such a program, in 160 lines. The
//! following one closes each connection at once, which some seeds detect:
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

/// Size of the file that simulated clients request, in bytes.
const FILE_SIZE: usize = 100_000;
/// Maximum size of an accepted request body, in bytes.
const MAX_REQUEST: u64 = 200_000;

/// Returns the configuration of a [`System`]: the defaults, whose timers and limits the rules
/// assume, except that a request body may have 200,000 bytes.
#[must_use]
pub fn config() -> Config {
    let mut config = Config::default();
    config.limits.max_body_size = MAX_REQUEST;
    config
}

/// A simulator of scenarios; see the [module](self).
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
    /// Number of requests that the clients began to send.
    pub requests: usize,
    /// Number of requests that got the requested response.
    pub completed: usize,
    /// Number of requests that were refused, for a valid reason.
    pub refused: usize,
    /// Number of responses that were visibly incomplete, for a valid reason.
    pub broken: usize,
    /// Number of requests without a response because their connections ended, for a valid reason.
    pub dropped: usize,
    /// Number of turns: calls of [`System::turn`], or polls of the tasks of an in-memory server.
    pub turns: u64,
}

/// A violated rule.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// The seed, which repeats the scenario.
    pub seed: u64,
    /// The rule that did not hold, and the client.
    pub what: String,
    /// The events before the violation, one per line.
    pub log: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {}", self.seed, self.what)
    }
}

impl std::error::Error for Violation {}

impl Simulator {
    /// Creates a simulator, with a directory for uploads and a file for requests.
    ///
    /// # Errors
    /// Returns the errors of creating them.
    pub fn new() -> io::Result<Self> {
        let (uploads, files) = (TempDir::new()?, TempDir::new()?);
        let file = files.path().join("file.bin");
        std::fs::write(&file, operation::pattern(0, FILE_SIZE))?;
        Ok(Self { uploads, _files: files, file })
    }

    /// Runs the scenario of a seed with a [`Server`](httpants_driver::Server) on the in-memory
    /// runtime.
    ///
    /// # Errors
    /// Returns the first rule that did not hold.
    pub fn run(&self, seed: u64) -> Result<Outcome, Violation> {
        self.run_on(seed, |memory| (memory.clone(), memory.listener()))
    }

    /// Runs the scenario of a seed with a [`Server`](httpants_driver::Server) on a custom runtime
    /// on top of this [`Memory`], whose clock, tasks and connections it uses. The code of the
    /// runtime is under test, such as the buffers and wakers of its transport.
    ///
    /// ```
    /// # use httpants_testkit::simulation::Simulator;
    /// // `run` uses Memory itself.
    /// let simulator = Simulator::new()?;
    /// let outcome = simulator.run_on(7, |memory| (memory.clone(), memory.listener()))?;
    /// assert_eq!(outcome, simulator.run(7)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Returns the first rule that did not hold.
    pub fn run_on<R>(&self, seed: u64, make: impl FnOnce(&Memory) -> (R, R::Listener)) -> Result<Outcome, Violation>
    where
        R: Runtime<Transport: Send> + Spawn<Serve<R, Pages>>,
    {
        self.run_with(seed, |scene| Served::new(self, scene, make))
    }

    /// Runs the scenario of a seed with a custom system, which `make` creates.
    ///
    /// # Errors
    /// Returns the first rule that did not hold.
    pub fn run_with<S: System>(&self, seed: u64, make: impl FnOnce(&Scene) -> S) -> Result<Outcome, Violation> {
        let mut scenario = Scenario::begin(seed, make);
        let result = scenario.run().and_then(|()| scenario.end());
        result.map_err(|what| Violation { seed, what, log: scenario.log })
    }
}
