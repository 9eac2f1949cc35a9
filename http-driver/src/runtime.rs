//! The traits that a runtime implements for the driver: two for sockets, one for everything else.
//!
//! They are static: nothing is boxed, and `Send` is required only where the runtime's spawn
//! requires it.

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
/// Adapters provide plain streams; the driver adds TLS to any of them.
///
/// Each function registers the task's waker if it returns `Pending`, as in `std::task`.
pub trait Transport: Unpin + 'static {
    /// Reads into `buffer`, which is not empty, from its start; returns the number of bytes read, 0
    /// at the end of the stream.
    ///
    /// If the runtime re-arms readiness by a system call, wait for readability before trying to
    /// read after a short read.
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Makes the next call of [`poll_recv`](Self::poll_recv) try to read even if the runtime has not
    /// reported that the socket is readable. Called when a shutdown begins, so that a request that the
    /// kernel has received by then is served.
    ///
    /// The default does nothing; it is for transports that always try to read.
    fn retry_recv(&mut self) {}

    /// Writes the first bytes of the slices, in one system call if the platform supports that;
    /// returns the number of bytes written.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        hint: SendHint,
    ) -> Poll<io::Result<usize>>;

    /// Makes sends try to write even if the runtime reported that the socket is not writable, until
    /// it is full. Called when [`timeouts.write`](httpants_core::Timeouts::write) expires.
    ///
    /// Kernels report a socket as writable only once much of its buffer is free (Linux: a third),
    /// which a slow peer may not reach before the timeout. A transport that tries only once leaves
    /// room for the next deadlines, which then extend the time of a peer that reads nothing. The
    /// default does nothing; it is for transports that always try to write.
    fn retry_send(&mut self) {}

    /// Sends the bytes that [`poll_send`](Self::poll_send) accepted and the transport still
    /// buffers, such as those of TLS or of an interface that reports completions. Accepted bytes
    /// count as sent once this is ready. The default is ready at once, for transports without a
    /// buffer.
    fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = context;
        Poll::Ready(Ok(()))
    }

    /// Shuts down the sending side; on a TLS transport after its closing message.
    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Sends up to `length` bytes of the file from `offset` without copying them through this
    /// process; returns 0 at the end of the file. Returns `None` if the transport does not support
    /// that; the driver then reads the file and sends its bytes.
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

    /// Waits until the peer closes the connection while received bytes are still unread: `Ok` once
    /// the peer has ended its stream, an error once the connection is reset. Reading would return
    /// the unread bytes first, and readability would only report them.
    ///
    /// The default never becomes ready: a client that disconnects after unread bytes is then
    /// noticed when something is sent to it.
    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        let _ = (context, awaited);
        Poll::Pending
    }

    /// Makes the next close a reset (`SO_LINGER` 0), if the transport supports that, so that the
    /// peer does not mistake an incomplete response for a complete one. The default does nothing.
    fn reset_on_close(&mut self) {}
}

/// A hint for [`Transport::poll_send`]: whether other bytes follow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SendHint {
    /// Nothing follows at once: send the bytes without delay, with those held back before.
    #[default]
    Last,
    /// Other bytes follow at once: the platform may hold these back (`MSG_MORE`).
    More,
}

/// The ways for a peer to close a connection that [`Transport::poll_peer_closed`] waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerClose {
    /// The end of the peer's stream, or a reset.
    #[default]
    EndOrReset,
    /// A reset only, because the end of the stream is already known.
    Reset,
}

/// A listening socket of the runtime.
pub trait Listener: 'static {
    /// The type of accepted connections.
    type Transport: Transport;

    /// Accepts one connection.
    ///
    /// # Errors
    /// Returns the errors of the platform. The driver retries after an error that concerns only one
    /// connection or the process's limits.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(Self::Transport, ConnectionInfo)>>;

    /// Makes [`poll_accept`](Self::poll_accept) try to accept even if the runtime has not reported a
    /// connection, until none is left. Called when a shutdown begins, so that connections that the
    /// kernel has accepted by then are served.
    ///
    /// The default does nothing; it is for listeners that always try to accept.
    fn retry_accept(&mut self) {}
}

/// A timer that can be reset.
pub trait Sleep: 'static {
    /// Waits until the time of the timer; stays ready until the timer is reset.
    fn poll_elapsed(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()>;

    /// Sets the timer to another time on the monotonic clock of [`Runtime::now`].
    fn reset(self: Pin<&mut Self>, at: Duration);
}

/// Work in progress on another thread; returns an error if it panicked or the runtime ends.
pub type Blocking<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// A [`Runtime::unblock`] that can be shared and does not name the runtime's type. Values that need
/// it contain a clone: an uploaded file can be read and closed in any task to which its handler
/// moves it.
#[derive(Clone)]
pub struct BlockingPool(Arc<RunBlocking>);

type RunBlocking = dyn Fn(Box<dyn FnOnce() + Send>) -> Blocking<()> + Send + Sync;

