//! The connections of a server: their number, and the shutdown commands they receive.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use slab::Slab;

use super::delayed::{DelayedShutdowns, milliseconds};
use super::draining::Drain;

/// A command to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Command {
    /// Continue serving.
    Serve = 0,
    /// Finish running requests, then close.
    Drain = 1,
    /// Close at once.
    Close = 2,
}

/// The state shared by the server's handle, its accept loops and all its connections.
#[derive(Debug)]
pub(crate) struct Registry {
    command: AtomicU8,
    /// The number of shutdown requests, and the shortest of their grace periods, in milliseconds.
    shutdowns: AtomicUsize,
    grace: AtomicU64,
    delayed: DelayedShutdowns,
    count: AtomicUsize,
    /// The number of open connections, plus places reserved for connections about to be accepted.
    reserved: AtomicUsize,
    /// True if all places are taken and that was counted.
    full: AtomicBool,
    /// Wakers of tasks that found no free place.
    blocked: Mutex<Vec<Waker>>,
    /// The number of connections registered so far.
    registered: AtomicU64,
    connections: Mutex<Connections>,
    /// Wakers of tasks that wait for a command or, after a command, for the end of a connection.
    watchers: Mutex<Vec<Waker>>,
    drain: Drain,
}

#[derive(Debug, Default)]
struct Connections {
    all: Slab<Entry>,
    /// Lingering connections by their ids, oldest first. They only wait for the end of the peer's
    /// stream.
    lingering: BTreeMap<u64, usize>,
    /// True if a connection was asked to close and has not ended yet.
    evicting: bool,
}

#[derive(Debug, Default)]
struct Entry {
    waker: Option<Waker>,
    /// True if the connection must close to release its place.
    evicted: bool,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            command: AtomicU8::default(),
            shutdowns: AtomicUsize::default(),
            grace: AtomicU64::new(u64::MAX),
            delayed: DelayedShutdowns::default(),
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

    /// Sends a command to all connections; ignores one that is milder than the last.
    pub(crate) fn send_command(&self, command: Command) {
        // Before the command is stored, so that a task that executes it sees that the shutdown has
        // begun.
        self.drain.begin();
        self.store(command).into_iter().for_each(Waker::wake);
        self.wake_watchers();
    }

    /// Stores a command and takes the wakers of the connections; the caller wakes them without the
    /// lock, because they are foreign code. Both happen under one lock, so that a connection that
    /// has seen the command registers its waker afterwards.
    fn store(&self, command: Command) -> Vec<Waker> {
        let mut connections = self.connections();
        if self.command.fetch_max(command as u8, Ordering::AcqRel) >= command as u8 {
            return Vec::new();
        }
        connections.all.iter_mut().filter_map(|(_, entry)| entry.waker.take()).collect()
    }

    /// Lets connections finish within `grace` from now.
    pub(crate) fn drain(&self, grace: Duration) {
        self.grace.fetch_min(milliseconds(grace), Ordering::AcqRel);
        self.shutdowns.fetch_add(1, Ordering::AcqRel);
        self.send_command(Command::Drain);
    }

    /// Makes the accept loops call [`drain`](Self::drain) after a delay.
    pub(crate) fn drain_after(&self, delay: Duration, grace: Duration) {
        self.delayed.request(delay, grace);
        self.wake_watchers();
    }

    pub(crate) fn delayed(&self) -> &DelayedShutdowns {
        &self.delayed
    }

    /// Returns whether no shutdown was requested.
    pub(crate) fn is_ready(&self) -> bool {
        self.delayed.count() == 0 && !self.drain.has_begun()
    }

    pub(crate) fn drain_signal(&self) -> &Drain {
        &self.drain
    }

