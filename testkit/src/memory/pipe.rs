//! The two ends of a connection in memory.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use httpants_driver::runtime::{PeerClose, SendHint, Transport};

use super::random::Random;

/// Maximum number of bytes of a file that a socket accepts at once.
const MAX_FILE_PIECE: usize = 256 << 10;

/// Variations in the behaviour of sockets and tasks.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Faults {
    /// True if tasks run in random order.
    pub shuffle: bool,
    /// True if reads and writes transfer a random number of bytes, at least one.
    pub cut: bool,
    /// Percentage of cases in which a socket reports that it is not ready and wakes its task at
    /// once; blocking work then takes a random number of polls.
    pub delay_percent: u8,
    /// True if sockets can send files, as those of a kernel do; otherwise the driver reads them.
    /// This is not a fault: both are correct.
    pub send_files: bool,
}

impl Faults {
    /// Returns all faults, with sockets that cannot send files.
    #[must_use]
    pub fn all() -> Self {
        Self { shuffle: true, cut: true, delay_percent: 25, send_files: false }
    }
}

#[derive(Debug)]
struct Pipe {
    to_server: VecDeque<u8>,
    to_client: Vec<u8>,
    /// Number of bytes that the client will still accept.
    window: usize,
    /// True if room is not reported to the server, which can use it when it tries again.
    unreported: bool,
    /// Number of writes of the server.
    writes: u64,
    client_ended: bool,
    client_reset: bool,
    server_ended: bool,
    server_closed: bool,
    server_reset: bool,
    random: Random,
    faults: Faults,
    /// True if the socket reported that it is not ready since the last query.
    delayed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The waker of the task that waits for the end of the client's stream.
    watcher: Option<Waker>,
    /// The waker of the client, if it waits for bytes.
    client: Option<Waker>,
}

type Shared = Arc<Mutex<Pipe>>;

fn lock(pipe: &Shared) -> MutexGuard<'_, Pipe> {
    pipe.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn pair(seed: u64, faults: Faults) -> (Client, MemoryTransport) {
    let pipe = Arc::new(Mutex::new(Pipe {
        to_server: VecDeque::new(),
        to_client: Vec::new(),
        window: usize::MAX,
        unreported: false,
        writes: 0,
        client_ended: false,
        client_reset: false,
        server_ended: false,
        server_closed: false,
        server_reset: false,
        random: Random::new(seed),
        faults,
        delayed: false,
        reader: None,
        writer: None,
        watcher: None,
        client: None,
    }));
    (Client { pipe: Arc::clone(&pipe) }, MemoryTransport { pipe })
}

impl Pipe {
    fn take_wakers(&mut self) -> [Option<Waker>; 3] {
        [self.reader.take(), self.writer.take(), self.watcher.take()]
    }

    /// Returns true if the socket reports that it is not ready.
    fn delays(&mut self, context: &Context<'_>) -> bool {
        let percent = self.faults.delay_percent;
        let delays = percent > 0 && self.random.percent(percent);
        if delays {
            self.delayed = true;
            context.waker().wake_by_ref();
        }
        delays
    }

    /// Returns the number of the offered bytes that can be sent now.
    fn poll_room(&mut self, context: &Context<'_>, offered: usize) -> Poll<io::Result<usize>> {
        if self.client_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if self.server_ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if self.window == 0 || self.unreported {
            self.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        if self.delays(context) {
            return Poll::Pending;
        }
        let room = offered.min(self.window);
        Poll::Ready(Ok(self.cut(room)))
    }

    /// Records that the server has written `count` bytes.
    fn note_write(&mut self, count: usize) {
        self.writes += 1;
        if self.window != usize::MAX {
            self.window -= count;
        }
    }

    /// Returns the number of bytes that are transferred at once, at most `count`.
    fn cut(&mut self, count: usize) -> usize {
        if self.faults.cut && count > 1 { 1 + self.random.below(count) } else { count }
    }
}

/// The client's end, which tests use as the peer. The server sees its actions when the tasks run.
#[derive(Debug)]
pub struct Client {
    pipe: Shared,
}

impl Client {
    /// Changes the state that the server sees, and wakes the server after releasing the lock.
    fn change(&self, change: impl FnOnce(&mut Pipe)) {
        let mut pipe = lock(&self.pipe);
        change(&mut pipe);
        let wakers = pipe.take_wakers();
        drop(pipe);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Sends bytes.
    pub fn send(&self, bytes: &[u8]) {
        self.change(|pipe| pipe.to_server.extend(bytes));
    }

    /// Waits for bytes and returns all that arrived; empty at the end of the stream. A limited
    /// window ([`take_only`](Self::take_only)) grows by their number.
    pub(crate) fn poll_received(&self, context: &Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let waker = context.waker().clone();
        let mut pipe = lock(&self.pipe);
        if pipe.to_client.is_empty() && !pipe.server_ended && !pipe.server_closed {
            let replaced = pipe.client.replace(waker);
            drop(pipe);
            drop(replaced);
            return Poll::Pending;
        }
        if pipe.to_client.is_empty() && pipe.server_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let received = std::mem::take(&mut pipe.to_client);
        pipe.window = pipe.window.saturating_add(received.len());
        let writer = pipe.writer.take();
        drop(pipe);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(received))
    }

    /// Ends the sending side; the client may still receive.
    pub fn end(&self) {
        self.change(|pipe| pipe.client_ended = true);
    }

    /// Resets the connection: the server's next read or write fails.
    pub fn reset(&self) {
        self.change(|pipe| pipe.client_reset = true);
    }

