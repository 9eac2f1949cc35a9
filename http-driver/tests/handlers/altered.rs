//! The in-memory runtime with a listener that can fail, a clock that can advance whenever it is read,
//! and tasks that move.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Listener, Runtime, Spawn};
use httpants_driver::{Handle, Handler, Server};
use httpants_testkit::memory::{Client, Memory, MemoryListener, MemorySleep, MemoryTransport};

/// The runtime; clones are the same one.
#[derive(Clone)]
pub(crate) struct Altered {
    pub(crate) memory: Memory,
    /// The errors that the listener returns before it accepts a connection.
    failures: Rc<RefCell<VecDeque<ErrorKind>>>,
    /// The time that passes with each reading of the clock.
    tick: Rc<Cell<Duration>>,
}

pub(crate) struct AlteredListener {
    listener: MemoryListener,
    failures: Rc<RefCell<VecDeque<ErrorKind>>>,
}

impl Listener for AlteredListener {
    type Transport = MemoryTransport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(MemoryTransport, ConnectionInfo)>> {
        match self.failures.borrow_mut().pop_front() {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => self.listener.poll_accept(context),
        }
    }
}

impl Runtime for Altered {
    type Transport = MemoryTransport;
    type Listener = AlteredListener;
    type Sleep = MemorySleep;

    fn now(&self) -> Now {
        self.memory.jump(self.tick.get());
        self.memory.now()
    }

    fn clock(&self) -> Clock {
        self.memory.clock()
    }

    fn sleep_until(&self, at: Duration) -> MemorySleep {
        self.memory.sleep_until(at)
    }

    fn listen_tcp(&self, _: TcpListener) -> io::Result<AlteredListener> {
        Ok(self.listener())
    }

    fn listen_unix(&self, _: UnixListener) -> io::Result<AlteredListener> {
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

impl<F: Future<Output = ()> + 'static> Spawn<F> for Altered {
    fn spawn(&self, future: F) {
        self.memory.spawn(WithChangingWaker { future: Box::pin(future), task: Arc::default() });
    }
}

/// A future that is polled with another waker each time. Only the last waker wakes the task.
struct WithChangingWaker<F> {
    future: Pin<Box<F>>,
    task: Arc<Task>,
}

#[derive(Default)]
struct Task {
    polls: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl<F: Future> Future for WithChangingWaker<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        *self.task.waker.lock().unwrap() = Some(context.waker().clone());
        let poll = self.task.polls.fetch_add(1, Ordering::Relaxed) + 1;
        let waker = Waker::from(Arc::new(PollWaker { task: Arc::clone(&self.task), poll }));
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

/// The waker of one poll, without effect after the next poll.
struct PollWaker {
    task: Arc<Task>,
    poll: usize,
}

impl Wake for PollWaker {
    fn wake(self: Arc<Self>) {
        if self.poll == self.task.polls.load(Ordering::Relaxed) {
            let waker = self.task.waker.lock().unwrap().clone();
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl Altered {
    /// Starts a server.
    pub(crate) fn start<H: Handler + 'static>(
        handler: H,
        change: impl FnOnce(Server<Self, H>) -> Server<Self, H>,
    ) -> (Self, Handle) {
        let runtime = Self { memory: Memory::new(), failures: Rc::default(), tick: Rc::default() };
        let (handle, serving) = change(Server::with_runtime(runtime.clone(), handler)).attach_to(runtime.listener());
        runtime.memory.serve(serving);
        runtime.memory.run();
        (runtime, handle)
    }

    fn listener(&self) -> AlteredListener {
        AlteredListener { listener: self.memory.listener(), failures: Rc::clone(&self.failures) }
    }

    pub(crate) fn set_tick(&self, tick: Duration) {
        self.tick.set(tick);
    }

    /// Returns a client that has sent these bytes, while accepting fails with these errors.
    pub(crate) fn client(&self, failures: &[ErrorKind], bytes: &str) -> Client {
        self.failures.borrow_mut().extend(failures);
        let client = self.memory.connect();
        client.send(bytes.as_bytes());
        self.memory.run();
        client
    }
}
