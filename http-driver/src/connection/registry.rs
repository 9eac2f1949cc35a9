//! The connections of a server: their number, and the commands of a shutdown.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use slab::Slab;

use crate::draining::Drain;

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    /// Go on.
    Serve = 0,
    /// Finish what runs, then close.
    Drain = 1,
    /// Close at once.
    Close = 2,
}

/// Shared by the server's handle, its accept loops and all its connections.
#[derive(Debug)]
pub(crate) struct Registry {
    command: AtomicU8,
    /// How many times a shutdown was asked for, and the shortest time that connections were given
    /// to finish, in milliseconds.
    shutdowns: AtomicUsize,
    grace: AtomicU64,
    count: AtomicUsize,
    /// The connections, and places that are kept for those about to be accepted.
    reserved: AtomicUsize,
    /// All places are taken by connections, and that was counted.
    full: AtomicBool,
    /// Tasks that found no place free.
    blocked: Mutex<Vec<Waker>>,
    /// How many connections there were.
    registered: AtomicU64,
    connections: Mutex<Connections>,
    /// Tasks that wait for a command, or for a connection to end.
    watchers: Mutex<Vec<Waker>>,
    drain: Drain,
}

#[derive(Debug, Default)]
struct Connections {
    all: Slab<Entry>,
    /// Those that only await the end of their peer's stream, by their numbers: the oldest first.
    lingering: BTreeMap<u64, usize>,
    /// One of them was closed and has not ended yet.
    evicting: bool,
}

#[derive(Debug, Default)]
struct Entry {
    waker: Option<Waker>,
    /// It is to give its place up.
    evicted: bool,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            command: AtomicU8::default(),
            shutdowns: AtomicUsize::default(),
            grace: AtomicU64::new(u64::MAX),
            count: AtomicUsize::default(),
            reserved: AtomicUsize::default(),
            full: AtomicBool::default(),
            blocked: Mutex::default(),
            registered: AtomicU64::default(),
            connections: Mutex::default(),
            watchers: Mutex::default(),
            drain: Drain::default(),
        }
    }
}

impl Registry {
    pub(crate) fn command(&self) -> Command {
        match self.command.load(Ordering::Acquire) {
            0 => Command::Serve,
            1 => Command::Drain,
            _ => Command::Close,
        }
    }

    /// Gives a command to all; a milder one than the last is ignored.
    pub(crate) fn give(&self, command: Command) {
        self.store(command).into_iter().for_each(Waker::wake);
        self.wake_watchers();
        if command != Command::Serve {
            self.drain.begin();
        }
    }

    /// Stores a command, and takes the wakers of the connections out: they are foreign code, which
    /// runs without the lock. Both under one lock, so that a connection that has seen the command
    /// registers its waker again behind that.
    fn store(&self, command: Command) -> Vec<Waker> {
        let mut connections = self.connections();
        if self.command.fetch_max(command as u8, Ordering::AcqRel) >= command as u8 {
            return Vec::new();
        }
        connections.all.iter_mut().filter_map(|(_, entry)| entry.waker.take()).collect()
    }

