//! The interface of systems under test.

use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};

use super::application::Application;
use crate::memory::{Faults, MemoryTransport};

/// A server under test by [`Simulator::run_with`](super::Simulator::run_with).
///
/// It runs on the calling thread, only in [`turn`](Self::turn); its only clock is the time passed
/// to it, and its sockets are those of [`connect`](Self::connect). The simulator creates
/// connections, requests and faults. The system serves with [`config`](super::config), and responds
/// to the requests below, as [`Application`] does on a [`Connection`](httpants_core::Connection).
///
/// A loop that blocks cannot be a system, but its work between two waits can. Sockets are read and
/// written like those of the platform, by [`Read`](std::io::Read) and [`Write`](std::io::Write), or
/// with wakers, by [`Transport`](httpants_driver::runtime::Transport).
///
/// A system with its own application responds to requests by their paths and queries, with
/// [`pattern(id, size)`](super::pattern) as the body unless stated otherwise:
///
/// | path | response |
/// |---|---|
/// | `/content` | 200 after `wait` milliseconds |
/// | `/stream` | 200 without Content-Length, in `pieces` pieces, `wait` milliseconds before each |
/// | `/pieces` | the same, by a response stream, if the server supports streams |
/// | `/outlive` | 200 at once, by a handler that continues for `wait` milliseconds afterwards |
/// | `/echo` | 200, the request's body after it was received completely |
/// | `/streamed/echo` | 200, the request's body while it is received; if it is incomplete, so is the response |
/// | `/streamed/cancelled` | the same, with reads that are cancelled and started again |
/// | `/streamed/ignore` | 200 `ignored`, without reading the body |
/// | `/panic` | 500 |
/// | `/break-off` | 200, with a Content-Length that is one larger than the body |
/// | `/file` | 206, the requested range of a file with `pattern(0, 100_000)` |
/// | `/form` | 200, the length in digits of the file in the field `file` of a multipart form |
/// | `/upgrade` | 101 to `simulated`, a protocol that echoes |
pub trait System {
    /// Accepts a connection of a client. The socket is non-blocking, and is closed by dropping it.
    /// If [`Scene::max_connections`] are open already, the system may let it wait.
    fn connect(&mut self, socket: MemoryTransport, peer: ConnectionInfo, now: Now);

    /// Does the work that is possible now on all sockets and timers, or a part of it. Returns the
    /// time at which to be called again if nothing else happens: a time that has passed means at
    /// once, `None` means when a client does something.
    fn turn(&mut self, now: Now) -> Option<Duration>;

    /// Stops accepting, closes idle connections, and lets running requests finish within `grace`;
    /// the others are then dropped.
    fn shutdown(&mut self, grace: Duration, now: Now);

    /// Drops all connections. The default is a [`shutdown`](Self::shutdown) without grace.
    fn close(&mut self, now: Now) {
        self.shutdown(Duration::ZERO, now);
    }

    /// Returns the number of open connections.
    fn connections(&self) -> usize;

    /// Returns whether clients may request this path of the table. Default: the paths that
    /// [`Application`] supports.
    fn supports(&self, path: &str) -> bool {
        Application::supports(path)
    }

    /// Checks further rules of the system at the end, when all clients have disconnected and
    /// [`close`](Self::close) was called. Default: none.
    ///
    /// # Errors
    /// Returns the rule that does not hold.
    fn check(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// The parameters of a scenario that concern the system.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Scene {
    /// The seed for random choices of the system itself.
    pub seed: u64,
    /// The faults of its sockets, which the sockets already have.
    pub faults: Faults,
    /// Maximum number of connections that are open at once.
    pub max_connections: usize,
}
