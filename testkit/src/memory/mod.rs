//! An in-memory runtime: sockets in memory, a virtual clock that the test advances, and random
//! faults.
//!
//! It implements [`Runtime`] like the adapters, and runs applications in tests without sockets. It
//! does not depend on real time, so a test that passes once always passes, and a run with faults is
//! repeated by its seed.
//!
//! ```
//! use std::time::Duration;
//! use httpants_driver::Request;
//! use httpants_testkit::memory::Memory;
//!
//! let memory = Memory::new();
//! memory.start(memory.server(async |_: Request| "hello"));
//!
//! let client = memory.connect();
//! client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//! memory.run();
//! assert!(client.take_received().ends_with(b"\r\n\r\nhello"));
//!
//! memory.advance(Duration::from_secs(76));
//! assert!(client.is_closed(), "the idle timer");
//! ```

pub(crate) mod pipe;
pub(crate) mod random;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now, UnixTime};
use httpants_driver::runtime::{Blocking, BlockingPool, Clock, Listener, Runtime, Sleep, Spawn};
use httpants_driver::{Handle, Handler, Server};

use self::pipe::read_at;
pub use self::pipe::{Client, Faults, MemoryTransport};
use self::random::Random;

/// Returns the default addresses of connections.
pub(crate) fn peer() -> ConnectionInfo {
    ConnectionInfo::new(
        std::net::SocketAddr::from(([192, 0, 2, 1], 50_000)),
        std::net::SocketAddr::from(([192, 0, 2, 80], 80)),
    )
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The time at which the wall clock of every [`Memory`] starts: 2026-11-22 13:00:00 UTC.
pub const START: UnixTime = UnixTime::from_secs(1_795_352_400);

/// Maximum number of polls in one [`Memory::run`]; more indicate a busy loop.
const MAX_POLLS: usize = 10_000_000;

/// The runtime; clones share their state.
#[derive(Clone)]
pub struct Memory {
    world: Rc<World>,
}

struct World {
    clock: Arc<WorldClock>,
    tasks: RefCell<Vec<Option<Task>>>,
    ready: Arc<Mutex<VecDeque<usize>>>,
    /// The registered timers: time, number of the [`MemorySleep`], waker.
    timers: RefCell<Vec<(Duration, u64, Waker)>>,
    sleeps: Cell<u64>,
    /// Connections that are not accepted yet, and the waker of the accept loop.
    backlog: RefCell<VecDeque<(MemoryTransport, ConnectionInfo)>>,
    acceptor: RefCell<Option<Waker>>,
    random: RefCell<Random>,
    faults: Cell<Faults>,
    polls: Cell<u64>,
    /// The simulated duration of blocking work.
    pace: Pace,
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory {
    /// Creates a runtime without faults, in which tasks run in the order in which they become
    /// ready.
    #[must_use]
    pub fn new() -> Self {
        Self::with_faults(0, Faults::default())
    }

    /// Creates a runtime in which the seed determines the order of tasks and which of the faults
    /// occur.
    #[must_use]
    pub fn with_faults(seed: u64, faults: Faults) -> Self {
        let world = World {
            clock: Arc::new(WorldClock { mono: AtomicU64::new(0), origin: AtomicU64::new(nanos(START.0)) }),
            tasks: RefCell::default(),
            ready: Arc::default(),
            timers: RefCell::default(),
            sleeps: Cell::default(),
            backlog: RefCell::default(),
            acceptor: RefCell::default(),
            random: RefCell::new(Random::new(seed)),
            faults: Cell::new(faults),
            polls: Cell::default(),
            pace: Pace { random: Arc::new(Mutex::new(Random::new(!seed))), faults },
        };
        Self { world: Rc::new(world) }
    }

    /// Returns a server with this handler, to be configured and [started](Self::start).
    #[must_use]
    pub fn server<H: Handler>(&self, handler: H) -> Server<Self, H> {
        Server::with_runtime(self.clone(), handler)
    }

    /// Starts a server in the background. It serves the connections that [`connect`](Self::connect)
    /// creates, until the returned handle stops it; dropping the handle does not.
    pub fn start<H: 'static>(&self, server: Server<Self, H>) -> Handle {
        let (handle, serving) = server.attach_to(self.listener());
        self.serve(serving);
        handle
    }

    /// Runs a future in the background.
    pub fn serve(&self, server: impl Future + 'static) {
        self.spawn(async {
            server.await;
        });
    }

    /// Creates a connection from `192.0.2.1:50000`, which waits to be accepted.
    #[must_use]
    pub fn connect(&self) -> Client {
        self.connect_from(peer())
    }

    /// Creates a connection with these addresses.
    #[must_use]
    pub fn connect_from(&self, peer: ConnectionInfo) -> Client {
        let seed = self.world.random.borrow_mut().next();
        let (client, transport) = pipe::pair(seed, self.world.faults.get());
        self.offer(transport, peer);
        client
    }

    /// Returns a listener that accepts the connections of [`connect`](Self::connect), for
    /// [`Server::attach_to`] and for runtimes on top of this one.
    #[must_use]
    pub fn listener(&self) -> MemoryListener {
        MemoryListener { memory: self.clone() }
    }

    /// Queues a connection to be accepted.
    pub(crate) fn offer(&self, transport: MemoryTransport, peer: ConnectionInfo) {
        self.world.backlog.borrow_mut().push_back((transport, peer));
        if let Some(waker) = self.world.acceptor.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Runs all tasks until each waits for something. The clock does not advance.
    ///
    /// # Panics
    /// Panics if the tasks never wait, which is a busy loop.
    #[expect(clippy::panic, reason = "a busy loop is a failed test")]
    pub fn run(&self) {
        for _ in 0..MAX_POLLS {
            if !self.turn() {
                return;
            }
        }
        panic!("the tasks did not come to rest within {MAX_POLLS} polls");
    }

    /// Polls one of the tasks that are ready; returns whether there was one.
    pub(crate) fn turn(&self) -> bool {
        let ready = self.next_ready();
        ready.into_iter().for_each(|id| self.poll_task(id));
        ready.is_some()
    }

    /// Advances both clocks by `span`, from timer to timer, and runs the tasks that each timer
    /// wakes.
    pub fn advance(&self, span: Duration) {
        self.run();
        let end = self.world.clock.get() + span;
        while let Some(at) = self.next_deadline().filter(|at| *at <= end) {
            self.world.clock.set(self.world.clock.get().max(at));
            self.fire();
            self.run();
        }
        self.world.clock.set(end);
    }

    /// Advances both clocks at once, as on a machine that was suspended: timers that expired in the
    /// meantime fire now. No task is run.
    pub fn jump(&self, span: Duration) {
        self.world.clock.set(self.world.clock.get() + span);
        self.fire();
    }

    /// Sets the wall clock, to earlier or later. The monotonic clock does not change.
    pub fn set_wall_clock(&self, now: UnixTime) {
        let origin = now.0.saturating_sub(self.world.clock.get());
        self.world.clock.origin.store(nanos(origin), Ordering::Relaxed);
    }

    /// Returns when the next timer fires, on the clock of [`Runtime::now`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        self.world.timers.borrow().iter().map(|(at, ..)| *at).min()
    }

    /// Returns the number of tasks that have not ended.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.world.tasks.borrow().iter().flatten().count()
    }

    /// Returns the number of polls of all tasks so far.
    #[must_use]
    pub fn polls(&self) -> u64 {
        self.world.polls.get()
    }

    fn next_ready(&self) -> Option<usize> {
        let mut ready = self.world.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.is_empty() {
            return None;
        }
        let place = if self.world.faults.get().shuffle { self.world.random.borrow_mut().below(ready.len()) } else { 0 };
        ready.remove(place)
    }

    fn poll_task(&self, id: usize) {
        // Taken out while it runs, because it may spawn others.
        let Some(mut task) = self.world.tasks.borrow_mut().get_mut(id).and_then(Option::take) else {
            return;
        };
        self.world.polls.set(self.world.polls.get() + 1);
        let waker = Waker::from(Arc::new(TaskWaker { id, ready: Arc::clone(&self.world.ready) }));
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            && let Some(place) = self.world.tasks.borrow_mut().get_mut(id)
        {
            *place = Some(task);
        }
    }

    fn fire(&self) {
        let now = self.world.clock.get();
        let elapsed: Vec<Waker> =
            self.world.timers.borrow_mut().extract_if(.., |(at, ..)| *at <= now).map(|(.., waker)| waker).collect();
        elapsed.into_iter().for_each(Waker::wake);
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("clock", &self.world.clock.get()).field("tasks", &self.tasks()).finish()
    }
}

