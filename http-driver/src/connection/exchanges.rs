//! Exchanges for busy connections, cached per thread.

use std::cell::RefCell;
use std::sync::{Arc, Weak};

use httpants_core::{Connection, ConnectionInfo, Now};

use crate::exchange::{Environment, Exchange};

/// Number of exchanges of each server that a thread keeps. Idle connections hold none, and requests
/// that do not wait use the same one in turn. On a runtime that moves tasks between threads, each
/// thread eventually keeps this number.
const KEPT: usize = 16;

/// Number of servers for which a thread keeps exchanges. Those of the oldest are dropped for a new
/// one.
const SERVERS: usize = 4;

/// The exchanges of one server.
struct Shelf {
    server: Weak<Environment>,
    exchanges: Vec<Exchange>,
}

impl Shelf {
    fn is_of(&self, environment: &Arc<Environment>) -> bool {
        std::ptr::eq(self.server.as_ptr(), Arc::as_ptr(environment))
    }

    /// Returns whether only these exchanges use the environment, which means that its server has
    /// ended. If other threads keep exchanges of the server, this returns false.
    fn is_orphaned(&self) -> bool {
        self.server.strong_count() <= self.exchanges.len()
    }
}

thread_local! {
    /// The oldest first. A thread has connections of few servers, usually one.
    static SHELVES: RefCell<Vec<Shelf>> = const { RefCell::new(Vec::new()) };
}

/// Returns an exchange of this server without a connection, from the cache or new.
pub(super) fn take(environment: &Arc<Environment>, now: Now) -> Exchange {
    // The cache is gone if a task is dropped at the end of its thread.
    let used = SHELVES.try_with(|shelves| {
        let mut shelves = shelves.borrow_mut();
        shelves.iter_mut().find(|shelf| shelf.is_of(environment))?.exchanges.pop()
    });
    used.ok().flatten().unwrap_or_else(|| create(environment, now))
}

#[cold]
fn create(environment: &Arc<Environment>, now: Now) -> Exchange {
    let core = Connection::new(Arc::clone(&environment.config), ConnectionInfo::default(), now);
    Exchange::new(core, Arc::clone(environment))
}

/// Puts an exchange without a connection back into the cache.
pub(super) fn put(exchange: Exchange, environment: &Arc<Environment>) {
    let left = SHELVES.try_with(|shelves| {
        let mut shelves = shelves.borrow_mut();
        match shelves.iter_mut().find(|shelf| shelf.is_of(environment)) {
            Some(shelf) if shelf.exchanges.len() < KEPT => {
                shelf.exchanges.push(exchange);
                None
            }
            Some(_) => Some(vec![exchange]),
            None => add_shelf(&mut shelves, environment, exchange),
        }
    });
    // Dropped after the end of the borrow.
    if let Ok(Some(left)) = left {
        drop(left);
    }
}

/// Adds a shelf for another server; returns the exchanges of a removed shelf, to be dropped by the
/// caller.
#[cold]
fn add_shelf(shelves: &mut Vec<Shelf>, environment: &Arc<Environment>, exchange: Exchange) -> Option<Vec<Exchange>> {
    let added = Shelf { server: Arc::downgrade(environment), exchanges: vec![exchange] };
    let left = match shelves.iter().position(Shelf::is_orphaned) {
        Some(orphaned) => Some(shelves.remove(orphaned)),
        None => (shelves.len() >= SERVERS).then(|| shelves.remove(0)),
    };
    shelves.push(added);
    left.map(|shelf| shelf.exchanges)
}

#[cfg(test)]
pub(super) fn environment() -> Arc<Environment> {
    let environment = Environment {
        config: Arc::default(),
        form_limits: Default::default(),
        proxies: Arc::default(),
        cookie_keys: crate::exchange::random_key().unwrap(),
        clock: crate::runtime::Clock::new(Now::default),
        handle: crate::lifecycle::Handle::new(Arc::default()),
    };
    Arc::new(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchanges_of_ended_servers_are_dropped_on_all_threads() {
        let first = environment();
        let ended = Arc::downgrade(&first);
        let kept_elsewhere = take(&first, Now::default());
        for exchange in [take(&first, Now::default()), take(&first, Now::default())] {
            put(exchange, &first);
        }
        drop(first);
        for _ in 0..SERVERS {
            let next = environment();
            // As if another thread kept an exchange of each server.
            std::mem::forget(take(&next, Now::default()));
            put(take(&next, Now::default()), &next);
        }
        drop(kept_elsewhere);
        assert!(ended.upgrade().is_none());
    }

    #[test]
    fn exchanges_of_an_ended_server_are_replaced() {
        SHELVES.take();
        let first = environment();
        let ended = Arc::downgrade(&first);
        put(take(&first, Now::default()), &first);
        drop(first);
        assert!(ended.upgrade().is_some(), "the cache keeps them");
        let next = environment();
        put(take(&next, Now::default()), &next);
        assert!(ended.upgrade().is_none());
    }

    #[test]
    fn thread_keeps_a_limited_number_of_exchanges() {
        let environment = environment();
        let used: Vec<_> = (0..KEPT + 3).map(|_| take(&environment, Now::default())).collect();
        used.into_iter().for_each(|exchange| put(exchange, &environment));
        assert_eq!(Arc::strong_count(&environment), 1 + KEPT);
    }

    #[test]
    fn server_reuses_only_its_own_exchanges() {
        let (one, other) = (environment(), environment());
        for environment in [&one, &other] {
            put(take(environment, Now::default()), environment);
        }
        for environment in [&one, &other] {
            let before = Arc::strong_count(environment);
            let again = take(environment, Now::default());
            assert!(std::ptr::eq(again.environment(), Arc::as_ptr(environment)));
            assert_eq!(Arc::strong_count(environment), before, "it comes from the cache");
        }
    }
}
