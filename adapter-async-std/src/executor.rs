//! Spawning, the blocking pool and `block_on`.

use std::future::Future;

use async_std::task;
use httpants_driver::async_io;

/// The global executor of async-std. Dropping a handle detaches the task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl async_io::Executor for Executor {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(task::spawn(future));
    }

    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        task::spawn_blocking(work)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        task::block_on(future)
    }
}