    /// Accepts only this many more bytes, until the next call. With 0 the client never reads.
    pub fn take_only(&self, bytes: usize) {
        self.change(|pipe| (pipe.window, pipe.unreported) = (bytes, false));
    }

    /// Does the same as [`take_only`](Self::take_only) without waking a server that waits for room,
    /// like a kernel whose buffer has little room: the server can send when it tries again
    /// ([`Transport::retry_send`]).
    pub fn take_only_unreported(&self, bytes: usize) {
        let mut pipe = lock(&self.pipe);
        (pipe.window, pipe.unreported) = (bytes, pipe.writer.is_some());
    }

    /// Returns the bytes received since the last call.
    #[must_use]
    pub fn take_received(&self) -> Vec<u8> {
        std::mem::take(&mut lock(&self.pipe).to_client)
    }

    /// Returns whether the server ended its stream: it shut down its sending side, or closed.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        let pipe = lock(&self.pipe);
        pipe.server_ended || pipe.server_closed
    }

    /// Returns whether the server closed the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        lock(&self.pipe).server_closed
    }

    /// Returns whether the server closed the connection by a reset.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        let pipe = lock(&self.pipe);
        pipe.server_closed && pipe.server_reset
    }

    /// Returns true if the server's end reported that it is not ready since the last call.
    #[cfg(feature = "simulation")]
    pub(crate) fn take_delayed(&self) -> bool {
        std::mem::take(&mut lock(&self.pipe).delayed)
    }

    /// Returns the number of bytes that the server has not read yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        lock(&self.pipe).to_server.len()
    }

    /// Returns the number of writes of the server, each of which would be a system call on a
    /// socket.
    #[must_use]
    pub fn writes(&self) -> u64 {
        lock(&self.pipe).writes
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.end();
    }
}

/// The server's end. Runtimes use it as a [`Transport`] with wakers; loops without wakers use it as
/// a non-blocking socket, whose reads and writes return [`ErrorKind::WouldBlock`] if they cannot
/// continue. Dropping it closes the connection.
#[derive(Debug)]
pub struct MemoryTransport {
    pipe: Shared,
}

impl Transport for MemoryTransport {
    fn poll_recv(&mut self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.pipe);
        if pipe.client_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if pipe.to_server.is_empty() && !pipe.client_ended {
            pipe.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        if pipe.delays(context) {
            return Poll::Pending;
        }
        let available = pipe.to_server.len().min(buffer.len());
        let count = pipe.cut(available);
        pipe.to_server.read_exact(buffer.get_mut(..count).unwrap_or_default())?;
        Poll::Ready(Ok(count))
    }

    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        _hint: SendHint,
    ) -> Poll<io::Result<usize>> {
        self.change(|pipe| {
            let offered = slices.iter().map(|slice| slice.len()).sum();
            let count = ready!(pipe.poll_room(context, offered))?;
            let mut left = count;
            for slice in slices {
                let taken = slice.get(..left).unwrap_or(slice);
                pipe.to_client.extend_from_slice(taken);
                left -= taken.len();
            }
            pipe.note_write(count);
            Poll::Ready(Ok(count))
        })
    }

    fn retry_send(&mut self) {
        lock(&self.pipe).unreported = false;
    }

    fn poll_send_file(
        &mut self,
        context: &mut Context<'_>,
        file: &File,
        offset: u64,
        length: u64,
    ) -> Option<Poll<io::Result<usize>>> {
        self.change(|pipe| {
            pipe.faults.send_files.then(|| {
                let offered = usize::try_from(length).unwrap_or(usize::MAX).min(MAX_FILE_PIECE);
                let room = ready!(pipe.poll_room(context, offered))?;
                let mut buffer = vec![0; room];
                let count = read_at(file, &mut buffer, offset)?;
                pipe.to_client.extend(buffer.iter().take(count));
                pipe.note_write(count);
                Poll::Ready(Ok(count))
            })
        })
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shutdown();
        Poll::Ready(Ok(()))
    }

    fn poll_peer_closed(&mut self, context: &mut Context<'_>, awaited: PeerClose) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.pipe);
        if pipe.client_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        if pipe.client_ended && awaited == PeerClose::EndOrReset {
            return Poll::Ready(Ok(()));
        }
        pipe.watcher = Some(context.waker().clone());
        Poll::Pending
    }

    fn reset_on_close(&mut self) {
        lock(&self.pipe).server_reset = true;
    }
}

impl MemoryTransport {
    /// Changes the state that the client sees, and wakes the client after releasing the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Pipe) -> T) -> T {
        let mut pipe = lock(&self.pipe);
        let result = change(&mut pipe);
        let client = pipe.client.take();
        drop(pipe);
        client.into_iter().for_each(Waker::wake);
        result
    }

    /// Ends the sending side.
    pub fn shutdown(&mut self) {
        self.change(|pipe| pipe.server_ended = true);
    }
}

/// A non-blocking socket.
impl Read for MemoryTransport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        at_once(self.poll_recv(&mut Context::from_waker(Waker::noop()), buffer))
    }
}

/// A non-blocking socket.
impl Write for MemoryTransport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        at_once(self.poll_send(&mut Context::from_waker(Waker::noop()), slices, SendHint::Last))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn at_once<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(result) => result,
        Poll::Pending => Err(ErrorKind::WouldBlock.into()),
    }
}

impl Drop for MemoryTransport {
    fn drop(&mut self) {
        self.change(|pipe| pipe.server_closed = true);
    }
}

#[cfg(unix)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
pub(super) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}
