//! What smol is responsible for: where tasks and work run, and what a panic or a drop ends.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, Spawn};

use crate::Smol;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where a task runs that is spawned here.
async fn thread_of_a_task(runtime: Smol) -> thread::ThreadId {
    let (sender, receiver) = smol::channel::bounded(1);
    runtime.spawn(async move { sender.send(thread::current().id()).await.unwrap() });
    receiver.recv().await.unwrap()
}

#[test]
fn tasks_of_a_worker_stay_on_its_thread() {
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
fn tasks_of_others_go_to_the_global_executor() {
    let runtime = Smol::default();
    let here = thread::current().id();
    // A worker was here before.
    runtime.block_on(async {}).unwrap();
    assert_ne!(smol::block_on(thread_of_a_task(runtime)), here);
    // Also where nothing runs at all.
    let (sender, receiver) = mpsc::channel();
    runtime.spawn(async move { sender.send(thread::current().id()).unwrap() });
    assert_ne!(receiver.recv_timeout(PATIENCE).unwrap(), here);
}

#[test]
fn a_worker_that_ends_drops_its_tasks() {
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

#[test]
fn a_panic_ends_its_task_and_nothing_else() {
    let runtime = Smol::default();
    let here = thread::current().id();
    let other = runtime.block_on(async {
        runtime.spawn(async { panic!("as it should") });
        thread_of_a_task(runtime).await
    });
    assert_eq!(other.unwrap(), here);
    runtime.spawn(async { panic!("as it should") });
    assert_ne!(smol::block_on(thread_of_a_task(runtime)), here);
}

#[test]
fn work_that_blocks_runs_elsewhere_and_to_its_end() {
    let runtime = Smol::default();
    let there = runtime.block_on(runtime.unblock(|| thread::current().id())).unwrap();
    assert_ne!(there.unwrap(), thread::current().id());
    // Nobody waits for it, and it is dropped before it begins.
    let (go, wait) = mpsc::channel::<()>();
    let (sender, receiver) = mpsc::channel();
    drop(runtime.unblock(move || {
        wait.recv().unwrap();
        sender.send("done").unwrap();
    }));
    go.send(()).unwrap();
    assert_eq!(receiver.recv_timeout(PATIENCE), Ok("done"));
}
