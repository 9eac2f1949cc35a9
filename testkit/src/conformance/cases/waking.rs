//! Wakers whose wake-ups a case can observe.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use httpants_driver::runtime::{Runtime, Sleep};

use super::contract::pause;
use crate::conformance::stage::PATIENCE;

/// A waker that sets a flag.
#[derive(Debug, Default)]
pub(super) struct Flag {
    up: AtomicBool,
    /// The waker of the task that waits for the flag.
    watcher: Mutex<Option<Waker>>,
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.up.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take() {
            watcher.wake();
        }
    }
}

impl Flag {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    /// Runs pending work for a moment, so that it can set the flag.
    pub(super) async fn run_pending<R: Runtime>(&self, runtime: &R) {
        pause(runtime, Duration::from_millis(2)).await;
    }

    /// Calls `done` whenever the flag is set, until it returns true. A task may be woken too often,
    /// and must then register its waker again.
    pub(super) async fn until<R: Runtime>(&self, runtime: &R, what: &str, mut done: impl FnMut() -> bool) {
        let end = runtime.now().mono + PATIENCE;
        loop {
            self.up(runtime, what).await;
            self.up.store(false, Ordering::Release);
            if done() {
                return;
            }
            assert!(runtime.now().mono < end, "{what} was woken, but its condition does not hold");
        }
    }

    /// Waits for the flag; the case fails if it is not set.
    pub(super) async fn up<R: Runtime>(&self, runtime: &R, what: &str) {
        let mut end = pin!(runtime.sleep_until(runtime.now().mono + PATIENCE));
        let up = poll_fn(|context| {
            *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
            if self.is_up() {
                return Poll::Ready(true);
            }
            end.as_mut().poll_elapsed(context).map(|()| false)
        });
        assert!(up.await, "{what} was not woken within {PATIENCE:?}");
    }
}
