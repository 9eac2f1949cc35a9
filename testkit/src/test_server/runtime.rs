//! A runtime whose connections are in memory, and whose tasks and timers are those of another.

use std::fs::File;
use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Listener, Runtime, Spawn};

use super::connection::Backlog;
use crate::memory::MemoryTransport;

/// A task that a [`TestRuntime`] spawns.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A runtime on which [`TestServer`](super::TestServer) runs. Adapters implement it with their
/// feature `testing`.
pub trait TestRuntime: Runtime<Sleep: Send> + Spawn<Task> + Default + Send + Sync {
    /// The executor of the tasks of one test server, if the caller does not run them.
    type Executor: Send + Sync + 'static;

    /// Creates the executor, with a clock that does not wait if the runtime has one.
    ///
    /// # Errors
    /// Returns the errors of starting the executor.
    fn executor() -> io::Result<Self::Executor>;

    /// Calls the function in a context in which the runtime can spawn tasks and create timers.
    fn within<T>(executor: &Self::Executor, call: impl FnOnce() -> T) -> T;

    /// Runs a future to completion on the calling thread, concurrently with the tasks of the
    /// executor.
    ///
    /// # Errors
    /// Returns an error if the calling thread must not block.
    fn wait<F: Future>(&self, executor: &Self::Executor, future: F) -> io::Result<F::Output>;
}

#[cfg(feature = "async-io")]
impl<E> TestRuntime for httpants_driver::async_io::AsyncIo<E>
where
    E: httpants_driver::async_io::Executor + Default + Send + Sync,
{
    type Executor = ();

    fn executor() -> io::Result<()> {
        Ok(())
    }

    fn within<T>((): &(), call: impl FnOnce() -> T) -> T {
        call()
    }

    fn wait<F: Future>(&self, (): &(), future: F) -> io::Result<F::Output> {
        self.block_on(future)
    }
}

/// The runtime of a [`TestServer`](super::TestServer): another runtime, with connections in memory.
#[derive(Clone, Debug)]
pub struct InProcess<R> {
    runtime: R,
}

impl<R> InProcess<R> {
    pub(super) fn new(runtime: R) -> Self {
        Self { runtime }
    }
}

impl<R: Runtime> Runtime for InProcess<R> {
    type Transport = MemoryTransport;
    type Listener = InProcessListener;
    type Sleep = R::Sleep;

    fn now(&self) -> Now {
        self.runtime.now()
    }

    fn now_after(&self, earlier: Now) -> Now {
        self.runtime.now_after(earlier)
    }

    fn clock(&self) -> Clock {
        self.runtime.clock()
    }

    fn sleep_until(&self, at: Duration) -> R::Sleep {
        self.runtime.sleep_until(at)
    }

    fn listen_tcp(&self, _: TcpListener) -> io::Result<InProcessListener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(unix)]
    fn listen_unix(&self, _: std::os::unix::net::UnixListener) -> io::Result<InProcessListener> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.runtime.unblock(work)
    }

    fn read_cached(&self, file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
        self.runtime.read_cached(file, buffer, offset)
    }

    fn blocking_pool(&self) -> BlockingPool {
        self.runtime.blocking_pool()
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        self.runtime.block_on(future)
    }
}

impl<R: Spawn<F>, F: Future<Output = ()> + 'static> Spawn<F> for InProcess<R> {
    fn spawn(&self, future: F) {
        self.runtime.spawn(future);
    }
}

/// A listener that accepts the connections of a [`TestServer`](super::TestServer).
#[derive(Debug)]
pub struct InProcessListener {
    backlog: Arc<Backlog>,
}

impl InProcessListener {
    pub(super) fn new(backlog: Arc<Backlog>) -> Self {
        Self { backlog }
    }
}

impl Listener for InProcessListener {
    type Transport = MemoryTransport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(MemoryTransport, ConnectionInfo)>> {
        self.backlog.poll_accept(context).map(Ok)
    }
}
