//! What a runtime gives the driver: two traits about sockets, one about everything else.
//!
//! They are static: no boxes, and no `Send` where the runtime's spawn does not ask for it.

use std::fmt;
use std::future::Future;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::TcpListener;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{ConnectionInfo, Now};

/// A connected byte stream.
///
/// Adapters give plain ones: TLS comes from the driver, over any of them.
///
/// Each function takes the task's context where it cannot go on and wakes it when it can,
/// as `std::task` has it.
pub trait Transport: Unpin + 'static {
    /// Reads into the front of `buffer`, which is not empty; 0 is the end of the stream.
    ///
    /// Where the runtime re-arms readiness by a system call, wait for readability before
    /// trying to read after a short read.
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes the front of the slices, in one system call where the platform can; returns
    /// how many bytes went. With `more`, other bytes follow at once, so the platform may
    /// hold these back (`MSG_MORE`).
    fn poll_send(&mut self, context: &mut Context<'_>, slices: &[IoSlice<'_>], more: bool) -> Poll<io::Result<usize>>;

    /// The next sending is to try whether there is room, although the runtime reported none: it is
    /// called when [`timeouts.write`](httpants_core::Timeouts::write) is over.
    ///
    /// Kernels report room once there is much of it (Linux: a third of the buffer), and a slow
    /// peer may not get so far in that time. The default does nothing: it is for transports that
    /// try each time.
    fn retry_send(&mut self) {}

    /// Sends what [`poll_send`](Self::poll_send) has taken and still holds, as a secured
    /// transport does, and one whose kernel reports completions: what was taken counts as sent
    /// once this is ready. The default is for transports that hold nothing.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = context;
        Poll::Ready(Ok(()))
    }

    /// Shuts the sending side down; on a secured transport after its closing message.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Moves up to `length` bytes of the file from `offset` on into the socket without their
    /// passing through this process; 0 is the end of the file. `None` where the transport
    /// cannot, and then the driver reads the file and sends its bytes.
    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &std::fs::File,
        offset: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        let _ = (context, file, offset, length);
        None
    }

    /// Waits for the end of the peer's stream behind bytes that are not read: ready with `Ok`
    /// once the peer has ended it, and with an error once the connection is reset. With
    /// `reset_only` the end of the stream is known already. Reading could not see either there,
    /// and waiting for readability would be in vain.
    ///
    /// The default never becomes ready: a client that leaves behind unread bytes is noticed when
    /// something is sent to it.
    fn poll_peer_closed(&mut self, context: &mut Context<'_>, reset_only: bool) -> Poll<io::Result<()>> {
        let _ = (context, reset_only);
        Poll::Pending
    }

    /// Makes the coming close a reset (`SO_LINGER` 0), where the transport can: the peer must
    /// not take a broken response for a whole one.
    fn reset_on_close(&mut self) {}
}

/// An open listening socket of the runtime.
pub trait Listener: 'static {
    /// What it accepts.
    type Transport: Transport;

    /// Accepts one connection.
    ///
    /// # Errors
    /// Those of the platform. One that concerns only the connection that was about to be
    /// accepted, or the process's limits, is retried by the driver.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Self::Transport, ConnectionInfo)>>;
}

/// A timer that can be set again.
pub trait Sleep: 'static {
    /// Ready once the moment has come; stays ready until it is set again.
    fn poll_elapsed(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;

    /// Sets it to another moment on the clock of [`Runtime::now`].
    fn reset(self: Pin<&mut Self>, at: Duration);
}

/// Work under way on another thread; an error where it panicked or the runtime ends.
pub type Blocking<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// [`Runtime::unblock`] as a value, which goes along with what needs it: an uploaded file is
/// read and closed wherever its handler takes it, and need not know the runtime's type.
#[derive(Clone)]
pub struct BlockingPool(Arc<RunBlocking>);

type RunBlocking = dyn Fn(Box<dyn FnOnce() + Send>) -> Blocking<()> + Send + Sync;

