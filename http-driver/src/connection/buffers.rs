//! Buffers for connections that are busy, a few kept on each thread.

use std::cell::RefCell;

use httpants_core::Storage;

/// How many buffers of each size a thread keeps: as many as connections are usually busy at
/// one moment on one thread, because an idle one holds none.
const KEPT: usize = 64;
/// How many sizes: two servers with limits of their own on one thread.
const SIZES: usize = 4;

#[derive(Default)]
struct Pool {
    /// By size; a server uses two sizes, of heads and of bodies.
    shelves: Vec<(usize, Vec<Storage>)>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// A buffer of exactly this size, used or new.
pub(crate) fn take(size: usize) -> Storage {
    let used = POOL.with_borrow_mut(|pool| {
        let (_, shelf) = pool.shelves.iter_mut().find(|(kept, _)| *kept == size)?;
        shelf.pop()
    });
    used.unwrap_or_else(|| Storage::new(size))
}

/// Puts a buffer back.
pub(crate) fn put(storage: Storage) {
    let size = storage.size();
    POOL.with_borrow_mut(|pool| {
        if let Some((_, shelf)) = pool.shelves.iter_mut().find(|(kept, _)| *kept == size) {
            if shelf.len() < KEPT {
                shelf.push(storage);
            }
        } else if pool.shelves.len() < SIZES {
            pool.shelves.push((size, vec![storage]));
        }
    });
}
