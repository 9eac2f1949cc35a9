//! Buffers for busy connections, cached per thread.

use std::cell::RefCell;

use httpants_core::Storage;

/// Number of buffers of each size that a thread keeps: the same as of exchanges.
const KEPT: usize = 16;
/// Number of sizes: two for each of two servers with different limits on one thread.
const SIZES: usize = 4;

#[derive(Default)]
struct Pool {
    /// Buffers by size. A server uses two sizes, one for heads and one for bodies.
    shelves: Vec<(usize, Vec<Storage>)>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// Returns a buffer of exactly this size, from the cache or new.
pub(crate) fn take(size: usize) -> Storage {
    let used = POOL.with_borrow_mut(|pool| {
        let (_, shelf) = pool.shelves.iter_mut().find(|(kept, _)| *kept == size)?;
        shelf.pop()
    });
    used.unwrap_or_else(|| create(size))
}

#[cold]
fn create(size: usize) -> Storage {
    Storage::new(size)
}

/// Returns a buffer to the cache.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(size: usize) -> Option<usize> {
        POOL.with_borrow(|pool| pool.shelves.iter().find(|(kept, _)| *kept == size).map(|(_, shelf)| shelf.len()))
    }

    #[test]
    fn limited_number_of_buffers_per_size_is_reused() {
        POOL.take();
        (0..KEPT + 3).for_each(|_| put(Storage::new(100)));
        assert_eq!(kept(100), Some(KEPT));
        assert_eq!((take(100).size(), kept(100)), (100, Some(KEPT - 1)));
        assert_eq!((take(200).size(), kept(200)), (200, None));
        (2..=SIZES + 1).for_each(|number| put(Storage::new(number * 100)));
        assert_eq!((kept(SIZES * 100), kept((SIZES + 1) * 100)), (Some(1), None));
    }
}
