//! Clock, timer, spawning and `block_on`.

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use httpants_core::Now;
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Runtime, Sleep, Spawn};
use pin_project_lite::pin_project;
use tokio::runtime::{Builder, Handle};
use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use crate::{Listener, Transport};

/// The runtime for the driver.
///
/// Monotonic time counts from its creation on tokio's clock, so a test that pauses or advances that
/// clock also moves the server's deadlines.
#[derive(Clone, Copy, Debug)]
pub struct Tokio {
    origin: Instant,
}

impl Default for Tokio {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Runtime for Tokio {
    type Transport = Transport;
    type Listener = Listener;
    type Sleep = TokioSleep;

    fn now(&self) -> Now {
        Now::new(self.origin.elapsed(), SystemTime::now().try_into().unwrap_or_default())
    }

    fn now_after(&self, earlier: Now) -> Now {
        earlier.after(self.origin.elapsed().saturating_sub(earlier.mono))
    }

    fn clock(&self) -> Clock {
        Clock::of(*self)
    }

    fn sleep_until(&self, at: Duration) -> TokioSleep {
        TokioSleep { sleep: tokio::time::sleep_until(moment(self.origin, at)), origin: self.origin }
    }

    fn listen_tcp(&self, listener: TcpListener) -> io::Result<Listener> {
        Listener::tcp(listener)
    }

    #[cfg(unix)]
    fn listen_unix(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Listener> {
        Listener::unix(listener)
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        // Files may also be closed outside of a runtime, where `spawn_blocking` would panic.
        match Handle::try_current() {
            Ok(runtime) => {
                let work = runtime.spawn_blocking(work);
                Box::pin(async { work.await.map_err(io::Error::other) })
            }
            Err(error) => Box::pin(async { Err(io::Error::other(error)) }),
        }
    }

    fn blocking_pool(&self) -> BlockingPool {
        BlockingPool::of(*self)
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        if Handle::try_current().is_ok() {
            return Err(io::Error::other(
                "cannot block inside a tokio runtime: await serve() instead of calling run()",
            ));
        }
        Ok(Builder::new_current_thread().enable_all().build()?.block_on(future))
    }
}

impl<F: Future<Output = ()> + Send + 'static> Spawn<F> for Tokio {
    fn spawn(&self, future: F) {
        // Dropping the handle detaches the task.
        drop(tokio::spawn(future));
    }
}

pin_project! {
    /// A timer on tokio's clock.
    #[derive(Debug)]
    pub struct TokioSleep {
        #[pin]
        sleep: tokio::time::Sleep,
        origin: Instant,
    }
}

impl Sleep for TokioSleep {
    fn poll_elapsed(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Unconstrained, because with a spent task budget the timer would not register the waker,
        // and the task would not be woken when the time has come.
        pin!(unconstrained(self.project().sleep)).poll(context)
    }

    fn reset(self: Pin<&mut Self>, at: Duration) {
        let this = self.project();
        this.sleep.reset(moment(*this.origin, at));
    }
}

/// Returns the origin plus `at`. If the clock cannot represent that, returns a time in a year.
fn moment(origin: Instant, at: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    origin.checked_add(at).unwrap_or_else(|| Instant::now() + YEAR)
}
