//! A task whose panics do not affect other tasks.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::observe::discard;

pin_project! {
    /// A future whose panics end only itself, including those of its destructors: some executors
    /// propagate a panic to their thread, and async-task aborts the process after a panic in a
    /// destructor.
    pub(super) struct Contained<F> {
        #[pin]
        future: Option<F>,
    }

    impl<F> PinnedDrop for Contained<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut future = this.project().future;
            contain(|| future.set(None));
        }
    }
}

impl<F> Contained<F> {
    pub(super) fn new(future: F) -> Self {
        Self { future: Some(future) }
    }
}

impl<F: Future<Output = ()>> Future for Contained<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut future = self.project().future;
        let polled = contain(|| future.as_mut().as_pin_mut().map(|future| future.poll(context)));
        if let Some(Some(Poll::Pending)) = polled {
            return Poll::Pending;
        }
        contain(|| future.set(None));
        Poll::Ready(())
    }
}

/// Returns `None` if the call panics.
fn contain<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).map_err(discard).ok()
}