struct TaskWaker {
    id: usize,
    ready: Arc<Mutex<VecDeque<usize>>>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if !ready.contains(&self.id) {
            ready.push_back(self.id);
        }
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Memory {
    fn spawn(&self, future: F) {
        let mut tasks = self.world.tasks.borrow_mut();
        tasks.push(Some(Box::pin(future)));
        self.world.ready.lock().unwrap_or_else(PoisonError::into_inner).push_back(tasks.len() - 1);
    }
}

impl Runtime for Memory {
    type Transport = MemoryTransport;
    type Listener = MemoryListener;
    type Sleep = MemorySleep;

    fn now(&self) -> Now {
        self.world.clock.now()
    }

    fn clock(&self) -> Clock {
        let clock = Arc::clone(&self.world.clock);
        Clock::new(move || clock.now())
    }

    fn sleep_until(&self, at: Duration) -> MemorySleep {
        let number = self.world.sleeps.get();
        self.world.sleeps.set(number + 1);
        MemorySleep { memory: self.clone(), number, at }
    }

    /// There are no real sockets here: the listener accepts the connections of [`Memory::connect`].
    fn listen_tcp(&self, _: TcpListener) -> io::Result<MemoryListener> {
        Ok(self.listener())
    }

    #[cfg(unix)]
    fn listen_unix(&self, _: std::os::unix::net::UnixListener) -> io::Result<MemoryListener> {
        Ok(self.listener())
    }

