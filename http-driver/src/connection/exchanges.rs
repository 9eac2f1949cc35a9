//! Exchanges for busy connections, cached per thread.

use std::cell::RefCell;
use std::sync::Arc;

use httpants_core::{Connection, ConnectionInfo, Now};

use crate::exchange::{Environment, Exchange};

/// Exchanges of each server that a thread keeps: about as many as connections that are busy at the
/// same moment. Idle connections hold none.
const KEPT: usize = 64;

thread_local! {
    /// By server. Servers with connections on one thread are few, usually one.
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
    shelves.push(vec![exchange]);
    None
}

fn is_of(shelf: &[Exchange], environment: &Arc<Environment>) -> bool {
    shelf.first().is_some_and(|first| first.is_of(environment))
}
