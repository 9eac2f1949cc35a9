//! The transfer of bytes between the transport of a connection and its core.
//!
//! The buffers are taken out of the core while the transport uses them, so that no lock is held
//! then: [`Io::report`] reports the results to the core, and [`Io::prepare`] takes the next
//! buffers.

use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{Close, Connection, Now, RecvBuffer, Transmit, TransmitQueue, Transmitted};

use super::buffers;
use super::stream::Stream;
use crate::observe::{Count, Observer};
use crate::response::{FileRange, FileSender, OpenFiles};
use crate::runtime::{PeerClose, Runtime, SendHint, Transport};

/// Maximum number of slices in one vectored write.
const SLICES: usize = 16;

/// The transport of a connection, and the buffers that it uses.
pub(super) struct Io<T> {
    /// The stream; `None` during the handshake and after a handover.
    stream: Option<Stream<T>>,
    buffer: Option<RecvBuffer>,
    /// True if the core is idle and has lent no buffer since it became idle.
    idle_and_unlent: bool,
    received: Received,
    outgoing: TransmitQueue,
    sent: Transmitted,
    /// Number of bytes that the transport accepted and may still buffer.
    unflushed: usize,
    /// Number of those bytes that the transport has sent since the last report.
    partly: u64,
    failed: bool,
    files: FileSender,
    pub(super) open_files: OpenFiles,
    /// True if nothing more can be received before the task is woken.
    drained: bool,
    peer: PeerWatch,
    shutdown: Shutdown,
    close: Option<Close>,
}

/// The result of the last read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Received {
    #[default]
    Nothing,
    Bytes(usize),
    End,
    Failed,
}

impl Received {
    fn of(polled: Poll<io::Result<usize>>) -> Self {
        match polled {
            Poll::Pending => Self::Nothing,
            Poll::Ready(Ok(0)) => Self::End,
            Poll::Ready(Ok(count)) => Self::Bytes(count),
            // A TLS stream ended without `close_notify`. This can be treated as the end, because
            // request bodies are delimited, so a truncated one is detected; a response in progress
            // may still be useful.
            Poll::Ready(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => Self::End,
            Poll::Ready(Err(_)) => Self::Failed,
        }
    }
}

/// The state of watching for the end of the peer's stream while received bytes are still unread.
#[derive(Clone, Copy, Debug, PartialEq)]
enum PeerWatch {
    Off,
    On,
    /// The end was detected and is not yet reported to the core.
    Seen,
    /// The end was reported; only a reset is of interest.
    Reported,
}

/// The state of shutting down the sending side.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shutdown {
    No,
    Requested,
    Done,
}

/// The result of sending.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sent {
    Nothing,
    Something,
    /// The limit of file bytes for one poll of the task was reached.
    Enough,
}

impl<T: Transport> Io<T> {
    pub(super) fn new(stream: Option<Stream<T>>) -> Self {
        Self {
            stream,
            buffer: None,
            idle_and_unlent: false,
            received: Received::Nothing,
            outgoing: TransmitQueue::default(),
            sent: Transmitted::default(),
            unflushed: 0,
            partly: 0,
            failed: false,
            files: FileSender::default(),
            open_files: OpenFiles::default(),
            drained: false,
            peer: PeerWatch::Off,
            shutdown: Shutdown::No,
            close: None,
        }
    }

    /// Prepares for a new poll of the task.
    pub(super) fn begin_poll(&mut self) {
        self.files.begin_turn();
        self.drained = false;
    }

    /// Makes the next read try even if the runtime has reported nothing to read.
    #[cold]
    pub(super) fn retry_recv(&mut self) {
        if let Some(stream) = &mut self.stream {
            stream.retry_recv();
        }
    }

    /// Returns whether the connection was idle at the last call of
    /// [`prepare_to_wait`](Self::prepare_to_wait) and has lent no buffer since.
    pub(super) fn is_idle_and_unlent(&self) -> bool {
        self.idle_and_unlent
    }

    /// Returns the same, and resets it to false.
    pub(super) fn take_idle_and_unlent(&mut self) -> bool {
        std::mem::take(&mut self.idle_and_unlent)
    }

    /// Reads once, directly into a core that has no other handle now; returns whether the read
    /// returned bytes, the end of the stream or an error.
    pub(super) fn receive_into(
        &mut self,
        core: &mut Connection,
        observer: &Observer,
        now: Now,
        context: &mut Context<'_>,
    ) -> bool {
        supply(core);
        let room = core.recv_buf();
        let Some(stream) = self.stream.as_mut().filter(|_| !room.is_empty()) else { return false };
        match Received::of(stream.poll_recv(context, room)) {
            Received::Nothing => {
                self.drained = true;
                return false;
            }
            Received::Bytes(count) => {
                core.handle_recv(count, now);
                observer.count(Count::Received, count as u64);
            }
            received => self.received = received,
        }
        true
    }

