//! The timer of a connection, set to the next deadline of its core.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use pin_project_lite::pin_project;

use crate::runtime::{Runtime, Sleep};

pin_project! {
    pub(super) struct ConnectionTimer<S> {
        #[pin]
        sleep: Option<S>,
        // The time to which the timer is set; `None` before it was set.
        armed: Option<Duration>,
        // True if the timer has the task's waker.
        registered: bool,
    }
}

impl<S: Sleep> ConnectionTimer<S> {
    pub(super) fn new() -> Self {
        Self { sleep: None, armed: None, registered: false }
    }

    /// Marks the registered waker as outdated, because the task has a new one.
    pub(super) fn forget_waker(self: Pin<&mut Self>) {
        *self.project().registered = false;
    }

    /// Waits for the deadline; returns whether it may have passed, so that the caller reads the
    /// clock. The timer is not reset when the deadline moves to a later time, which saves resetting
    /// it for each request: it fires early and is then set again.
    pub(super) fn poll<R>(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        runtime: &R,
        at: Duration,
        now: Duration,
    ) -> bool
    where
        R: Runtime<Sleep = S>,
    {
        let is_armed = self.armed.is_some_and(|armed| now < armed && armed <= at);
        if is_armed && self.registered {
            return false;
        }
        self.poll_sleep(context, runtime, at, is_armed)
    }

    /// Polls the timer with the task's waker; sets it to `at` first unless it `is_armed`.
    #[inline(never)]
    fn poll_sleep<R>(self: Pin<&mut Self>, context: &mut Context<'_>, runtime: &R, at: Duration, is_armed: bool) -> bool
    where
        R: Runtime<Sleep = S>,
    {
        let mut this = self.project();
        if !is_armed {
            *this.armed = Some(at);
            match this.sleep.as_mut().as_pin_mut() {
                Some(sleep) => sleep.reset(at),
                None => this.sleep.set(Some(runtime.sleep_until(at))),
            }
        }
        let elapsed = this.sleep.as_pin_mut().is_some_and(|sleep| sleep.poll_elapsed(context).is_ready());
        *this.registered = !elapsed;
        elapsed
    }
}
