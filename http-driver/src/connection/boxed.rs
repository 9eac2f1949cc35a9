//! The future of a handler, in a box that the next request of the same thread reuses.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Number of boxes that a thread keeps for each type of future: the same as of buffers and
/// exchanges.
const KEPT: usize = 16;
/// Size of the largest future whose box is kept, in bytes.
const LARGEST: usize = 8 * 1024;
/// Number of types of futures for which a thread keeps boxes. Each server has one type.
const TYPES: usize = 4;

/// A box without a future.
type Empty<F> = Pin<Box<Option<F>>>;

thread_local! {
    /// One `Vec<Empty<F>>` for each type of future. Dropping them calls no foreign code.
    static SHELVES: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

/// The future of a handler.
pub(super) struct BoxedFuture<F>(Empty<F>);

impl<F: 'static> BoxedFuture<F> {
    pub(super) fn new(future: F) -> Self {
        let used = SHELVES.try_with(|shelves| shelf_of(&mut shelves.borrow_mut())?.pop());
        let mut place = used.ok().flatten().unwrap_or_else(new_box);
        place.as_mut().set(Some(future));
        Self(place)
    }

    /// Drops the future, which may panic, and keeps the box for reuse.
    pub(super) fn end(self) {
        let Self(mut place) = self;
        place.as_mut().set(None);
        if size_of::<F>() > LARGEST {
            return;
        }
        // If the thread ends and the cache is gone, the box is dropped with the closure.
        let _ = SHELVES.try_with(move |shelves| {
            let mut shelves = shelves.borrow_mut();
            match shelf_of(&mut shelves) {
                Some(shelf) if shelf.len() < KEPT => shelf.push(place),
                Some(_) => {}
                None => add_shelf(&mut shelves, place),
            }
        });
    }
}

impl<F: Future> BoxedFuture<F> {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<F::Output> {
        match self.0.as_mut().as_pin_mut() {
            Some(future) => future.poll(context),
            // Not reached: only `end` removes the future, and it consumes `self`.
            None => Poll::Pending,
        }
    }
}

#[cold]
fn new_box<F>() -> Empty<F> {
    Box::pin(None)
}

fn shelf_of<F: 'static>(shelves: &mut [Box<dyn Any>]) -> Option<&mut Vec<Empty<F>>> {
    shelves.iter_mut().find_map(|shelf| shelf.downcast_mut())
}

#[cold]
fn add_shelf<F: 'static>(shelves: &mut Vec<Box<dyn Any>>, place: Empty<F>) {
    if shelves.len() >= TYPES {
        shelves.remove(0);
    }
    shelves.push(Box::new(vec![place]));
}

#[cfg(test)]
mod tests {
    use std::future::{Ready, ready};

    use super::*;

    fn kept<F: 'static>() -> usize {
        SHELVES.with(|shelves| shelf_of::<F>(&mut shelves.borrow_mut()).map_or(0, |shelf| shelf.len()))
    }

    #[test]
    fn boxes_are_reused_by_futures_of_the_same_type() {
        let futures: Vec<_> = (0..KEPT as u32 + 3).map(|number| BoxedFuture::new(ready(number))).collect();
        futures.into_iter().for_each(BoxedFuture::end);
        assert_eq!(kept::<Ready<u32>>(), KEPT);
        let mut again = BoxedFuture::new(ready(7_u32));
        let other = BoxedFuture::new(ready("text"));
        assert_eq!((kept::<Ready<u32>>(), kept::<Ready<&str>>()), (KEPT - 1, 0));
        assert_eq!(again.poll(&mut Context::from_waker(std::task::Waker::noop())), Poll::Ready(7));
        again.end();
        other.end();
        assert_eq!((kept::<Ready<u32>>(), kept::<Ready<&str>>()), (KEPT, 1));
    }

    #[test]
    fn boxes_of_large_futures_and_of_many_types_are_not_kept() {
        BoxedFuture::new(ready([0_u8; LARGEST])).end();
        assert_eq!((size_of::<Ready<[u8; LARGEST]>>(), kept::<Ready<[u8; LARGEST]>>()), (LARGEST + 1, 0));
        BoxedFuture::new(ready([0_u8; LARGEST - 1])).end();
        assert_eq!((size_of::<Ready<[u8; LARGEST - 1]>>(), kept::<Ready<[u8; LARGEST - 1]>>()), (LARGEST, 1));
        SHELVES.with(|shelves| shelves.borrow_mut().clear());
        BoxedFuture::new(ready(1_u8)).end();
        BoxedFuture::new(ready(1_u16)).end();
        BoxedFuture::new(ready(1_u32)).end();
        BoxedFuture::new(ready(1_u64)).end();
        assert_eq!(kept::<Ready<u8>>(), 1);
        BoxedFuture::new(ready(1_u128)).end();
        assert_eq!((kept::<Ready<u8>>(), kept::<Ready<u128>>()), (0, 1));
    }

    #[test]
    fn ready_future_is_dropped_and_a_panic_discards_its_box() {
        struct Panics;
        impl Drop for Panics {
            fn drop(&mut self) {
                panic!("in a destructor");
            }
        }
        let future = BoxedFuture::new(async {
            let _panics = Panics;
            std::future::pending::<()>().await;
        });
        let mut future = future;
        assert!(future.poll(&mut Context::from_waker(std::task::Waker::noop())).is_pending());
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| future.end()));
        assert!(ended.is_err());
        assert_eq!(SHELVES.with(|shelves| shelves.borrow().len()), 0);
    }
}