    /// Returns the number of shutdown requests and the shortest grace of all. An accept loop may
    /// see several requests at once; it uses the shortest grace for all.
    pub(crate) fn shutdowns(&self) -> (usize, Duration) {
        let shutdowns = self.shutdowns.load(Ordering::Acquire);
        (shutdowns, Duration::from_millis(self.grace.load(Ordering::Acquire)))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Reserves one of `most` places for a connection about to be accepted. If none is free,
    /// registers the task to be woken when one is.
    pub(crate) fn reserve(self: &Arc<Self>, most: usize, context: &Context<'_>) -> Option<Place> {
        let is_taken = self.take_place(most) || {
            register(&self.blocked, context);
            // Tried again, because a place that was released before the registration woke no task.
            self.take_place(most)
        };
        is_taken.then(|| Place { registry: Arc::clone(self) })
    }

    /// Returns whether more than `most` of `count` connections are not lingering. If not, closes
    /// the oldest lingering connection, so that a new one can be served.
    #[cold]
    fn is_crowded(&self, count: usize, most: usize) -> bool {
        let connections = self.connections();
        let lingering = connections.lingering.len() + usize::from(connections.evicting);
        drop(connections);
        let is_crowded = count.saturating_sub(lingering) > most;
        if !is_crowded {
            self.evict();
        }
        is_crowded
    }

    /// Returns whether all of `most` places have become taken since the last call.
    pub(crate) fn has_become_full(&self, most: usize) -> bool {
        self.count() >= most && !self.full.swap(true, Ordering::AcqRel)
    }

    fn take_place(&self, most: usize) -> bool {
        let more = |taken| (taken < most).then_some(taken + 1);
        self.reserved.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
    }

    /// Closes the oldest lingering connection, if there is one and none is being closed already:
    /// one free place may be enough.
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

    /// Calls [`evict`](Self::evict) if no place is free.
    pub(crate) fn evict_if_full(&self) {
        if self.full.load(Ordering::Acquire) {
            self.evict();
        }
    }

    /// Registers the task to be woken by the next command and, after a command, by the next end of
    /// a connection.
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

/// A reserved place for one connection; released on drop.
#[derive(Debug)]
pub(crate) struct Place {
    registry: Arc<Registry>,
}

impl Place {
    /// Turns the place into a registered connection.
    pub(crate) fn register(self) -> Registration {
        let registry = Arc::clone(&self.registry);
        let count = registry.count.fetch_add(1, Ordering::AcqRel) + 1;
        let id = registry.registered.fetch_add(1, Ordering::Relaxed) + 1;
        let key = registry.connections().all.insert(Entry::default());
        Registration { registry, key, id, count, waker: None, lingers: false, seen: Command::Serve, _place: self }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.registry.reserved.fetch_sub(1, Ordering::AcqRel);
        self.registry.full.store(false, Ordering::Release);
        wake_all(&self.registry.blocked);
    }
}

/// One registered connection of the server; released on drop.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    key: usize,
    id: u64,
    /// The number of connections when this one was registered, including it.
    count: usize,
    waker: Option<Waker>,
    lingers: bool,
    seen: Command,
    _place: Place,
}

impl Registration {
    /// Returns the id of the connection in its server, from 1.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Returns whether there were at least `most` other connections when this one was registered,
    /// not counting lingering ones.
    pub(crate) fn is_beyond(&self, most: usize) -> bool {
        self.count > most && self.registry.is_crowded(self.count, most)
    }

    /// Returns the signal of the server's shutdown.
    pub(crate) fn drain(&self) -> &Drain {
        &self.registry.drain
    }

    /// Returns the command, and whether the task's waker has changed. A command is returned once
    /// and only if it is the latest, then [`Command::Serve`]; `Close` is returned by every call.
    pub(crate) fn poll_command(&mut self, context: &Context<'_>) -> (Command, bool) {
        let another_waker = !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if another_waker {
            self.waker = Some(context.waker().clone());
            self.register_waker();
        }
        if self.lingers && self.is_evicted() {
            return (Command::Close, another_waker);
        }
        let before = self.seen;
        // Read after each registration, so that no command in between is missed.
        loop {
            let command = self.registry.command();
            if command == self.seen {
                break;
            }
            self.seen = command;
            // Storing the command took the waker, so it is registered again.
            self.register_waker();
        }
        let is_new = self.seen != before || before == Command::Close;
        (if is_new { self.seen } else { Command::Serve }, another_waker)
    }

