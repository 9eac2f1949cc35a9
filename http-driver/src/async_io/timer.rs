//! Timers.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::runtime::Sleep;

/// A timer of async-io.
#[derive(Debug)]
pub struct AsyncIoSleep {
    timer: ::async_io::Timer,
    origin: Instant,
    /// True if the timer fired; async-io reports that only once.
    elapsed: bool,
}

impl AsyncIoSleep {
    pub(super) fn new(origin: Instant, at: Duration) -> Self {
        // For a time that the clock cannot represent, the timer never fires.
        let timer = origin.checked_add(at).map_or_else(::async_io::Timer::never, ::async_io::Timer::at);
        Self { timer, origin, elapsed: false }
    }
}

impl Sleep for AsyncIoSleep {
    fn poll_elapsed(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.elapsed {
            ready!(Pin::new(&mut self.timer).poll(context));
            self.elapsed = true;
        }
        Poll::Ready(())
    }

    fn reset(mut self: Pin<&mut Self>, at: Duration) {
        self.elapsed = false;
        match self.origin.checked_add(at) {
            Some(at) => self.timer.set_at(at),
            None => self.timer.clear(),
        }
    }
}
