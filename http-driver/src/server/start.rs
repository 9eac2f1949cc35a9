//! The start of several workers: none of them accepts connections before all are ready.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The shared state of starting workers.
#[derive(Debug, Default)]
struct Shared {
    /// Number of workers that are still starting.
    starting: usize,
    failed: bool,
    waiting: Vec<Waker>,
}

/// The start of one worker. The start of all workers fails if this is dropped before the worker is
/// ready.
#[derive(Debug)]
pub(super) struct Start {
    shared: Arc<Mutex<Shared>>,
    is_ready: bool,
}

impl Start {
    /// Creates the start of this many workers.
    pub(super) fn of(workers: usize) -> Vec<Self> {
        let shared = Arc::new(Mutex::new(Shared { starting: workers, ..Shared::default() }));
        (0..workers).map(|_| Self { shared: Arc::clone(&shared), is_ready: false }).collect()
    }

    /// Marks this worker as ready and waits for the others; returns false if one of them cannot
    /// start.
    pub(super) async fn ready(mut self) -> bool {
        self.is_ready = true;
        let waiting = {
            let mut shared = self.shared();
            shared.starting = shared.starting.saturating_sub(1);
            if shared.starting == 0 { std::mem::take(&mut shared.waiting) } else { Vec::new() }
        };
        waiting.into_iter().for_each(Waker::wake);
        poll_fn(|context| {
            let waker = context.waker().clone();
            let mut shared = self.shared();
            if !shared.failed && shared.starting > 0 {
                shared.waiting.push(waker);
                return Poll::Pending;
            }
            Poll::Ready(!shared.failed)
        })
        .await
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        if !self.is_ready {
            let waiting = {
                let mut shared = self.shared();
                shared.failed = true;
                std::mem::take(&mut shared.waiting)
            };
            waiting.into_iter().for_each(Waker::wake);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    use super::*;

    #[test]
    fn workers_start_together_or_not_at_all() {
        for fails in [false, true] {
            let mut starts = Start::of(3);
            let (mut first, mut second) = (pin!(starts.remove(0).ready()), pin!(starts.remove(0).ready()));
            let mut context = Context::from_waker(Waker::noop());
            assert!(first.as_mut().poll(&mut context).is_pending());
            assert!(second.as_mut().poll(&mut context).is_pending());
            let last = starts.remove(0);
            if fails {
                drop(last);
            } else {
                assert_eq!(pin!(last.ready()).poll(&mut context), Poll::Ready(true));
            }
            assert_eq!(first.poll(&mut context), Poll::Ready(!fails));
            assert_eq!(second.poll(&mut context), Poll::Ready(!fails));
        }
    }
}
