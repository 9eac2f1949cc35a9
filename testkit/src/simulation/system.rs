//! What is under test.

use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};

use super::application::Application;
use crate::memory::{Faults, MemoryTransport};

/// A server under test by [`Simulator::run_with`](super::Simulator::run_with).
///
/// It runs on the calling thread, by [`turn`](Self::turn) alone; its only clock is the time that
/// passed to it, and its sockets are those of [`connect`](Self::connect). The simulator makes
/// connections, requests and faults. It serves with [`config`](super::config), and responds to
/// the requests below: [`Application`] does, on a [`Connection`](httpants_core::Connection).
///
/// A loop that blocks cannot be one, but what it does between two waits can. Sockets are read and
/// written as those of the platform, by [`Read`](std::io::Read) and [`Write`](std::io::Write), or
/// with wakers, by [`Transport`](httpants_driver::runtime::Transport).
///
/// With an application of its own it responds to requests by their paths and queries, with
/// [`pattern(id, size)`](super::pattern) as content unless stated otherwise:
///
/// | path | response |
/// |---|---|
/// | `/content` | 200 after `wait` milliseconds |
/// | `/stream` | 200 without Content-Length, in `pieces` pieces, `wait` milliseconds before each |
/// | `/pieces` | the same, by a stream that is given to be sent, where there is such a thing |
/// | `/outlive` | 200 at once, by a handler that goes on for `wait` milliseconds behind it |
/// | `/echo` | 200, the request's content when it is complete |
/// | `/streamed/echo` | 200, the request's content as it comes; where it breaks off, so does the response |
/// | `/streamed/cancelled` | the same, by reads that are given up and begun again |
/// | `/streamed/ignore` | 200 `ignored`, without reading the content |
/// | `/panic` | 500 |
/// | `/break-off` | 200, with a Content-Length that is one larger than the content |
/// | `/file` | 206, the range that is asked for of a file with `pattern(0, 100_000)` |
/// | `/form` | 200, in digits the length of the one file, `file`, of a multipart form |
/// | `/upgrade` | 101 to `simulated`, where what is sent comes back |
pub trait System {
    /// A client connects. The socket does not block; it is closed by dropping it. Where
    /// [`Scene::max_connections`] are open already, it may wait.
    fn connect(&mut self, socket: MemoryTransport, peer: ConnectionInfo, now: Now);

    /// Does what can be done now with all sockets and timers, or a part of it. Returns when to
    /// be called again if nothing else happens: a time that has come is at once, `None` is when
    /// a client does something.
    fn turn(&mut self, now: Now) -> Option<Duration>;

    /// Accepts nothing more, closes what is idle, and lets what runs finish within this time;
    /// what does not is dropped.
    fn shutdown(&mut self, grace: Duration, now: Now);

    /// Drops everything. By default a [`shutdown`](Self::shutdown) without time.
    fn close(&mut self, now: Now) {
        self.shutdown(Duration::ZERO, now);
    }

    /// Counts the open connections.
    fn connections(&self) -> usize;

    /// Returns whether clients may request this path of the table. Default: what
    /// [`Application`] supports.
    fn supports(&self, path: &str) -> bool {
        Application::supports(path)
    }

    /// Checks what else must hold at the end, when all clients are gone and
    /// [`close`](Self::close) was called. Default: nothing.
    ///
    /// # Errors
    /// What does not hold.
    fn check(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// The parameters of a scenario that concern the system.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Scene {
    /// For what the system itself draws.
    pub seed: u64,
    /// The faults of its sockets. The sockets have them already.
    pub faults: Faults,
    /// The most connections that are to be open at once.
    pub max_connections: usize,
}