    /// Returns whether there is nothing to send, and nothing more to receive before the task is
    /// woken.
    pub(super) fn has_no_work(&self) -> bool {
        self.drained && self.buffer.is_none() && self.outgoing.is_empty() && self.stream.is_some()
    }

    /// Prepares to wait; returns the time of the next deadline.
    pub(super) fn prepare_to_wait(&mut self, core: &mut Connection) -> Option<Duration> {
        self.idle_and_unlent = core.is_idle() && self.stream.is_some();
        core.poll_timeout().map(|deadline| deadline.at)
    }

    pub(super) fn set_stream(&mut self, stream: Stream<T>) {
        self.stream = Some(stream);
    }

    /// Takes the transport out, for another protocol.
    pub(super) fn take_stream(&mut self) -> Option<Stream<T>> {
        self.stream.take()
    }

    /// Reports to the core what the transport did since the last call.
    pub(super) fn report(&mut self, core: &mut Connection, observer: &Observer, now: Now) {
        let has_received = self.buffer.is_some() || self.received != Received::Nothing || self.peer == PeerWatch::Seen;
        let is_broken = has_received && self.report_received(core, observer, now);
        if self.partly > 0 {
            core.handle_partly_transmitted(std::mem::take(&mut self.partly), now);
        }
        if self.sent != Transmitted::default() {
            let sent = std::mem::take(&mut self.sent);
            observer.count(Count::Sent, sent.count());
            core.handle_transmitted(&mut self.outgoing, sent, now);
        }
        if is_broken || std::mem::take(&mut self.failed) {
            core.handle_io_error(now);
        }
    }

    /// Reports what was received while a request is handled, and the end of the peer's stream;
    /// returns whether the transport failed.
    fn report_received(&mut self, core: &mut Connection, observer: &Observer, now: Now) -> bool {
        let received = std::mem::take(&mut self.received);
        if let Some(buffer) = self.buffer.take() {
            if let Received::Bytes(count) = received {
                core.return_recv_buf(buffer, count, now);
                observer.count(Count::Received, count as u64);
            } else {
                core.return_recv_buf(buffer, 0, now);
            }
        }
        if received == Received::End {
            core.handle_eof(now);
            self.peer = PeerWatch::Reported;
        }
        if self.peer == PeerWatch::Seen {
            self.peer = PeerWatch::Reported;
            core.handle_peer_closed(now);
        }
        received == Received::Failed
    }

    /// Returns whether bytes may have arrived for which no buffer was taken from the core yet.
    pub(super) fn may_receive(&self) -> bool {
        self.buffer.is_none() && !self.drained && self.received == Received::Nothing && self.stream.is_some()
    }

    /// Takes a receive buffer from the core.
    pub(super) fn borrow(&mut self, core: &mut Connection) {
        supply(core);
        self.buffer = core.lend_recv_buf();
    }

    /// Takes the bytes to send from the core, and a receive buffer if `is_busy`: a request is
    /// handled.
    #[inline]
    pub(super) fn prepare(&mut self, core: &mut Connection, is_busy: bool) {
        self.idle_and_unlent = false;
        core.take_transmit(&mut self.outgoing);
        match core.poll_close() {
            Some(Close::ShutdownWrite) => self.shutdown = Shutdown::Requested,
            Some(close) => self.close = Some(close),
            None => {}
        }
        if self.stream.is_none() {
            return;
        }
        if is_busy && self.may_receive() {
            self.borrow(core);
        }
        match self.peer {
            PeerWatch::Off | PeerWatch::On => {
                self.peer = if core.watches_peer() { PeerWatch::On } else { PeerWatch::Off };
            }
            PeerWatch::Seen | PeerWatch::Reported => {}
        }
    }

    /// Returns the buffers of an idle or closed connection to the cache.
    pub(super) fn release(core: &mut Connection) {
        if let Some(storage) = core.release_storage() {
            buffers::put(storage);
        }
    }

    /// Reads once into the lent buffer, if there is one; returns whether the read returned bytes,
    /// the end of the stream or an error.
    pub(super) fn receive(&mut self, context: &mut Context<'_>) -> bool {
        let (Some(stream), Some(buffer)) = (&mut self.stream, &mut self.buffer) else {
            return false;
        };
        if self.received != Received::Nothing {
            return false;
        }
        self.received = Received::of(stream.poll_recv(context, buffer.room()));
        self.drained = self.received == Received::Nothing;
        !self.drained
    }

    /// Watches for the end of the peer's stream while received bytes are still unread; returns
    /// whether it was detected.
    pub(super) fn watch_peer(&mut self, context: &mut Context<'_>) -> bool {
        let Some(stream) = self.stream.as_mut().filter(|_| matches!(self.peer, PeerWatch::On | PeerWatch::Reported))
        else {
            return false;
        };
        let awaited = if self.peer == PeerWatch::Reported { PeerClose::Reset } else { PeerClose::EndOrReset };
        match (stream.poll_peer_closed(context, awaited), self.peer) {
            (Poll::Pending, _) => return false,
            (Poll::Ready(Ok(())), PeerWatch::On) => self.peer = PeerWatch::Seen,
            (Poll::Ready(_), _) => {
                self.peer = PeerWatch::Off;
                self.failed = true;
            }
        }
        true
    }

