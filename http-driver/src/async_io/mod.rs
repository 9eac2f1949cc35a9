//! The sockets, timers and clock of runtimes on the [async-io](https://docs.rs/async-io) reactor.
//! An adapter only implements [`Executor`].
//!
//! ```
//! use std::future::Future;
//! use httpants_driver::async_io::{AsyncIo, Executor};
//! use httpants_driver::{Request, Server};
//!
//! /// A thread for every connection.
//! #[derive(Clone, Debug)]
//! struct Threads;
//!
//! impl Executor for Threads {
//!     fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
//!         std::thread::spawn(|| async_io::block_on(future));
//!     }
//!
//!     // Each connection has its own thread, so this may block.
//!     fn unblock<T: Send + 'static>(
//!         &self,
//!         work: impl FnOnce() -> T + Send + 'static,
//!     ) -> impl Future<Output = T> + Send + 'static {
//!         std::future::ready(work())
//!     }
//!
//!     fn block_on<F: Future>(&self, future: F) -> F::Output {
//!         async_io::block_on(future)
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let handler = async |_: Request| "hello";
//! let bound = Server::with_runtime(AsyncIo::new(Threads), handler).listen("127.0.0.1:0").bind()?;
//! bound.handle().close();
//! bound.run()
//! # }
//! ```

mod contained;
mod listener;
mod socket;
#[cfg(test)]
mod tests;
mod timer;
mod transport;

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime};

use httpants_core::Now;
pub use listener::Listener;
pub use timer::AsyncIoSleep;
pub use transport::Transport;

use self::contained::Contained;
use crate::observe::discard;
use crate::runtime::{Blocking, BlockingPool, Clock, Runtime, Spawn};

/// An executor of tasks and blocking work.
pub trait Executor: Clone + Debug + Send + Sync + 'static {
    /// Runs the future in the background. The future does not panic: the caller catches its panics.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static);

    /// Runs blocking work on another thread, even if its result is not awaited. May be called
    /// outside of the runtime, and must not panic then.
    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static;

    /// Runs the future to completion on this thread: one worker of a server.
    fn block_on<F: Future>(&self, future: F) -> F::Output;
}

/// A runtime on async-io with an executor.
///
/// Monotonic time counts from its creation.
#[derive(Clone, Copy, Debug)]
pub struct AsyncIo<E> {
    origin: Instant,
    executor: E,
}

impl<E> AsyncIo<E> {
    /// Creates a runtime whose clock starts now.
    #[must_use]
    pub fn new(executor: E) -> Self {
        Self { origin: Instant::now(), executor }
    }
}

impl<E: Default> Default for AsyncIo<E> {
    fn default() -> Self {
        Self::new(E::default())
    }
}

impl<E: Executor> Runtime for AsyncIo<E> {
    type Transport = Transport;
    type Listener = Listener;
    type Sleep = AsyncIoSleep;

    fn now(&self) -> Now {
        Now::new(self.origin.elapsed(), SystemTime::now().try_into().unwrap_or_default())
    }

    fn now_after(&self, earlier: Now) -> Now {
        earlier.after(self.origin.elapsed().saturating_sub(earlier.mono))
    }

    fn clock(&self) -> Clock {
        Clock::of(self.clone())
    }

    fn sleep_until(&self, at: Duration) -> AsyncIoSleep {
        AsyncIoSleep::new(self.origin, at)
    }

    fn listen_tcp(&self, listener: TcpListener) -> io::Result<Listener> {
        let local = listener.local_addr()?;
        Listener::new(listener.into(), local.into())
    }

    #[cfg(unix)]
    fn listen_unix(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Listener> {
        Listener::new(listener.into(), httpants_core::Address::Unix)
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        // A panic becomes an error of this future.
        let work = self.executor.unblock(|| {
            catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
                discard(panic);
                io::Error::other("the blocking work panicked")
            })
        });
        Box::pin(work)
    }

    fn blocking_pool(&self) -> BlockingPool {
        BlockingPool::of(self.clone())
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        Ok(self.executor.block_on(future))
    }
}

impl<E: Executor, F: Future<Output = ()> + Send + 'static> Spawn<F> for AsyncIo<E> {
    fn spawn(&self, future: F) {
        self.executor.spawn(Contained::new(future));
    }
}
