//! The connections of a server: counted, and told when it shuts down.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use slab::Slab;

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
    /// How many connections there were.
    registered: AtomicU64,
    connections: Mutex<Slab<Option<Waker>>>,
    /// Tasks that wait for a command, or for a connection to end.
    watchers: Mutex<Vec<Waker>>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            command: AtomicU8::default(),
            shutdowns: AtomicUsize::default(),
            grace: AtomicU64::new(u64::MAX),
            count: AtomicUsize::default(),
            registered: AtomicU64::default(),
            connections: Mutex::default(),
            watchers: Mutex::default(),
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
        if self.command.fetch_max(command as u8, Ordering::AcqRel) < command as u8 {
            // Taken out, not cloned: wakers are foreign code, which runs without the lock. Whoever
            // is woken registers again.
            let wakers: Vec<Waker> = self.connections().iter_mut().filter_map(|(_, waker)| waker.take()).collect();
            wakers.into_iter().for_each(Waker::wake);
        }
        self.wake_watchers();
    }

    /// Lets connections finish within `grace` from now on.
    pub(crate) fn drain(&self, grace: Duration) {
        self.grace.fetch_min(u64::try_from(grace.as_millis()).unwrap_or(u64::MAX), Ordering::AcqRel);
        self.shutdowns.fetch_add(1, Ordering::AcqRel);
        self.give(Command::Drain);
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

    pub(crate) fn register(self: &Arc<Self>) -> Registration {
        self.count.fetch_add(1, Ordering::AcqRel);
        let id = self.registered.fetch_add(1, Ordering::Relaxed) + 1;
        let key = self.connections().insert(None);
        Registration { registry: Arc::clone(self), key, id, waker: None, obeyed: Command::Serve }
    }

    /// Wakes the task at the next command or end of a connection.
    pub(crate) fn watch(&self, context: &Context<'_>) {
        let waker = context.waker().clone();
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if watchers.iter().any(|known| known.will_wake(&waker)) {
            drop(watchers);
            drop(waker);
        } else {
            watchers.push(waker);
        }
    }

    fn wake_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.lock().unwrap_or_else(PoisonError::into_inner));
        watchers.into_iter().for_each(Waker::wake);
    }

    fn connections(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Registration {
    registry: Arc<Registry>,
    key: usize,
    id: u64,
    waker: Option<Waker>,
    obeyed: Command,
}

impl Registration {
    /// The number of the connection in its server, from 1.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What is to be done now, and whether the task has another waker than before. A command
    /// is given once, the last one each time.
    pub(crate) fn poll_command(&mut self, context: &Context<'_>) -> (Command, bool) {
        let another_waker = !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker()));
        if another_waker {
            self.waker = Some(context.waker().clone());
            self.register_waker();
        }
        // Read behind the registration, so that a command in between is not missed.
        let command = self.registry.command();
        if command == self.obeyed && command != Command::Close {
            return (Command::Serve, another_waker);
        }
        self.obeyed = command;
        if !another_waker {
            // The command took it.
            self.register_waker();
        }
        (command.max(self.registry.command()), another_waker)
    }

    fn register_waker(&self) {
        let waker = self.waker.clone();
        let replaced = match self.registry.connections().get_mut(self.key) {
            Some(place) => std::mem::replace(place, waker),
            None => waker,
        };
        drop(replaced);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let removed = self.registry.connections().try_remove(self.key);
        drop(removed);
        self.registry.count.fetch_sub(1, Ordering::AcqRel);
        self.registry.wake_watchers();
    }
}