    /// Lets connections finish within `grace` from now on.
    pub(crate) fn drain(&self, grace: Duration) {
        self.grace.fetch_min(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
        self.shutdowns.fetch_add(1, Ordering::AcqRel);
        self.give(Command::Drain);
    }

    pub(crate) fn drain_signal(&self) -> &Drain {
        &self.drain
    }

    /// How many shutdowns were asked for, and the shortest grace of all: an accept loop may see
    /// several at once, and none of those that it has seen before would end sooner.
    pub(crate) fn shutdowns(&self) -> (usize, Duration) {
        let shutdowns = self.shutdowns.load(Ordering::Acquire);
        (shutdowns, Duration::from_millis(self.grace.load(Ordering::Acquire)))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Keeps one of `most` places for a connection that may be accepted now. Where none is free
    /// the task is woken once one is.
    pub(crate) fn reserve(self: &Arc<Self>, most: usize, context: &Context<'_>) -> Option<Place> {
        if !self.take_place(most) {
            register(&self.blocked, context);
            // One that was given up meanwhile woke no task.
            if !self.take_place(most) {
                return None;
            }
        }
        Some(Place { registry: Arc::clone(self) })
    }

    /// Whether connections have all of `most` places, and had not when this was last asked.
    pub(crate) fn has_become_full(&self, most: usize) -> bool {
        self.count() >= most && !self.full.swap(true, Ordering::AcqRel)
    }

    fn take_place(&self, most: usize) -> bool {
        let more = |taken| (taken < most).then_some(taken + 1);
        self.reserved.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// Closes the oldest connection that lingers, where there is one: nothing is left to be done for
    /// it but to wait. One after the other, because the place that it gives up may be enough.
    pub(crate) fn evict(&self) {
        let mut connections = self.connections();
        if connections.evicting {
            return;
        }
        let oldest = connections.lingering.pop_first();
        let entry = oldest.and_then(|(_, key)| connections.all.get_mut(key));
        let Some(entry) = entry else { return };
        entry.evicted = true;
        let waker = entry.waker.take();
        connections.evicting = true;
        drop(connections);
        waker.into_iter().for_each(Waker::wake);
    }

    /// [`evict`](Self::evict) where no place is free.
    pub(crate) fn evict_if_full(&self) {
        if self.full.load(Ordering::Acquire) {
            self.evict();
        }
    }

    /// Wakes the task at the next command or end of a connection.
    pub(crate) fn watch(&self, context: &Context<'_>) {
        register(&self.watchers, context);
    }

    fn wake_watchers(&self) {
        wake_all(&self.watchers);
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn register(tasks: &Mutex<Vec<Waker>>, context: &Context<'_>) {
    let waker = context.waker().clone();
    let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
    if tasks.iter().any(|known| known.will_wake(&waker)) {
        drop(tasks);
        drop(waker);
    } else {
        tasks.push(waker);
    }
}

fn wake_all(tasks: &Mutex<Vec<Waker>>) {
    let tasks = std::mem::take(&mut *tasks.lock().unwrap_or_else(PoisonError::into_inner));
    tasks.into_iter().for_each(Waker::wake);
}

/// A place for one connection; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    registry: Arc<Registry>,
}

impl Place {
    /// The connection was accepted.
    pub(crate) fn register(self) -> Registration {
        let registry = Arc::clone(&self.registry);
        registry.count.fetch_add(1, Ordering::AcqRel);
        let id = registry.registered.fetch_add(1, Ordering::Relaxed) + 1;
        let key = registry.connections().all.insert(Entry::default());
        Registration { registry, key, id, waker: None, lingers: false, obeyed: Command::Serve, _place: self }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.reserved.fetch_sub(1, Ordering::AcqRel);
        self.registry.full.store(false, Ordering::Release);
        wake_all(&self.registry.blocked);
    }
}

/// One connection of the server; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    key: usize,
    id: u64,
    waker: Option<Waker>,
    lingers: bool,
    obeyed: Command,
    _place: Place,
}

impl Registration {
    /// The number of the connection in its server, from 1.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The shutdown of the server.
    pub(crate) fn drain(&self) -> &Drain {
        &self.registry.drain
    }

    /// What is to be done now, and whether the task has another waker than before. A command
    /// is given once, the last one each time.
    pub(crate) fn poll_command(&mut self, context: &Context<'_>) -> (Command, bool) {
        let another_waker = !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if another_waker {
            self.waker = Some(context.waker().clone());
            self.register_waker();
        }
        if self.lingers && self.is_evicted() {
            return (Command::Close, another_waker);
        }
        let before = self.obeyed;
        // Read behind each registration, so that a command in between is not missed.
        loop {
            let command = self.registry.command();
            if command == self.obeyed {
                break;
            }
            self.obeyed = command;
            // The command took the waker.
            self.register_waker();
        }
        let is_new = self.obeyed != before || before == Command::Close;
        (if is_new { self.obeyed } else { Command::Serve }, another_waker)
    }

    fn register_waker(&self) {
        let waker = self.waker.clone();
        let replaced = match self.registry.connections().all.get_mut(self.key) {
            Some(entry) => std::mem::replace(&mut entry.waker, waker),
            None => waker,
        };
        drop(replaced);
    }

    /// From here on the connection only awaits the end of its peer's stream: it is the first to go
    /// when there are too many.
    pub(crate) fn linger(&mut self) {
        if std::mem::replace(&mut self.lingers, true) {
            return;
        }
        self.registry.connections().lingering.insert(self.id, self.key);
        self.registry.evict_if_full();
    }

    fn is_evicted(&self) -> bool {
        self.registry.connections().all.get(self.key).is_some_and(|entry| entry.evicted)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut connections = self.registry.connections();
        let removed = connections.all.try_remove(self.key);
        if self.lingers {
            connections.lingering.remove(&self.id);
            connections.evicting &= !removed.as_ref().is_some_and(|entry| entry.evicted);
        }
        drop(connections);
        drop(removed);
        self.registry.count.fetch_sub(1, Ordering::AcqRel);
        self.registry.wake_watchers();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_are_taken_than_there_are() {
        const MOST: usize = 3;
        let registry = Arc::<Registry>::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let Some(place) = registry.reserve(MOST, &Context::from_waker(Waker::noop())) else { continue };
                        let registration = place.register();
                        assert!(registry.count() <= MOST, "{}", registry.count());
                        drop(registration);
                    }
                });
            }
        });
        assert_eq!((registry.count(), registry.reserved.load(Ordering::Acquire)), (0, 0));
    }

    #[test]
    fn no_connection_misses_a_command() {
        struct Sender(std::sync::mpsc::Sender<()>);
        impl std::task::Wake for Sender {
            fn wake(self: Arc<Self>) {
                let _ = self.0.send(());
            }
        }
        for _ in 0..3_000 {
            let registry = Arc::<Registry>::default();
            let start = std::sync::Barrier::new(4);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    let (sender, woken) = std::sync::mpsc::channel();
                    let waker = Arc::new(Sender(sender)).into();
                    let place = registry.reserve(3, &Context::from_waker(Waker::noop())).unwrap();
                    let (mut registration, start) = (place.register(), &start);
                    scope.spawn(move || {
                        start.wait();
                        while registration.poll_command(&Context::from_waker(&waker)).0 != Command::Close {
                            woken.recv_timeout(Duration::from_secs(5)).expect("a command without a wake-up");
                        }
                    });
                }
                start.wait();
                registry.give(Command::Drain);
                registry.give(Command::Close);
            });
        }
    }

    #[test]
    fn a_place_that_is_free_again_wakes_who_found_none() {
        struct Woken(AtomicUsize);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let registry = Arc::<Registry>::default();
        let tasks = [(); 2].map(|()| Arc::new(Woken(AtomicUsize::new(0))));
        let place = registry.reserve(1, &Context::from_waker(Waker::noop())).unwrap();
        for task in &tasks {
            assert!(registry.reserve(1, &Context::from_waker(&Arc::clone(task).into())).is_none());
        }
        drop(place);
        assert_eq!(tasks.map(|task| task.0.load(Ordering::Relaxed)), [1, 1]);
    }
}