impl BlockingPool {
    /// Runs work by this function. Where it cannot, it drops the work and gives an error; it
    /// is also called while values are dropped, so it must not panic.
    #[must_use]
    pub fn new(run: impl Fn(Box<dyn FnOnce() + Send>) -> Blocking<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// The pool of a runtime whose handle can be shared between threads.
    #[must_use]
    pub fn of(runtime: impl Runtime + Send + Sync) -> Self {
        Self::new(move |work| runtime.unblock(work))
    }

    /// Runs work that may block and returns its result. Where the future is dropped, so is the
    /// result.
    ///
    /// ```
    /// use httpants_driver::runtime::Runtime;
    /// use httpants_testkit::memory::Memory;
    ///
    /// let memory = Memory::new();
    /// let sum = memory.blocking_pool().run(|| Ok(2 + 2));
    /// assert_eq!(memory.block_on(sum)??, 4);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// The error of the work; another one where the work panicked, or the pool dropped it
    /// because the runtime has ended.
    pub fn run<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> io::Result<T> + Send + 'static,
    {
        let place = Arc::new(Mutex::new(None));
        let filled = Arc::clone(&place);
        let done = (self.0)(Box::new(move || {
            let result = work();
            *filled.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }));
        Box::pin(async move {
            done.await?;
            let result = place.lock().unwrap_or_else(PoisonError::into_inner).take();
            result.unwrap_or_else(|| Err(io::Error::other("blocking work was given up")))
        })
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingPool")
    }
}

/// [`Runtime::now`] as a value, which requests take along.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// A clock that this function reads.
    #[must_use]
    pub fn new(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The clock of a runtime whose handle can be shared between threads.
    #[must_use]
    pub fn of(runtime: impl Runtime + Send + Sync) -> Self {
        Self::new(move || runtime.now())
    }

    /// Both clocks at this moment.
    #[must_use]
    pub fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The services of an async runtime.
pub trait Runtime: Clone + 'static {
    /// The transport of an accepted connection.
    type Transport: Transport;
    /// A listening socket.
    type Listener: Listener<Transport = Self::Transport>;
    /// A timer.
    type Sleep: Sleep;

    /// Both clocks. The monotonic one has an origin that stays the same for the runtime.
    fn now(&self) -> Now;

    /// Both clocks a moment after `earlier`: the one for the time of the day need not be read
    /// again. The default reads both.
    fn now_behind(&self, earlier: Now) -> Now {
        let _ = earlier;
        self.now()
    }

    /// [`now`](Self::now) apart from this handle, which need not be `Send`: [`Clock::of`] where
    /// it is.
    fn clock(&self) -> Clock;

    /// A timer for a moment on the monotonic clock of [`now`](Self::now).
    fn sleep_until(&self, at: Duration) -> Self::Sleep;

    /// Takes over a bound, listening TCP socket.
    ///
    /// # Errors
    /// Those of registering it with the runtime.
    fn listen_tcp(&self, listener: TcpListener) -> io::Result<Self::Listener>;

    /// Takes over a bound, listening unix socket.
    ///
    /// # Errors
    /// Those of registering it with the runtime.
    #[cfg(unix)]
    fn listen_unix(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Self::Listener>;

    /// Runs work that may block, such as on files, on a thread of its own.
    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static;

    /// Reads from the file at `offset` what can be had without waiting, on the calling thread:
    /// how many bytes, never 0. `None` where there is nothing so near, and then the driver reads
    /// by [`unblock`](Self::unblock), which costs two switches of threads and also finds the
    /// end and the errors.
    ///
    /// The default reads what Linux has in memory; on other systems it reads nothing.
    fn read_cached(&self, file: &std::fs::File, buffer: &mut [u8], offset: u64) -> Option<usize> {
        #[cfg(target_os = "linux")]
        return crate::linux::read_cached(file, buffer, offset);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (file, buffer, offset);
            None
        }
    }

    /// [`unblock`](Self::unblock) apart from this handle, which need not be `Send`:
    /// [`BlockingPool::of`] where it is.
    fn blocking_pool(&self) -> BlockingPool;

    /// Runs a future to its end on the calling thread, with a runtime of its own that only
    /// this thread drives: one worker of a server.
    ///
    /// # Errors
    /// Those of starting the runtime.
    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output>;
}

/// Waits for so long on the runtime's clock, for what is to run on every runtime.
///
/// ```
/// use std::time::Duration;
/// use httpants_driver::runtime::{Runtime, sleep};
/// use httpants_testkit::memory::Memory;
///
/// let memory = Memory::new();
/// memory.serve(sleep(&memory, Duration::from_secs(60)));
/// memory.advance(Duration::from_secs(59));
/// assert_eq!(memory.tasks(), 1);
/// memory.advance(Duration::from_secs(1));
/// assert_eq!(memory.tasks(), 0);
/// ```
pub fn sleep<R: Runtime>(runtime: &R, span: Duration) -> impl Future<Output = ()> + use<R> {
    let timer = runtime.sleep_until(runtime.now().mono.saturating_add(span));
    async move {
        let mut timer = pin!(timer);
        poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;
    }
}

/// Lets other tasks have their turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Spawning, apart from [`Runtime`], so that only a runtime that moves tasks between threads
/// asks for `Send`.
pub trait Spawn<F: Future<Output = ()> + 'static>: Runtime {
    /// Runs the future in the background.
    fn spawn(&self, future: F);
}
