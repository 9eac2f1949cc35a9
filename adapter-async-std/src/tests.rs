//! Tests of the behaviour that depends on async-std: where tasks and work run, and the effects of a
//! panic or a drop.

use std::future::poll_fn;
use std::panic::panic_any;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use async_std::task::block_on;
use httpants_driver::runtime::{Runtime, Spawn};

use crate::AsyncStd;

#[test]
fn tasks_run_in_the_pool_from_any_thread() {
    let runtime = AsyncStd::default();
    let (sender, receiver) = channel();
    let report = move |place: &'static str| {
        let sender = sender.clone();
        runtime.spawn(async move { sender.send((place, thread::current().id())).unwrap() });
    };
    report("nothing runs");
    block_on(async { report("async-std runs") });
    runtime.block_on(async { report("a worker runs") }).unwrap();
    drop(report);
    let reports: Vec<_> = receiver.iter().collect();
    assert_eq!(reports.len(), 3);
    assert!(reports.iter().all(|(_, place)| *place != thread::current().id()), "{reports:?}");
}

/// A value that panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("a panic of the test");
    }
}

#[test]
fn panic_ends_only_its_task() {
    let runtime = AsyncStd::default();
    let tasks: [fn(AsyncStd); 3] = [
        |runtime| runtime.spawn(async { panic!("a panic of the test") }),
        |runtime| runtime.spawn(async { panic_any(Panics) }),
        |runtime| {
            let held = Panics;
            runtime.spawn(poll_fn(move |_| {
                let _ = &held;
                Poll::Ready(())
            }));
        },
    ];
    for spawn in tasks {
        for _ in 0..20 {
            spawn(runtime);
        }
        let (sender, receiver) = channel();
        runtime.spawn(async move { sender.send("the pool continues").unwrap() });
        assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok("the pool continues"));
    }
}

#[test]
fn blocking_work_runs_off_the_workers_even_if_not_awaited() {
    let runtime = AsyncStd::default();
    let worker = runtime.block_on(async { runtime.unblock(|| thread::current().id()).await.unwrap() });
    assert_ne!(worker.unwrap(), thread::current().id());
    let ((go, wait), (sender, receiver)) = (channel::<()>(), channel());
    drop(runtime.unblock(move || sender.send(wait.recv()).unwrap()));
    go.send(()).unwrap();
    assert_eq!(receiver.recv_timeout(Duration::from_secs(10)), Ok(Ok(())));
}
