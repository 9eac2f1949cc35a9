//! The driver's servers under test: a [`Server`] on the in-memory runtime, or on a runtime on top
//! of it.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};
use httpants_driver::runtime::{Runtime, Spawn};
use httpants_driver::{AccessLog, Handle, Serve, Server};

use super::handler::{Journal, Pages};
use super::system::{Scene, System};
use super::{MAX_REQUEST, Simulator};
use crate::memory::{Memory, MemoryTransport};

/// Maximum number of bytes of a request in memory; larger ones are stored in a temporary file.
const MEMORY: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Served {
    memory: Memory,
    handle: Handle,
    journal: Rc<Journal>,
    uploads: PathBuf,
    /// The end of the grace period.
    over: Option<Duration>,
    /// The access log.
    lines: Arc<Mutex<Vec<String>>>,
}

impl Served {
    pub(super) fn new<R>(simulator: &Simulator, scene: &Scene, make: impl FnOnce(&Memory) -> (R, R::Listener)) -> Self
    where
        R: Runtime<Transport: Send> + Spawn<Serve<R, Pages>>,
    {
        let memory = Memory::with_faults(scene.seed, scene.faults);
        let (runtime, listener) = make(&memory);
        let journal = Rc::new(Journal::default());
        let pages = Pages { memory: memory.clone(), journal: Rc::clone(&journal), file: simulator.file.clone() };
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let written = Arc::clone(&lines);
        let log = move |line: &str| lock(&written).push(line.into());
        let server = Server::with_runtime(runtime, pages)
            .max_body_size(MAX_REQUEST)
            .max_connections(scene.max_connections)
            .access_log(AccessLog::common(log))
            .upload_directory(simulator.uploads.path())
            .forms(|limits| limits.memory = MEMORY);
        let (handle, serving) = server.attach_to(listener);
        memory.serve(serving);
        Self { memory, handle, journal, uploads: simulator.uploads.path().into(), over: None, lines }
    }

    /// Checks that each accepted request has one line.
    fn check_log(&self) -> Result<(), String> {
        let lines = lock(&self.lines);
        let mut ids: Vec<u64> = lines.iter().filter_map(|line| id(line)).collect();
        if (lines.len() as u64) < self.handle.counters().requests {
            return Err(format!("{} lines for {} requests", lines.len(), self.handle.counters().requests));
        }
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair.first() == pair.last()) {
            return Err(format!("two lines for request {pair:?}"));
        }
        match self.journal.handled().iter().find(|id| ids.binary_search(id).is_err()) {
            Some(id) => Err(format!("no line for request {id}")),
            None => Ok(()),
        }
    }
}

impl System for Served {
    fn connect(&mut self, socket: MemoryTransport, peer: ConnectionInfo, _: Now) {
        self.memory.offer(socket, peer);
    }

    fn turn(&mut self, now: Now) -> Option<Duration> {
        let passed = now.mono.saturating_sub(self.memory.now().mono);
        if !passed.is_zero() {
            self.memory.jump(passed);
        }
        self.memory.set_wall_clock(now.wall);
        if self.over.is_some_and(|over| over <= now.mono) {
            self.journal.stop();
        }
        if self.memory.turn() { Some(now.mono) } else { self.memory.next_deadline() }
    }

    fn shutdown(&mut self, grace: Duration, now: Now) {
        self.over.get_or_insert(now.mono + grace);
        self.handle.shutdown(grace);
    }

    fn close(&mut self, _: Now) {
        if self.handle.connections() > 0 {
            self.journal.stop();
        }
        self.handle.close();
    }

    fn connections(&self) -> usize {
        self.handle.connections()
    }

    fn supports(&self, _: &str) -> bool {
        true
    }

    fn check(&mut self) -> Result<(), String> {
        self.journal.check()?;
        self.check_log()?;
        match self.memory.tasks() {
            0 => no_files(&self.uploads).map_err(|error| format!("uploads: {error}")),
            tasks => Err(format!("{tasks} tasks are left")),
        }
    }
}

fn lock(lines: &Mutex<Vec<String>>) -> MutexGuard<'_, Vec<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the id of the request of a log line, if it is one of a simulated client.
fn id(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("?id=")?;
    let end = rest.find(|digit: char| !digit.is_ascii_digit())?;
    let (number, rest) = rest.split_at_checked(end)?;
    // A request line that ends there was cut off, perhaps inside the number.
    if rest.starts_with('"') { None } else { number.parse().ok() }
}

/// Checks that no file is in the directory, and that no file without a name is open.
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
