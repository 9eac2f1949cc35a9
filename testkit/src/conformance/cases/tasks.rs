//! Requirements of the driver for `spawn`, `block_on` and the blocking pool.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, Spawn};

use super::contract::{pause, within};
use crate::conformance::handler::Gate;
use crate::conformance::stage::{PATIENCE, Stage};

/// Waits until `done` returns true, while the runtime runs.
async fn until<R: Runtime>(runtime: &R, what: &str, done: impl Fn() -> bool) {
    let end = runtime.now().mono + PATIENCE;
    while !done() {
        assert!(runtime.now().mono < end, "{what}: not within {PATIENCE:?}");
        pause(runtime, Duration::from_millis(1)).await;
    }
}

/// `block_on` runs its future and the tasks spawned by it on the calling thread, which is one
/// worker of a server: workers share only their handler.
pub fn worker_runs_its_tasks_on_its_own_thread<S: Stage>() {
    let here = thread::current().id();
    let (sender, receiver) = mpsc::channel();
    let given = within(async |stage: S| {
        let runtime = stage.runtime();
        let spawned = Gate::default();
        let open = spawned.clone();
        runtime.spawn(Box::pin(async move {
            sender.send(thread::current().id()).expect("a receiver");
            open.open();
        }));
        spawned.pass().await;
        assert_eq!(thread::current().id(), here);
        7
    });
    assert_eq!((given, receiver.recv()), (7, Ok(here)));
}

/// Tasks may spawn tasks, and each runs to completion without being awaited.
pub fn tasks_can_spawn_tasks<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..100 {
            let count = Arc::clone(&count);
            runtime.spawn(Box::pin(async move {
                count.fetch_add(1, Ordering::AcqRel);
            }));
        }
        until(&runtime, "100 tasks end", || count.load(Ordering::Acquire) == 100).await;
    });
}

/// A task that wakes itself, as a connection does after its turn, does not block other tasks.
pub fn task_that_wakes_itself_does_not_block_others<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let (stop, turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&turns));
        runtime.spawn(Box::pin(poll_fn(move |context| {
            if stopped.load(Ordering::Acquire) || counted.fetch_add(1, Ordering::AcqRel) > 100_000 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })));
        let other = Arc::clone(&stop);
        runtime.spawn(Box::pin(async move { other.store(true, Ordering::Release) }));
        until(&runtime, "the other task runs", || stop.load(Ordering::Acquire)).await;
        assert!(turns.load(Ordering::Acquire) < 100_000, "the other task ran only after the first had ended");
    });
}

/// `unblock` returns the result of the work; a panic of the work is an error of its future, and of
/// no other.
pub fn blocking_work_returns_its_result_or_its_panic<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        assert_eq!(runtime.unblock(|| 6 * 7).await.expect("work that is done"), 42);
        assert!(runtime.unblock(|| panic!("as it should")).await.is_err());
        assert_eq!(runtime.unblock(|| 7).await.expect("the pool continues"), 7);
        let pool = runtime.blocking_pool();
        assert_eq!(pool.run(|| Ok(8)).await.expect("work that is done"), 8);
        let failed = pool.run::<(), _>(|| Err(io::Error::other("no such thing"))).await;
        assert_eq!(failed.expect_err("the error of the work").to_string(), "no such thing");
        assert!(pool.run::<(), _>(|| panic!("as it should")).await.is_err());
    });
}

/// Work whose future was dropped is done or dropped; in either case the values that it holds are
/// dropped.
pub fn dropped_blocking_work_drops_its_values<S: Stage>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let held = Arc::new(());
        for _ in 0..10 {
            let (one, other) = (Arc::clone(&held), Arc::clone(&held));
            drop(runtime.unblock(move || drop(one)));
            drop(runtime.blocking_pool().run(move || {
                drop(other);
                Ok(())
            }));
        }
        until(&runtime, "the work is gone", || Arc::strong_count(&held) == 1).await;
    });
}
