//! Requirements of the driver for a transport and a listener.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use httpants_driver::protocol::ConnectionInfo;
use httpants_driver::runtime::{Listener as _, Runtime, SendHint, Sleep, Transport as _};

use super::waking::Flag;
use crate::conformance::running::{assert_same, noise};
use crate::conformance::stage::{PATIENCE, Received, Stage, StageClient};

pub(super) type Accepted<S> = <<S as Stage>::Runtime as Runtime>::Transport;

/// A stage with one connection: the runtime's end and the client's end.
pub(super) struct Pair<S: Stage> {
    pub(super) stage: S,
    pub(super) transport: Accepted<S>,
    pub(super) client: S::Client,
}

/// Runs a scene inside the runtime, with a connection.
pub(super) fn with_pair<S: Stage, T>(scene: impl AsyncFnOnce(Pair<S>) -> T) -> T {
    within(async |mut stage: S| {
        let mut listener = stage.listen().expect("a listener");
        let client = stage.connect();
        let (transport, _) = accept(&mut listener).await;
        scene(Pair { stage, transport, client }).await
    })
}

/// Runs a scene inside the runtime.
pub(super) fn within<S: Stage, T>(scene: impl AsyncFnOnce(S) -> T) -> T {
    let stage = S::set();
    let runtime = stage.runtime();
    runtime.block_on(scene(stage)).expect("a runtime that starts and does not end before its future")
}

pub(super) async fn accept<L: httpants_driver::runtime::Listener>(listener: &mut L) -> (L::Transport, ConnectionInfo) {
    poll_fn(|context| listener.poll_accept(context)).await.expect("a connection")
}

/// Waits for `span` on the runtime's clock, so that other tasks run.
pub(super) async fn pause<R: Runtime>(runtime: &R, span: Duration) {
    let mut sleep = Box::pin(runtime.sleep_until(runtime.now().mono + span));
    poll_fn(|context| sleep.as_mut().poll_elapsed(context)).await;
}

impl<S: Stage> Pair<S> {
    pub(super) async fn try_recv(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        poll_fn(|context| self.transport.poll_recv(context, buffer)).await
    }

    pub(super) async fn recv(&mut self, buffer: &mut [u8]) -> usize {
        self.try_recv(buffer).await.expect("bytes, or the end")
    }

    /// Returns true if a read with this waker is pending.
    pub(super) fn recv_waits(&mut self, waker: &Waker) -> bool {
        self.transport.poll_recv(&mut Context::from_waker(waker), &mut [0; 64]).is_pending()
    }

    pub(super) async fn try_send(&mut self, bytes: &[u8], hint: SendHint) -> io::Result<usize> {
        poll_fn(|context| self.transport.poll_send(context, &[IoSlice::new(bytes)], hint)).await
    }

    pub(super) async fn send(&mut self, mut bytes: &[u8], hint: SendHint) {
        while !bytes.is_empty() {
            let count = self.try_send(bytes, hint).await.expect("a connection that takes bytes");
            assert!(0 < count && count <= bytes.len(), "{count} of {} bytes were sent", bytes.len());
            bytes = &bytes[count..];
        }
    }

    /// Sends from this pattern until a send with this waker is pending; returns the number of bytes
    /// sent.
    pub(super) fn fill(&mut self, waker: &Waker, pattern: &[u8], hint: SendHint) -> usize {
        let mut sent = 0;
        loop {
            assert!(sent < pattern.len(), "{sent} bytes were taken for a client that reads none");
            let end = pattern.len().min(sent + (1 << 20));
            let slices = [IoSlice::new(&pattern[sent..end])];
            match self.transport.poll_send(&mut Context::from_waker(waker), &slices, hint) {
                Poll::Ready(count) => sent += count.expect("a connection that takes bytes"),
                Poll::Pending => return sent,
            }
        }
    }

    /// Receives at the client's end, while the runtime runs, until `most` bytes or the end were
    /// received.
    pub(super) async fn client_gets(&mut self, most: usize) -> (Vec<u8>, Option<Received>) {
        let mut received = Vec::new();
        let runtime = self.stage.runtime();
        let end = self.stage.time() + PATIENCE;
        while received.len() < most {
            match self.client.receive(&mut received, Duration::ZERO) {
                Received::Bytes => {}
                Received::Nothing => {
                    let came = received.escape_ascii();
                    assert!(self.stage.time() < end, "the client waits for {most} bytes and has \"{came}\"");
                    pause(&runtime, Duration::from_millis(1)).await;
                }
                how => return (received, Some(how)),
            }
        }
        (received, None)
    }

    /// Returns all bytes that the client receives, and how the stream ended.
    pub(super) async fn client_gets_all(&mut self) -> (Vec<u8>, Received) {
        let (received, how) = self.client_gets(usize::MAX).await;
        (received, how.expect("more bytes than fit into memory"))
    }
}

/// Returns more bytes than the buffers of both ends hold.
pub(super) fn plenty() -> Vec<u8> {
    noise(64 << 20)
}