    /// Runs the work at once on the calling thread, so that runs can be repeated. With
    /// [`Faults::delay_percent`] its result may be delayed by some polls.
    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        self.world.pace.run(work)
    }

    /// Every other 64 KiB of a file count as cached, whatever the kernel has in memory, so that
    /// both ways of reading are tested and runs can be repeated.
    fn read_cached(&self, file: &File, buffer: &mut [u8], offset: u64) -> Option<usize> {
        const PAGE: u64 = 64 << 10;
        let is_cached = (offset / PAGE).is_multiple_of(2);
        let left = usize::try_from(PAGE - offset % PAGE).unwrap_or(usize::MAX).min(buffer.len());
        let front = buffer.get_mut(..left).filter(|_| is_cached)?;
        read_at(file, front, offset).ok().filter(|count| *count > 0)
    }

    fn blocking_pool(&self) -> BlockingPool {
        let pace = self.world.pace.clone();
        BlockingPool::new(move |work| pace.run(work))
    }

    /// Runs the tasks until the future is ready. If nothing else can happen, the clock advances to
    /// the next deadline.
    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let mut future = std::pin::pin!(future);
        let woken: Arc<Mutex<VecDeque<usize>>> = Arc::default();
        let waker = Waker::from(Arc::new(TaskWaker { id: usize::MAX, ready: Arc::clone(&woken) }));
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return Ok(output);
            }
            self.run();
            if woken.lock().unwrap_or_else(PoisonError::into_inner).pop_front().is_some() {
                continue;
            }
            match self.next_deadline() {
                Some(at) => self.advance(at.saturating_sub(self.world.clock.get())),
                None => return Err(io::Error::other("no task or timer can wake the future")),
            }
        }
    }
}

/// Both clocks; requests contain a clone.
#[derive(Debug)]
struct WorldClock {
    /// Nanoseconds since the start.
    mono: AtomicU64,
    /// The wall-clock time at the start.
    origin: AtomicU64,
}

impl WorldClock {
    fn get(&self) -> Duration {
        Duration::from_nanos(self.mono.load(Ordering::Relaxed))
    }

    fn set(&self, mono: Duration) {
        self.mono.store(nanos(mono), Ordering::Relaxed);
    }

    fn now(&self) -> Now {
        let origin = Duration::from_nanos(self.origin.load(Ordering::Relaxed));
        Now::new(self.get(), UnixTime(origin.saturating_add(self.get())))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The simulated duration of blocking work; separate from the world, because files contain a clone.
#[derive(Clone)]
struct Pace {
    random: Arc<Mutex<Random>>,
    faults: Faults,
}

impl Pace {
    /// Maximum number of polls by which work is delayed.
    const MAX_DELAY: usize = 16;

    fn run<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let result = catch_unwind(AssertUnwindSafe(work)).map_err(|_| io::Error::other("the work panicked"));
        let mut delays = self.delays();
        Box::pin(async move {
            poll_fn(|context| match delays.checked_sub(1) {
                None => Poll::Ready(()),
                Some(fewer) => {
                    delays = fewer;
                    context.waker().wake_by_ref();
                    Poll::Pending
                }
            })
            .await;
            result
        })
    }

    fn delays(&self) -> usize {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let percent = self.faults.delay_percent;
        if percent > 0 && random.percent(percent) { random.below(Self::MAX_DELAY) } else { 0 }
    }
}

/// A listener that accepts the connections of [`Memory::connect`].
#[derive(Debug)]
pub struct MemoryListener {
    memory: Memory,
}

impl Listener for MemoryListener {
    type Transport = MemoryTransport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(MemoryTransport, ConnectionInfo)>> {
        match self.memory.world.backlog.borrow_mut().pop_front() {
            Some(connection) => Poll::Ready(Ok(connection)),
            None => {
                *self.memory.world.acceptor.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A timer on the clock of a [`Memory`].
#[derive(Debug)]
pub struct MemorySleep {
    memory: Memory,
    /// Distinguishes several timers of one task.
    number: u64,
    at: Duration,
}

impl MemorySleep {
    fn unregister(&self) {
        self.memory.world.timers.borrow_mut().retain(|(_, number, _)| *number != self.number);
    }
}

impl Drop for MemorySleep {
    fn drop(&mut self) {
        self.unregister();
    }
}

impl Sleep for MemorySleep {
    fn poll_elapsed(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.at <= self.memory.world.clock.get() {
            return Poll::Ready(());
        }
        self.unregister();
        self.memory.world.timers.borrow_mut().push((self.at, self.number, context.waker().clone()));
        Poll::Pending
    }

    fn reset(mut self: Pin<&mut Self>, at: Duration) {
        self.unregister();
        self.at = at;
    }
}
