//! The driver's servers under test: a [`Server`] on the runtime in memory, or over it.

use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use httpants_core::{Now, Peer};

use super::handler::{Journal, Pages};
use super::system::{Scene, System};
use super::{MAX_REQUEST, Simulator};
use crate::memory::{Memory, MemoryTransport};
use crate::runtime::{Runtime, Spawn};
use crate::{Handle, Serve, Server};

/// What is held in memory of a request; what is larger goes to a temporary file.
const MEMORY: u64 = 10_000;

#[derive(Debug)]
pub(super) struct Served {
    memory: Memory,
    handle: Handle,
    journal: Rc<Journal>,
    uploads: PathBuf,
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
        let server = Server::with_runtime(runtime, pages)
            .max_request(MAX_REQUEST)
            .max_connections(scene.max_connections)
            .upload_directory(simulator.uploads.path())
            .forms(|limits| limits.memory = MEMORY);
        let (handle, serving) = server.attach_to(listener);
        memory.serve(serving);
        Self { memory, handle, journal, uploads: simulator.uploads.path().into() }
    }
}

impl System for Served {
    fn connect(&mut self, socket: MemoryTransport, peer: Peer, _: Now) {
        self.memory.offer(socket, peer);
    }

    fn turn(&mut self, now: Now) -> Option<Duration> {
        let passed = now.mono.saturating_sub(self.memory.now().mono);
        if !passed.is_zero() {
            self.memory.jump(passed);
        }
        self.memory.set_wall_clock(now.wall);
        if self.memory.turn() { Some(now.mono) } else { self.memory.next_deadline() }
    }

    fn shutdown(&mut self, grace: Duration, _: Now) {
        self.handle.shutdown(grace);
    }

    fn close(&mut self, _: Now) {
        self.handle.close();
    }

    fn connections(&self) -> usize {
        self.handle.connections()
    }

    fn answers(&self, _: &str) -> bool {
        true
    }

    fn check(&mut self) -> Result<(), String> {
        self.journal.check()?;
        match self.memory.tasks() {
            0 => no_files(&self.uploads).map_err(|error| format!("uploads: {error}")),
            tasks => Err(format!("{tasks} tasks are left")),
        }
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