impl BlockingPool {
    /// Creates a pool from this function. If the function cannot run the work, it drops the work
    /// and returns an error; it is also called in destructors and must not panic.
    #[must_use]
    pub fn new(run: impl Fn(Box<dyn FnOnce() + Send>) -> Blocking<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(run))
    }

    /// Creates the pool of a runtime whose handle is `Send` and `Sync`.
    #[must_use]
    pub fn of(runtime: impl Runtime + Send + Sync) -> Self {
        Self::new(move |work| runtime.unblock(work))
    }

    /// Runs work that may block and returns its result. If the future is dropped, the result is
    /// dropped, too.
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
    /// Returns the error of the work, or another one if the work panicked or the pool dropped it
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
            result.unwrap_or_else(|| Err(io::Error::other("the runtime dropped the blocking work before it ran")))
        })
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlockingPool")
    }
}

/// A [`Runtime::now`] that can be shared and does not name the runtime's type; each request has
/// one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// Creates a clock from this function.
    #[must_use]
    pub fn new(now: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Creates the clock of a runtime whose handle is `Send` and `Sync`.
    #[must_use]
    pub fn of(runtime: impl Runtime + Send + Sync) -> Self {
        Self::new(move || runtime.now())
    }

    /// Returns the current monotonic and wall-clock time.
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
    /// The type of listening sockets.
    type Listener: Listener<Transport = Self::Transport>;
    /// The type of timers.
    type Sleep: Sleep;

    /// Returns the current monotonic and wall-clock time. All clones of the runtime share the
    /// origin of the monotonic time.
    fn now(&self) -> Now;

    /// Returns the current time, which is shortly after `earlier`; implementations may reuse the
    /// wall-clock time of `earlier`. The default reads both clocks.
    fn now_after(&self, earlier: Now) -> Now {
        let _ = earlier;
        self.now()
    }

    /// Returns [`now`](Self::now) as a value that is `Send` even if this handle is not. If the
    /// handle is `Send` and `Sync`, use [`Clock::of`].
    fn clock(&self) -> Clock;

    /// Creates a timer for a time on the monotonic clock of [`now`](Self::now).
    fn sleep_until(&self, at: Duration) -> Self::Sleep;

    /// Takes over a bound, listening TCP socket.
    ///
    /// # Errors
    /// Returns the errors of registering it with the runtime.
    fn listen_tcp(&self, listener: TcpListener) -> io::Result<Self::Listener>;

    /// Takes over a bound, listening unix socket.
    ///
    /// # Errors
    /// Returns the errors of registering it with the runtime.
    #[cfg(unix)]
    fn listen_unix(&self, listener: std::os::unix::net::UnixListener) -> io::Result<Self::Listener>;

    /// Runs blocking work, such as on files, on another thread.
    fn unblock<T, W>(&self, work: W) -> Blocking<T>
    where
        T: Send + 'static,
        W: FnOnce() -> T + Send + 'static;

    /// Reads bytes of the file at `offset` that are available without waiting, on the calling
    /// thread; returns their number, never 0. Returns `None` if there are none, and the driver then
    /// uses [`unblock`](Self::unblock), which costs two thread switches and also detects errors and
    /// the end of the file.
    ///
    /// The default reads from the page cache on Linux; on other systems it returns `None`.
    fn read_cached(&self, file: &std::fs::File, buffer: &mut [u8], offset: u64) -> Option<usize> {
        #[cfg(target_os = "linux")]
        return crate::page_cache::read_cached(file, buffer, offset);
        #[cfg(not(target_os = "linux"))]
        {
            let _ = (file, buffer, offset);
            None
        }
    }

    /// Returns [`unblock`](Self::unblock) as a value that is `Send` even if this handle is not. If
    /// the handle is `Send` and `Sync`, use [`BlockingPool::of`].
    fn blocking_pool(&self) -> BlockingPool;

    /// Runs a future to completion on the calling thread, with a runtime that only this thread
    /// drives. Each worker of a server runs in one call.
    ///
    /// # Errors
    /// Returns the errors of starting the runtime.
    fn block_on<F: Future>(&self, future: F) -> io::Result<F::Output>;
}

/// Waits for this duration on the runtime's clock. For code that is generic over runtimes.
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

/// Returns the current time, usually with one read of a clock instead of two: the wall-clock time
/// is computed from its last reading, and read again once a second.
pub(crate) fn read_clock<R: Runtime>(runtime: &R, last: Now) -> Now {
    let now = runtime.now_after(last);
    if now.mono.as_secs() == last.mono.as_secs() { now } else { runtime.now() }
}

/// Yields once to other tasks.
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

/// Spawning of tasks. It is separate from [`Runtime`], so that only runtimes that move tasks
/// between threads require `Send`.
pub trait Spawn<F: Future<Output = ()> + 'static>: Runtime {
    /// Runs the future in the background.
    fn spawn(&self, future: F);
}
