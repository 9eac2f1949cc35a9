//! The connections of a server: counted, and told when it shuts down.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};

use slab::Slab;

/// What a connection is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Go on.
    Go = 0,
    /// Finish what runs, then close.
    Drain = 1,
    /// Close at once.
    Close = 2,
}

/// Shared by the server's handle, its accept loops and all its connections.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    order: AtomicU8,
    count: AtomicUsize,
    /// How many have joined.
    joined: AtomicU64,
    members: Mutex<Slab<Option<Waker>>>,
    /// Those who wait for an order, or for a connection to end.
    watchers: Mutex<Vec<Waker>>,
}

impl Registry {
    pub(crate) fn order(&self) -> Order {
        match self.order.load(Ordering::Acquire) {
            0 => Order::Go,
            1 => Order::Drain,
            _ => Order::Close,
        }
    }

    /// Gives an order to all; a milder one than the last is ignored.
    pub(crate) fn give(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::AcqRel) >= order as u8 {
            return;
        }
        let members: Vec<Waker> = self.members().iter().filter_map(|(_, waker)| waker.clone()).collect();
        members.into_iter().for_each(Waker::wake);
        self.wake_watchers();
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn join(self: &Arc<Self>) -> Member {
        self.count.fetch_add(1, Ordering::AcqRel);
        let id = self.joined.fetch_add(1, Ordering::Relaxed) + 1;
        let key = self.members().insert(None);
        Member { registry: Arc::clone(self), key, id, waker: None, obeyed: Order::Go }
    }

    /// Wakes the task at the next order or end of a connection.
    pub(crate) fn watch(&self, context: &Context<'_>) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if !watchers.iter().any(|waker| waker.will_wake(context.waker())) {
            watchers.push(context.waker().clone());
        }
    }

    fn wake_watchers(&self) {
        let watchers = std::mem::take(&mut *self.watchers.lock().unwrap_or_else(PoisonError::into_inner));
        watchers.into_iter().for_each(Waker::wake);
    }

    fn members(&self) -> MutexGuard<'_, Slab<Option<Waker>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place; given up when it is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    registry: Arc<Registry>,
    key: usize,
    id: u64,
    waker: Option<Waker>,
    obeyed: Order,
}

impl Member {
    /// The number of the connection in its server, from 1.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// What is to be done now; an order is told once, the last one each time.
    pub(crate) fn attend(&mut self, context: &Context<'_>) -> Order {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
            if let Some(place) = self.registry.members().get_mut(self.key) {
                place.clone_from(&self.waker);
            }
        }
        // Read behind the registration, so that an order in between is not missed.
        let order = self.registry.order();
        if order == self.obeyed && order != Order::Close {
            return Order::Go;
        }
        self.obeyed = order;
        order
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.registry.members().try_remove(self.key);
        self.registry.count.fetch_sub(1, Ordering::AcqRel);
        self.registry.wake_watchers();
    }
}