    /// Tries a last write at the write deadline, even if the runtime reports that the socket is not
    /// writable; returns whether bytes were sent.
    pub(super) fn retry_transmit<R>(&mut self, runtime: &R, context: &mut Context<'_>) -> bool
    where
        R: Runtime<Transport = T>,
    {
        let Some(stream) = self.stream.as_mut().filter(|_| !self.outgoing.is_empty()) else { return false };
        stream.retry_send();
        self.transmit(runtime, context) != Sent::Nothing || self.partly > 0
    }

    /// Writes until nothing is left or the socket is full.
    pub(super) fn transmit<R>(&mut self, runtime: &R, context: &mut Context<'_>) -> Sent
    where
        R: Runtime<Transport = T>,
    {
        match self.try_transmit(runtime, context) {
            Ok(sent) => sent,
            Err(_) => {
                self.outgoing = TransmitQueue::default();
                self.failed = true;
                Sent::Something
            }
        }
    }

    fn try_transmit<R>(&mut self, runtime: &R, context: &mut Context<'_>) -> io::Result<Sent>
    where
        R: Runtime<Transport = T>,
    {
        let Some(stream) = &mut self.stream else { return Ok(Sent::Nothing) };
        let mut moved = Sent::Nothing;
        loop {
            // Accepted bytes count only after they were sent: the deadlines and the close wait for
            // that.
            if self.unflushed > 0 {
                let flushed = stream.poll_flush(context);
                let left = stream.take_sent();
                match flushed {
                    Poll::Pending => {
                        self.partly = self.partly.saturating_add(left);
                        return Ok(moved);
                    }
                    Poll::Ready(flushed) => flushed?,
                }
                self.sent += self.outgoing.advance(std::mem::take(&mut self.unflushed) as u64);
                moved = Sent::Something;
            }
            let sent = match self.outgoing.poll() {
                None => {
                    self.files.forget();
                    return Ok(moved);
                }
                Some(Transmit::Bytes(slices)) => {
                    let hint = if slices.file_follows() { SendHint::More } else { SendHint::Last };
                    let mut gathered = [IoSlice::new(&[]); SLICES];
                    let mut count = 0;
                    for (place, slice) in gathered.iter_mut().zip(slices) {
                        *place = IoSlice::new(slice);
                        count += 1;
                    }
                    stream.poll_send(context, gathered.get(..count).unwrap_or_default(), hint)
                }
                Some(Transmit::External { .. }) if self.files.is_spent() => return Ok(Sent::Enough),
                Some(Transmit::External { file, offset, length }) => {
                    let file = self.open_files.get(file).ok_or(ErrorKind::NotFound)?;
                    let sent = self.files.poll_send(runtime, stream, context, FileRange { file, offset, length });
                    if let Poll::Ready(Ok(count)) = sent {
                        self.open_files.sent(count as u64);
                    }
                    sent
                }
                Some(_) => return Err(ErrorKind::Unsupported.into()),
            };
            match sent {
                Poll::Pending => return Ok(moved),
                Poll::Ready(Ok(0)) => return Err(ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => self.unflushed = count,
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
    }

    /// Shuts down the sending side or closes the transport; returns whether it is closed.
    pub(super) fn close(&mut self, context: &mut Context<'_>) -> bool {
        let Some(stream) = &mut self.stream else { return self.close.is_some() };
        match self.close {
            Some(Close::Reset) => stream.reset_on_close(),
            Some(_) => stream.announce_end(context),
            None => {
                if self.shutdown == Shutdown::Requested {
                    match stream.poll_shutdown(context) {
                        Poll::Pending => {}
                        Poll::Ready(Ok(())) => self.shutdown = Shutdown::Done,
                        Poll::Ready(Err(_)) => return self.drop_stream(),
                    }
                }
                return false;
            }
        }
        self.drop_stream()
    }

    /// Returns whether the sending side is shut down and only the end of the peer's stream is
    /// awaited.
    pub(super) fn is_shut_down(&self) -> bool {
        self.shutdown != Shutdown::No
    }

    fn drop_stream(&mut self) -> bool {
        self.stream = None;
        self.close = Some(Close::Now);
        true
    }

    /// Handles the drop of an unfinished task: resets the transport if the response is incomplete,
    /// so that it does not look complete.
    pub(super) fn reset_if_broken(&mut self, core: &mut Connection) -> Option<Stream<T>> {
        let mut stream = self.stream.take()?;
        self.buffer = None;
        if core.poll_close() == Some(Close::Reset) {
            stream.reset_on_close();
        }
        Some(stream)
    }
}

/// Passes a receive buffer from the cache to the core if it needs one.
fn supply(core: &mut Connection) {
    if let Some(size) = core.wanted_storage()
        && let Some(replaced) = core.supply_storage(buffers::take(size))
    {
        buffers::put(replaced);
    }
}
