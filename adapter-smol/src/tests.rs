//! Tests of the behaviour that depends on smol: where tasks and work run, and the effects of a
//! panic or a drop.

use std::future::poll_fn;
use std::panic::panic_any;
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, Spawn};

use crate::Smol;

/// A timeout that is long enough on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Returns the thread on which a spawned task runs.
async fn thread_of_a_task(runtime: Smol) -> thread::ThreadId {
    let (sender, receiver) = smol::channel::bounded(1);
    runtime.spawn(async move { sender.send(thread::current().id()).await.unwrap() });
    receiver.recv().await.unwrap()
}

#[test]
fn worker_tasks_stay_on_their_thread() {
    let runtime = Smol::default();
    let here = thread::current().id();
    assert_eq!(runtime.block_on(thread_of_a_task(runtime)).unwrap(), here);
    let nested = runtime.block_on(async {
        let nested = runtime.block_on(thread_of_a_task(runtime)).unwrap();
        (nested, thread_of_a_task(runtime).await)
    });
    assert_eq!(nested.unwrap(), (here, here));
}

#[test]
fn tasks_outside_workers_use_the_global_executor() {
    let runtime = Smol::default();
    let here = thread::current().id();
    // A worker ran here before.
    runtime.block_on(async {}).unwrap();
    assert_ne!(smol::block_on(thread_of_a_task(runtime)), here);
    // Also without a running executor.
    let (sender, receiver) = mpsc::channel();
    runtime.spawn(async move { sender.send(thread::current().id()).unwrap() });
    assert_ne!(receiver.recv_timeout(PATIENCE).unwrap(), here);
}

#[test]
fn worker_drops_its_tasks_when_it_ends() {
    let runtime = Smol::default();
    let (sender, receiver) = mpsc::channel::<()>();
    runtime
        .block_on(async {
            runtime.spawn(async move {
                std::future::pending::<()>().await;
                drop(sender);
            });
            smol::future::yield_now().await;
        })
        .unwrap();
    assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

/// A value that panics when it is dropped.
struct Panics;

impl Drop for Panics {
    fn drop(&mut self) {
        panic!("a panic of the test");
    }
}

#[test]
fn panic_ends_only_its_own_task() {
    let runtime = Smol::default();
    let here = thread::current().id();
    let tasks: [fn(Smol); 3] = [
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
        let other = runtime.block_on(async {
            spawn(runtime);
            thread_of_a_task(runtime).await
        });
        assert_eq!(other.unwrap(), here);
        spawn(runtime);
        assert_ne!(smol::block_on(thread_of_a_task(runtime)), here);
    }
}

#[test]
fn blocking_work_runs_on_another_thread_to_its_end() {
    let runtime = Smol::default();
    let there = runtime.block_on(runtime.unblock(|| thread::current().id())).unwrap();
    assert_ne!(there.unwrap(), thread::current().id());
    // The work is dropped before it begins; its result is not awaited.
    let (go, wait) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    drop(runtime.unblock(move || {
        wait.recv().unwrap();
        sender.send("done").unwrap();
    }));
    go.send(()).unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok("done"));
}
