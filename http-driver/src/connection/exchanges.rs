//! Exchanges for busy connections, cached per thread.

use std::cell::RefCell;
use std::sync::Arc;

use httpants_core::{Connection, ConnectionInfo, Now};

use crate::exchange::{Environment, Exchange};

/// Exchanges of each server that a thread keeps. Idle connections hold none, and requests that do not
/// wait use one after the other. On a runtime that moves tasks between threads, each thread keeps this
/// number in the end.
const KEPT: usize = 16;

/// Servers that a thread keeps exchanges of. Those that have ended cannot always be recognised,
/// because other threads may keep exchanges of them, too; so the oldest makes room.
const SERVERS: usize = 4;

thread_local! {
    /// By server, the oldest first. Servers with connections on one thread are few, usually one.
    static SHELVES: RefCell<Vec<Vec<Exchange>>> = const { RefCell::new(Vec::new()) };
}

/// Returns an exchange of this server without a connection, from the cache or new.
pub(super) fn take(environment: &Arc<Environment>, now: Now) -> Exchange {
    // The cache is gone if a task is dropped at the end of its thread.
    let used = SHELVES.try_with(|shelves| {
        let mut shelves = shelves.borrow_mut();
        shelves.iter_mut().find(|shelf| is_of(shelf, environment))?.pop()
    });
    used.ok().flatten().unwrap_or_else(|| {
        let core = Connection::new(Arc::clone(&environment.config), ConnectionInfo::default(), now);
        Exchange::new(core, Arc::clone(environment))
    })
}

/// Returns an exchange without a connection to the cache.
pub(super) fn put(exchange: Exchange, environment: &Arc<Environment>) {
    let left = SHELVES.try_with(|shelves| {
        let mut shelves = shelves.borrow_mut();
        match shelves.iter_mut().find(|shelf| is_of(shelf, environment)) {
            Some(shelf) if shelf.len() < KEPT => {
                shelf.push(exchange);
                None
            }
            Some(_) => Some(vec![exchange]),
            None => add_shelf(&mut shelves, exchange),
        }
    });
    // Dropped behind the borrow.
    if let Ok(Some(left)) = left {
        drop(left);
    }
}

/// Begins the shelf of another server; returns what was left by one that is over.
#[inline(never)]
fn add_shelf(shelves: &mut Vec<Vec<Exchange>>, exchange: Exchange) -> Option<Vec<Exchange>> {
    if let Some(empty) = shelves.iter_mut().find(|shelf| shelf.is_empty()) {
        empty.push(exchange);
        return None;
    }
    let is_left = |shelf: &Vec<Exchange>| shelf.first().is_some_and(|first| first.is_orphaned(shelf.len()));
    if let Some(shelf) = shelves.iter_mut().find(|shelf| is_left(shelf)) {
        return Some(std::mem::replace(shelf, vec![exchange]));
    }
    let oldest = (shelves.len() >= SERVERS).then(|| shelves.remove(0));
    shelves.push(vec![exchange]);
    oldest
}

fn is_of(shelf: &[Exchange], environment: &Arc<Environment>) -> bool {
    shelf.first().is_some_and(|first| first.is_of(environment))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::random_key;
    use crate::runtime::Clock;

    fn environment() -> Arc<Environment> {
        let environment = Environment {
            config: Arc::default(),
            form_limits: Default::default(),
            proxies: Arc::default(),
            cookie_keys: random_key().unwrap(),
            clock: Clock::new(Now::default),
        };
        Arc::new(environment)
    }

    #[test]
    fn exchanges_of_ended_servers_are_dropped_whichever_threads_keep_some() {
        let first = environment();
        let ended = Arc::downgrade(&first);
        let kept_elsewhere = take(&first, Now::default());
        for exchange in [take(&first, Now::default()), take(&first, Now::default())] {
            put(exchange, &first);
        }
        drop(first);
        for _ in 0..SERVERS {
            let next = environment();
            // Another thread keeps an exchange of each, too.
            std::mem::forget(take(&next, Now::default()));
            put(take(&next, Now::default()), &next);
        }
        drop(kept_elsewhere);
        assert!(ended.upgrade().is_none());
    }

    #[test]
    fn a_server_gets_its_own_exchanges_again() {
        let (one, other) = (environment(), environment());
        for environment in [&one, &other] {
            put(take(environment, Now::default()), environment);
        }
        for environment in [&one, &other] {
            let before = Arc::strong_count(environment);
            let again = take(environment, Now::default());
            assert!(again.is_of(environment));
            assert_eq!(Arc::strong_count(environment), before, "it comes from the cache");
        }
    }
}
