//! Tests of errors of accepting, from a listener that fails as told.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Listener, Runtime, Spawn};
use httpants_driver::{Handle, Request, Server};
use httpants_testkit::memory::{Client, Memory, MemoryListener, MemorySleep, MemoryTransport};

use crate::world::{errors, get, millis, ok, responses, seconds};

/// The in-memory runtime, whose listener fails before it accepts.
#[derive(Clone)]
struct Failing {
    memory: Memory,
    failures: Rc<RefCell<VecDeque<ErrorKind>>>,
}

struct FailingListener {
    listener: MemoryListener,
    failures: Rc<RefCell<VecDeque<ErrorKind>>>,
}

impl Listener for FailingListener {
    type Transport = MemoryTransport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(MemoryTransport, ConnectionInfo)>> {
        match self.failures.borrow_mut().pop_front() {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => self.listener.poll_accept(context),
        }
    }
}

impl Runtime for Failing {
    type Transport = MemoryTransport;
    type Listener = FailingListener;
    type Sleep = MemorySleep;

    fn now(&self) -> Now {
        self.memory.now()
    }

    fn clock(&self) -> Clock {
        self.memory.clock()
    }

    fn sleep_until(&self, at: Duration) -> MemorySleep {
        self.memory.sleep_until(at)
    }

    fn listen_tcp(&self, _: TcpListener) -> io::Result<FailingListener> {
        Ok(self.listener())
    }

    fn listen_unix(&self, _: UnixListener) -> io::Result<FailingListener> {
        Ok(self.listener())
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.memory.unblock(work)
    }

    fn blocking_pool(&self) -> BlockingPool {
        self.memory.blocking_pool()
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        self.memory.block_on(future)
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Failing {
    fn spawn(&self, future: F) {
        self.memory.spawn(future);
    }
}

impl Failing {
    fn start() -> (Self, Handle) {
        let runtime = Self { memory: Memory::new(), failures: Rc::default() };
        let server = Server::with_runtime(runtime.clone(), async |_: Request| "served");
        let (handle, serving) = server.attach_to(runtime.listener());
        runtime.memory.serve(serving);
        runtime.memory.run();
        (runtime, handle)
    }

    fn listener(&self) -> FailingListener {
        FailingListener { listener: self.memory.listener(), failures: Rc::clone(&self.failures) }
    }

    /// Returns a client that has sent these bytes, while accepting fails like this.
    fn client(&self, failures: &[ErrorKind], bytes: &str) -> Client {
        self.failures.borrow_mut().extend(failures);
        let client = self.memory.connect();
        client.send(bytes.as_bytes());
        self.memory.run();
        client
    }
}

#[test]
fn accepting_goes_on_a_tenth_of_a_second_after_an_error() {
    let (runtime, handle) = Failing::start();
    let client = runtime.client(&[ErrorKind::OutOfMemory; 2], &get("/"));
    for errors in 1..=2 {
        assert_eq!((handle.counters().accept_errors, handle.connections()), (errors, 0));
        runtime.memory.advance(millis(99));
        assert_eq!(handle.counters().accept_errors, errors);
        runtime.memory.advance(millis(1));
    }
    assert_eq!(responses(&client), [ok("served")]);
    assert_eq!(handle.counters().accept_errors, 2);
}

#[test]
fn errors_of_one_connection_do_not_delay_others() {
    let (runtime, handle) = Failing::start();
    let kinds = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset, ErrorKind::Interrupted];
    let client = runtime.client(&kinds, &get("/"));
    assert_eq!(responses(&client), [ok("served")]);
    assert_eq!(handle.counters().accept_errors, 0);
}

#[test]
fn repeated_accept_errors_are_logged_once() {
    let (runtime, handle) = Failing::start();
    let logged = errors(|| {
        for count in [3, 0, 2] {
            let client = runtime.client(&[ErrorKind::OutOfMemory].repeat(count), &get("/"));
            runtime.memory.advance(seconds(1));
            assert_eq!(responses(&client), [ok("served")]);
        }
    });
    assert!(logged.iter().all(|event| event.contains("accept failed")), "{logged:?}");
    assert_eq!(logged.len(), 2, "the second time behind an accepted connection");
    assert_eq!(handle.counters().accept_errors, 5);
}

/// What only lingers gives its descriptor up.
#[test]
fn an_accept_error_closes_a_connection_that_lingers() {
    let (runtime, _) = Failing::start();
    let client = runtime.client(&[], "no request\r\n\r\n");
    assert!(client.is_ended() && !client.is_closed(), "it lingers");
    let next = runtime.client(&[ErrorKind::OutOfMemory], &get("/"));
    assert!(client.is_closed());
    runtime.memory.advance(millis(100));
    assert_eq!(responses(&next), [ok("served")]);
}