    #[inline(never)]
    fn register_waker(&self) {
        let waker = self.waker.clone();
        let replaced = match self.registry.connections().all.get_mut(self.key) {
            Some(entry) => std::mem::replace(&mut entry.waker, waker),
            None => waker,
        };
        drop(replaced);
    }

    /// Marks the connection as lingering: it only waits for the end of the peer's stream, and is
    /// closed first when no place is free.
    pub(crate) fn linger(&mut self) {
        if std::mem::replace(&mut self.lingers, true) {
            return;
        }
        self.registry.connections().lingering.insert(self.id, self.key);
        self.registry.evict_if_full();
    }

    #[cold]
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
        self.registry.count.fetch_sub(1, Ordering::AcqRel);
        // Under the lock under which a command is stored, so that a later command sees the new
        // number.
        let is_awaited = self.registry.command() != Command::Serve;
        drop(connections);
        drop(removed);
        if is_awaited {
            self.registry.wake_watchers();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_places_never_exceed_the_maximum() {
        const MAX: usize = 3;
        let registry = Arc::<Registry>::default();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5_000 {
                        let Some(place) = registry.reserve(MAX, &Context::from_waker(Waker::noop())) else {
                            continue;
                        };
                        let registration = place.register();
                        assert!(registry.count() <= MAX, "{}", registry.count());
                        drop(registration);
                    }
                });
            }
        });
        assert_eq!((registry.count(), registry.reserved.load(Ordering::Acquire)), (0, 0));
    }

    /// A worker reserves a place before a connection is accepted.
    #[test]
    fn places_reserved_by_other_workers_are_no_connections() {
        let registry = Arc::<Registry>::default();
        let [other, first, second] =
            [(); 3].map(|()| registry.reserve(3, &Context::from_waker(Waker::noop())).unwrap());
        let first = first.register();
        assert!(!first.is_beyond(1));
        assert!(second.register().is_beyond(1));
        drop(other);
        assert_eq!((registry.count(), registry.reserved.load(Ordering::Acquire)), (1, 1));
    }

    #[test]
    fn evicted_connection_does_not_count() {
        let registry = Arc::<Registry>::default();
        let register = || registry.reserve(3, &Context::from_waker(Waker::noop())).unwrap().register();
        let (mut lingering, _served) = (register(), register());
        lingering.linger();
        registry.evict();
        let next = register();
        assert!(!next.is_beyond(2) && next.is_beyond(1));
    }

    #[test]
    fn shutdown_has_begun_when_a_connection_sees_the_command() {
        struct AssertsDraining(Arc<Registry>);
        impl std::task::Wake for AssertsDraining {
            fn wake(self: Arc<Self>) {
                assert!(self.0.drain.has_begun());
            }
        }
        let registry = Arc::<Registry>::default();
        let waker = Arc::new(AssertsDraining(Arc::clone(&registry))).into();
        let place = registry.reserve(1, &Context::from_waker(Waker::noop())).unwrap();
        let mut registration = place.register();
        assert_eq!(registration.poll_command(&Context::from_waker(&waker)).0, Command::Serve);
        registry.send_command(Command::Drain);
        assert_eq!(registration.poll_command(&Context::from_waker(&waker)).0, Command::Drain);
    }

    #[test]
    fn every_connection_receives_each_command() {
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
                registry.send_command(Command::Drain);
                registry.send_command(Command::Close);
            });
        }
    }

    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn end_of_a_connection_wakes_accept_loops_only_in_a_shutdown() {
        let registry = Arc::<Registry>::default();
        let task = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Arc::clone(&task).into();
        let context = Context::from_waker(&waker);
        let [first, second] = [(); 2].map(|()| registry.reserve(2, &context).unwrap().register());
        registry.watch(&context);
        drop(first);
        assert_eq!(task.0.load(Ordering::Relaxed), 0);
        registry.drain(Duration::ZERO);
        registry.watch(&context);
        drop(second);
        assert_eq!((task.0.load(Ordering::Relaxed), registry.count()), (2, 0));
    }

    #[test]
    fn released_place_wakes_waiting_tasks() {
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
