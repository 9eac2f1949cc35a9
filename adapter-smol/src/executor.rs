//! Spawning, the blocking pool and `block_on`.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use httpants_driver::async_io;
use smol::future::FutureExt;
use smol::{LocalExecutor, Task};

type Worker = Rc<LocalExecutor<'static>>;

thread_local! {
    /// The worker that runs on this thread.
    static WORKER: RefCell<Option<Worker>> = const { RefCell::new(None) };
}

/// Number of tasks that run before the accept loop and the sockets get a turn.
const TASKS: usize = 32;

/// smol's executors: on a thread of [`BoundServer::run`](crate::BoundServer::run) that of the
/// worker, otherwise the global one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl async_io::Executor for Executor {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match WORKER.with_borrow(Option::clone) {
            Some(worker) => worker.spawn(future).detach(),
            None => smol::spawn(future).detach(),
        }
    }

    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        DetachOnDrop(Some(smol::unblock(work)))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let worker = Worker::default();
        let _entered = EnteredWorker::new(Rc::clone(&worker));
        // Not `Executor::run`, which polls `future` and the sockets only once per 200 tasks: a few
        // busy connections could delay all others.
        let tasks = async {
            loop {
                for _ in 0..TASKS {
                    worker.tick().await;
                }
                smol::future::yield_now().await;
            }
        };
        smol::block_on(future.or(tasks))
    }
}

/// A task that continues when its handle is dropped; smol would cancel it.
struct DetachOnDrop<T>(Option<Task<T>>);

impl<T> Future for DetachOnDrop<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.0.as_mut().map_or(Poll::Pending, |task| task.poll(context))
    }
}

impl<T> Drop for DetachOnDrop<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

/// A guard: while it exists, tasks of this thread are spawned on a worker's executor. Its drop
/// restores the previous one.
struct EnteredWorker(Option<Worker>);

impl EnteredWorker {
    fn new(worker: Worker) -> Self {
        Self(WORKER.replace(Some(worker)))
    }
}

impl Drop for EnteredWorker {
    fn drop(&mut self) {
        WORKER.set(self.0.take());
    }
}