/// `poll_recv` fills the buffer from its start and returns the number of bytes; it is pending if
/// there are none, and returns 0 after the client has ended its stream.
pub fn recv_returns_bytes_and_0_at_the_end_of_the_stream<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let mut buffer = [0; 8];
        pair.client.send(b"hello, world");
        assert_eq!(pair.recv(&mut buffer).await, 8);
        assert_eq!(&buffer, b"hello, w");
        assert_eq!(pair.recv(&mut buffer).await, 4);
        assert_eq!(&buffer[..4], b"orld");
        assert!(pair.recv_waits(Waker::noop()), "a read was ready without bytes");
        pair.client.end();
        assert_eq!(pair.recv(&mut buffer).await, 0);
    });
}

/// After a read that returned fewer bytes than the buffer has, later bytes must not be missed,
/// however often: if readiness is edge-triggered, the next wait must re-arm it.
pub fn bytes_after_a_short_read_wake_the_reader<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let mut buffer = [0; 64];
        for round in 0..200_u8 {
            pair.client.send(&[round, round]);
            let mut count = pair.recv(&mut buffer).await;
            while count < 2 {
                count += pair.recv(&mut buffer[count..]).await;
            }
            assert_eq!(buffer[..count], [round, round]);
            if round % 3 == 0 {
                assert!(pair.recv_waits(Waker::noop()), "a read was ready without bytes");
            }
        }
    });
}

/// The end of the stream that arrives together with the last bytes is one event for both: a task
/// that waits for readability after the short read must still be woken.
pub fn end_arriving_with_the_last_bytes_wakes_the_reader<S: Stage>() {
    for _ in 0..20 {
        with_pair(async |mut pair: Pair<S>| {
            pair.client.send(b"last");
            pair.client.end();
            let mut buffer = [0; 64];
            assert_eq!(pair.recv(&mut buffer).await, 4);
            assert_eq!(pair.recv(&mut buffer).await, 0);
            assert_eq!(pair.recv(&mut buffer).await, 0, "the end stays");
        });
    }
}

/// `poll_send` sends the slices in order, including empty ones, and returns the number of bytes
/// sent; `poll_shutdown` ends the stream for the client, and reading is still possible.
pub fn slices_are_sent_in_order_and_shutdown_ends_the_stream<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let pieces: [&[u8]; 5] = [b"one", b" two", b"", b" three", b" four"];
        let mut sent = 0;
        let whole = pieces.concat();
        while sent < whole.len() {
            let mut skipped = sent;
            let rest = pieces.map(|piece| {
                let front = skipped.min(piece.len());
                skipped -= front;
                IoSlice::new(&piece[front..])
            });
            let hint = if sent == 0 { SendHint::More } else { SendHint::Last };
            let count = poll_fn(|context| pair.transport.poll_send(context, &rest, hint)).await.expect("a send");
            assert!(count > 0, "none of {} bytes was sent", whole.len() - sent);
            sent += count;
        }
        poll_fn(|context| pair.transport.poll_shutdown(context)).await.expect("a shutdown");
        assert_eq!(pair.client_gets_all().await, (whole, Received::End));
        pair.client.send(b"still here");
        let mut buffer = [0; 64];
        assert_eq!(pair.recv(&mut buffer).await, 10);
    });
}

/// If a client does not read, sends are pending, and its reading wakes the sender; no byte is lost
/// or duplicated in between, with either hint.
pub fn sending_waits_for_a_slow_reader<S: Stage>() {
    for hint in [SendHint::Last, SendHint::More] {
        with_pair(async |mut pair: Pair<S>| {
            let pattern = plenty();
            let flag = Flag::new();
            let mut sent = pair.fill(&flag.waker(), &pattern, hint);
            let mut received = Vec::new();
            // There is room after more than the pending bytes were read.
            while !flag.is_up() {
                let left = sent - received.len();
                assert!(left > 0, "the client has read all, and the sender was not woken");
                let (bytes, _) = pair.client_gets(left.min(256 << 10)).await;
                received.extend(bytes);
                flag.run_pending(&pair.stage.runtime()).await;
            }
            let end = sent + 10_000;
            while sent < end {
                match pair.fill_once(Waker::noop(), &pattern[sent..end]) {
                    0 => received.extend(pair.client_gets(1).await.0),
                    count => sent += count,
                }
            }
            let missing = sent - received.len();
            received.extend(pair.client_gets(missing).await.0);
            assert_same(&received, &pattern[..sent]);
        });
    }
}

impl<S: Stage> Pair<S> {
    /// Sends once; returns 0 if the send is pending.
    fn fill_once(&mut self, waker: &Waker, bytes: &[u8]) -> usize {
        match self.transport.poll_send(&mut Context::from_waker(waker), &[IoSlice::new(bytes)], SendHint::Last) {
            Poll::Ready(count) => count.expect("a connection that takes bytes"),
            Poll::Pending => 0,
        }
    }
}

/// If another task polls a read, the waker of the last poll is woken: the previous one may belong
/// to a task that has ended.
pub fn read_wakes_the_waker_of_its_last_poll<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let (first, last) = (Flag::new(), Flag::new());
        assert!(pair.recv_waits(&first.waker()) && pair.recv_waits(&last.waker()));
        pair.client.send(b"x");
        let (runtime, waker) = (pair.stage.runtime(), last.waker());
        last.until(&runtime, "the last waker of a read", || !pair.recv_waits(&waker)).await;
    });
}

