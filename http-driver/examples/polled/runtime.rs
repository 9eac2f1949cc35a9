//! A runtime made of the standard library, one thread per worker: every waiting task is woken each
//! millisecond and tries again. It is complete and passes the behaviour suite.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime};

use httpants_driver::ConnectionInfo;
#[cfg(target_os = "linux")]
use httpants_driver::linux::PeerWatch;
use httpants_driver::protocol::{Address, Now};
#[cfg(target_os = "linux")]
use httpants_driver::runtime::PeerClose;
use httpants_driver::runtime::{self, Blocking, BlockingPool, Clock, Runtime, SendHint, Sleep, Spawn};
use socket2::Socket;

// The interval at which waiting tasks are woken.
const PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    // The wakers of waiting tasks and the spawned futures of this thread.
    static WAITING: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    static SPAWNED: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Tries an operation; if the socket is not ready, registers the task to try again.
fn attempt<T>(context: &Context<'_>, attempt: impl FnOnce() -> io::Result<T>) -> Poll<io::Result<T>> {
    match attempt() {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => wait(context),
        result => Poll::Ready(result),
    }
}

fn wait<T>(context: &Context<'_>) -> Poll<T> {
    WAITING.with_borrow_mut(|waiting| waiting.push(context.waker().clone()));
    Poll::Pending
}

/// A connected TCP or unix socket.
pub(crate) struct Transport(Socket);

impl runtime::Transport for Transport {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        attempt(context, || self.0.read(buffer))
    }

    fn poll_send(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>], _: SendHint) -> Poll<io::Result<usize>> {
        attempt(context, || self.0.write_vectored(slices))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.shutdown(Shutdown::Write))
    }

    fn reset_on_close(&mut self) {
        // If the option fails, the socket is already closed.
        let _ = self.0.set_linger(Some(Duration::ZERO));
    }

    #[cfg(target_os = "linux")]
    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        // There is no descriptor for a watch, which is not an error of the connection.
        let Ok(watch) = PeerWatch::new(&self.0, awaited) else { return wait(context) };
        match watch.poll()? {
            Poll::Ready(()) => Poll::Ready(Ok(())),
            Poll::Pending => wait(context),
        }
    }
}

/// A listening socket and its local address.
pub(crate) struct Listener(Socket, Address);

impl Listener {
    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?.as_socket();
        Ok(Self(socket, local.map_or(Address::Unix, Address::from)))
    }
}

impl runtime::Listener for Listener {
    type Transport = Transport;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Transport, ConnectionInfo)>> {
        attempt(context, || {
            let (socket, remote) = self.0.accept()?;
            socket.set_nonblocking(true)?;
            let remote = remote.as_socket().map_or(Address::Unix, Address::from);
            Ok((Transport(socket), ConnectionInfo::new(remote, self.1)))
        })
    }
}

/// A timer on the runtime's clock.
pub(crate) struct Timer {
    runtime: Polled,
    at: Duration,
}

impl Sleep for Timer {
    fn poll_elapsed(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.runtime.now().mono >= self.at { Poll::Ready(()) } else { wait(context) }
    }

    fn reset(mut self: Pin<&mut Self>, at: Duration) {
        self.at = at;
    }
}

/// The runtime: a handle that is cheap to clone. Tasks are stored per thread.
#[derive(Clone, Copy)]
pub(crate) struct Polled {
    origin: Instant,
}

impl Default for Polled {
    fn default() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Runtime for Polled {
    type Transport = Transport;
    type Listener = Listener;
    type Sleep = Timer;

    fn now(&self) -> Now {
        Now::new(self.origin.elapsed(), SystemTime::now().try_into().unwrap_or_default())
    }

    fn clock(&self) -> Clock {
        Clock::of(*self)
    }

    fn sleep_until(&self, at: Duration) -> Timer {
        Timer { runtime: *self, at }
    }

    fn listen_tcp(&self, listener: TcpListener) -> io::Result<Listener> {
        Listener::new(listener.into())
    }

    #[cfg(unix)]
    fn listen_unix(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Listener> {
        Listener::new(listener.into())
    }

    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static,
    {
        let done = Arc::new(Mutex::new((None, None::<Waker>)));
        let result = Arc::clone(&done);
        let started = thread::Builder::new().spawn(move || {
            // A panic becomes an error of the future that awaits the work.
            let given =
                catch_unwind(AssertUnwindSafe(work)).map_err(|_| io::Error::other("the blocking work panicked"));
            let mut result = result.lock().unwrap_or_else(PoisonError::into_inner);
            result.0 = Some(given);
            result.1.take().into_iter().for_each(Waker::wake);
        });
        Box::pin(async move {
            started?;
            poll_fn(|context| {
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.1 = Some(context.waker().clone());
                done.0.take().map_or(Poll::Pending, Poll::Ready)
            })
            .await
        })
    }

    fn blocking_pool(&self) -> BlockingPool {
        BlockingPool::of(*self)
    }

    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output> {
        let worker = Arc::new(Worker { thread: thread::current(), woken: AtomicBool::new(true) });
        let waker = Waker::from(Arc::clone(&worker));
        let context = &mut Context::from_waker(&waker);
        let mut future = pin!(future);
        let mut tasks: Vec<Task> = Vec::new();
        let mut tried = Instant::now();
        loop {
            if !worker.woken.load(Ordering::Acquire) {
                thread::park_timeout(PAUSE);
            }
            if tried.elapsed() >= PAUSE {
                tried = Instant::now();
                WAITING.take().into_iter().for_each(Waker::wake);
            }
            // Reset before polling, so that wake-ups during a poll are not lost.
            worker.woken.store(false, Ordering::Release);
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Ok(output);
            }
            tasks.extend(SPAWNED.take());
            // Polls all tasks, because an unneeded poll of a connection does no harm.
            tasks.retain_mut(|task| task.as_mut().poll(context).is_pending());
        }
    }
}

impl<F: Future<Output = ()> + 'static> Spawn<F> for Polled {
    fn spawn(&self, future: F) {
        SPAWNED.with_borrow_mut(|spawned| spawned.push(Box::pin(future)));
    }
}

/// Wakes the thread of a worker from any other thread.
struct Worker {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Worker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}
