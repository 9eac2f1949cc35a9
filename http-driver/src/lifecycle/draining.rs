//! The signal that a server shuts down.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use slab::Slab;

/// A signal of the shutdown, shared by its clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Drain(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_begun: AtomicBool,
    waiting: Mutex<Slab<Waker>>,
}

impl Drain {
    /// Wakes all futures that wait for it.
    pub(crate) fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.waiting());
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.0.has_begun.load(Ordering::Acquire)
    }

    pub(crate) fn draining(&self) -> Draining {
        Draining { drain: self.clone(), key: None }
    }

    fn waiting(&self) -> MutexGuard<'_, Slab<Waker>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a waker under its key. Returns the waker that is no longer needed; the caller
    /// drops it after releasing the lock.
    fn register(&self, key: &mut Option<usize>, waker: Waker) -> Option<Waker> {
        let mut waiting = self.waiting();
        match key.and_then(|key| waiting.get_mut(key)) {
            Some(known) if known.will_wake(&waker) => Some(waker),
            Some(known) => Some(std::mem::replace(known, waker)),
            None => {
                *key = Some(waiting.insert(waker));
                None
            }
        }
    }
}

/// A future that waits until the server begins to shut down, from
/// [`Handle::draining`](crate::Handle::draining) and
/// [`Upgraded::draining`](crate::Upgraded::draining). It is ready at once if that has begun.
#[must_use = "futures do nothing unless polled"]
pub struct Draining {
    drain: Drain,
    key: Option<usize>,
}

impl Future for Draining {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.drain.has_begun() {
            return Poll::Ready(());
        }
        let this = &mut *self;
        let replaced = this.drain.register(&mut this.key, context.waker().clone());
        drop(replaced);
        // The shutdown may have begun before the waker was registered.
        if this.drain.has_begun() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        // Keys may be reused after the signal, because no future waits then.
        if let Some(key) = self.key {
            let waker = self.drain.waiting().try_remove(key);
            drop(waker);
        }
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining").field("has_begun", &self.drain.has_begun()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn waiters_are_woken_once_and_dropped_ones_are_removed() {
        let drain = Drain::default();
        let tasks = [(); 3].map(|()| Arc::new(Woken(AtomicUsize::new(0))));
        let [mut first, mut second, mut dropped] = [(); 3].map(|()| Box::pin(drain.draining()));
        let wakers = tasks.each_ref().map(|task| Waker::from(Arc::clone(task)));
        for _ in 0..2 {
            assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
            assert!(second.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
            assert!(dropped.as_mut().poll(&mut Context::from_waker(&wakers[2])).is_pending());
        }
        assert_eq!(drain.waiting().len(), 3);
        drop(dropped);
        drain.begin();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [1, 1, 0]);
        assert!(first.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_ready());
        assert!(pin!(drain.draining()).poll(&mut Context::from_waker(&wakers[2])).is_ready());
        assert!(drain.waiting().is_empty());
    }

    #[test]
    fn future_that_moves_to_another_task_wakes_that_one() {
        let drain = Drain::default();
        let tasks = [(); 2].map(|()| Arc::new(Woken(AtomicUsize::new(0))));
        let mut draining = Box::pin(drain.draining());
        for task in &tasks {
            let waker = Waker::from(Arc::clone(task));
            assert!(draining.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        drain.begin();
        assert_eq!(tasks.each_ref().map(|task| task.0.load(Ordering::Relaxed)), [0, 1]);
    }
}
