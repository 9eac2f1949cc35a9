//! Requirements of the driver for a runtime with sockets and threads.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[cfg(unix)]
use super::contract::Pair;
use super::contract::{accept, within};
use crate::conformance::handler::Gate;
use crate::conformance::stage::{PATIENCE, Platform};
use httpants_driver::ListenAddress;
use httpants_driver::protocol::{Address, ConnectionInfo};
use httpants_driver::runtime::{Runtime, SendHint, Spawn};

/// An accepted connection has the addresses of both its ends.
pub fn accepted_connection_has_both_addresses<S: Platform>() {
    within(async |mut stage: S| {
        let mut listener = stage.listen().expect("a listener");
        let ListenAddress::Socket(local) = stage.addresses()[0].clone() else { panic!("it listens on a port") };
        let client = stage.connect();
        let (_transport, peer) = accept(&mut listener).await;
        assert_eq!(peer, ConnectionInfo::new(S::local_address(&client), local));
    });
}

/// A unix socket is served like any other; its ends have no IP address, and its close cannot be a
/// reset.
#[cfg(unix)]
pub fn unix_sockets_have_no_ip_address<S: Platform>() {
    use crate::conformance::stage::{Received, StageClient};
    use httpants_driver::runtime::Transport as _;

    within(async |stage: S| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let socket = std::os::unix::net::UnixListener::bind(&path).expect("a unix socket");
        socket.set_nonblocking(true).expect("a non-blocking socket");
        let mut listener = stage.runtime().listen_unix(socket).expect("a listener");
        let client = stage.connect_to(&ListenAddress::Unix(path)).expect("a connection");
        let (transport, peer) = accept(&mut listener).await;
        assert_eq!(peer, ConnectionInfo::new(Address::Unix, Address::Unix));
        let mut pair = Pair { stage, transport, client };
        pair.client.send(b"ping");
        let mut buffer = [0; 8];
        assert_eq!(pair.recv(&mut buffer).await, 4);
        for (bytes, hint) in [(b"po", SendHint::More), (b"ng", SendHint::Last)] {
            pair.send(bytes, hint).await;
        }
        assert_eq!(pair.client_gets(4).await.0, b"pong");
        pair.transport.reset_on_close();
        let Pair { transport, mut client, .. } = pair;
        drop(transport);
        assert_eq!(client.receive(&mut Vec::new(), PATIENCE), Received::End);
    });
}

/// Blocking work runs on another thread.
pub fn blocking_work_runs_on_another_thread<S: Platform>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let (sender, receiver) = mpsc::channel();
        let worker = runtime.unblock(move || {
            receiver.recv_timeout(PATIENCE).expect("the runtime continues while this blocks");
            thread::current().id()
        });
        sender.send(()).expect("work that is still waiting");
        assert_ne!(worker.await.expect("work that is done"), thread::current().id());
    });
}

/// Files may also be closed outside of the runtime: the pool then does the work or drops it, and
/// does not panic.
pub fn blocking_pool_does_not_panic_outside_the_runtime<S: Platform>() {
    let (runtime, pool) = within(async |stage: S| {
        let runtime = stage.runtime();
        let pool = runtime.blocking_pool();
        (runtime, pool)
    });
    let (sender, receiver) = mpsc::channel();
    let other = sender.clone();
    drop(runtime.unblock(move || sender.send(())));
    let elsewhere = thread::spawn(move || drop(pool.run(move || other.send(()).map_err(io::Error::other))));
    elsewhere.join().expect("no panic");
    // Both have ended when all senders are dropped.
    while receiver.recv_timeout(PATIENCE).is_ok() {}
    assert_eq!(receiver.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}

/// A waker works from any thread: handlers may pass work to other threads.
pub fn waker_works_from_another_thread<S: Platform>() {
    within(async |stage: S| {
        let runtime = stage.runtime();
        let (of_main, of_task, done) = (Gate::default(), Gate::default(), Gate::default());
        let (opens_main, opens_task) = (of_main.clone(), of_task.clone());
        let (waits, opens_done) = (of_task.clone(), done.clone());
        runtime.spawn(Box::pin(async move {
            waits.pass().await;
            opens_done.open();
        }));
        let other = thread::spawn(move || {
            // By then both threads are waiting, or need not wait.
            thread::park_timeout(Duration::from_millis(20));
            opens_main.open();
            opens_task.open();
        });
        of_main.pass().await;
        done.pass().await;
        other.join().expect("no panic");
    });
}