/// If another task polls a send, the waker of the last poll is woken.
pub fn send_wakes_the_waker_of_its_last_poll<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let (first, last) = (Flag::new(), Flag::new());
        let pattern = plenty();
        let mut sent = pair.fill(&first.waker(), &pattern, SendHint::Last);
        sent += pair.fill(&last.waker(), &pattern[sent..], SendHint::Last);
        pair.client_gets(sent).await;
        let (runtime, waker) = (pair.stage.runtime(), last.waker());
        last.until(&runtime, "the last waker of a send", || pair.fill_once(&waker, b"x") > 0).await;
    });
}

/// If one task waits for both directions, either of them wakes it, whichever was polled last.
pub fn task_that_reads_and_sends_is_woken_by_either<S: Stage>() {
    for (read_last, bytes_come) in [(false, false), (false, true), (true, false), (true, true)] {
        with_pair(async |mut pair: Pair<S>| {
            let (flag, pattern, runtime) = (Flag::new(), plenty(), pair.stage.runtime());
            let waker = flag.waker();
            assert!(pair.recv_waits(&waker));
            let sent = pair.fill(&waker, &pattern, SendHint::Last);
            if read_last {
                assert!(pair.recv_waits(&waker));
            }
            if bytes_come {
                pair.client.send(b"x");
                flag.until(&runtime, "the task whose send is pending, after bytes arrived,", || {
                    !pair.recv_waits(&waker)
                })
                .await;
            } else {
                pair.client_gets(sent).await;
                let sends = || pair.fill_once(&waker, b"x") > 0;
                flag.until(&runtime, "the task whose read is pending, after room was freed,", sends).await;
            }
        });
    }
}

/// A reset by the client wakes a task that reads, and is an error for reads and sends: never a
/// hang, never a signal that ends the process.
pub fn reset_by_the_peer_is_an_error<S: Stage>() {
    with_pair(async |pair: Pair<S>| {
        let Pair { stage, mut transport, client } = pair;
        let flag = Flag::new();
        let waker = flag.waker();
        assert!(transport.poll_recv(&mut Context::from_waker(&waker), &mut [0; 8]).is_pending());
        client.reset();
        flag.up(&stage.runtime(), "the reader of a connection that was reset").await;
        let read = poll_fn(|context| transport.poll_recv(context, &mut [0; 8])).await;
        assert!(read.is_err(), "a read after a reset returned {read:?}");
        let sent = poll_fn(|context| transport.poll_send(context, &[IoSlice::new(b"x")], SendHint::Last)).await;
        assert!(sent.is_err(), "{sent:?} bytes were sent after a reset");
    });
}

/// Dropping the transport closes the connection: the sent bytes arrive, then the end.
pub fn dropped_transport_closes_the_connection<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        pair.send(b"all of it", SendHint::Last).await;
        let Pair { stage, transport, client } = pair;
        drop(transport);
        assert_eq!(gets_all(&stage, client).await, (b"all of it".to_vec(), Received::End));
    });
}

/// `reset_on_close` makes the next close a reset, so that an incomplete response does not look
/// complete.
pub fn reset_on_close_resets_the_connection<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        pair.send(b"half a response", SendHint::Last).await;
        pair.transport.reset_on_close();
        let Pair { stage, transport, client } = pair;
        drop(transport);
        assert_eq!(gets_all(&stage, client).await.1, Received::Reset);
    });
}

/// Returns all bytes that the client receives after its transport was dropped.
async fn gets_all<S: Stage>(stage: &S, mut client: S::Client) -> (Vec<u8>, Received) {
    let end = stage.time() + PATIENCE;
    let mut received = Vec::new();
    loop {
        match client.receive(&mut received, Duration::ZERO) {
            Received::Bytes => {}
            Received::Nothing => {
                assert!(stage.time() < end, "the client waits for the end and has \"{}\"", received.escape_ascii());
                pause(&stage.runtime(), Duration::from_millis(1)).await;
            }
            how => return (received, how),
        }
    }
}

/// Waiting connections are accepted one after the other. If there is none, the next one wakes the
/// waker of the last poll.
pub fn connections_are_accepted_one_by_one<S: Stage>() {
    within(async |mut stage: S| {
        let mut listener = stage.listen().expect("a listener");
        for round in 0..3 {
            let clients: Vec<_> = (0..20).map(|_| stage.connect()).collect();
            let mut accepted = Vec::new();
            for _ in &clients {
                accepted.push(accept(&mut listener).await);
            }
            let (first, last) = (Flag::new(), Flag::new());
            for flag in [&first, &last] {
                let waker = flag.waker();
                let pending = listener.poll_accept(&mut Context::from_waker(&waker)).is_pending();
                assert!(pending, "round {round}: there is no connection to accept");
            }
            let _late = stage.connect();
            last.up(&stage.runtime(), "who accepts").await;
            accept(&mut listener).await;
        }
    });
}
