//! For runtimes that implement `Transport::poll_peer_closed`: the end of a client's stream is
//! noticed while received bytes are still unread.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use httpants_driver::runtime::{PeerClose, Runtime, Sleep, Transport as _};

use super::contract::{Pair, with_pair};
use super::disconnect::serve;
use super::waking::Flag;
use crate::conformance::running::{get, noise, post};
use crate::conformance::stage::{Stage, StageClient};

/// Number of bytes that are never read: fewer than the buffers of both ends hold.
const UNREAD: usize = 10_000;

impl<S: Stage> Pair<S> {
    /// Returns true if the wait with this waker is pending.
    fn closed_waits(&mut self, waker: &Waker, awaited: PeerClose) -> bool {
        match self.transport.poll_peer_closed(&mut Context::from_waker(waker), awaited) {
            Poll::Pending => true,
            Poll::Ready(Ok(())) => false,
            Poll::Ready(Err(error)) => panic!("an error on an open connection: {error}"),
        }
    }

    /// Waits for at most `span`; returns the number of polls of the task, and the result of the
    /// wait.
    async fn wait_for_close(&mut self, span: Duration, awaited: PeerClose) -> (usize, Option<io::Result<()>>) {
        let runtime = self.stage.runtime();
        let mut end = pin!(runtime.sleep_until(runtime.now().mono + span));
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            if let Poll::Ready(closed) = self.transport.poll_peer_closed(context, awaited) {
                return Poll::Ready((polls, Some(closed)));
            }
            end.as_mut().poll_elapsed(context).map(|()| (polls, None))
        })
        .await
    }
}

/// The wait is pending while the client is connected, whether it has sent something or not, and
/// if a reset is awaited also after the end of its stream; it does not poll in a loop meanwhile.
pub fn peer_closed_is_pending_while_the_client_is_connected<S: Stage>() {
    for (unread, ended, awaited) in [
        (0, false, PeerClose::EndOrReset),
        (UNREAD, false, PeerClose::EndOrReset),
        (UNREAD, false, PeerClose::Reset),
        (0, true, PeerClose::Reset),
        (UNREAD, true, PeerClose::Reset),
    ] {
        with_pair(async |mut pair: Pair<S>| {
            pair.client.send(&noise(unread));
            if ended {
                pair.client.end();
            }
            let (polls, closed) = pair.wait_for_close(Duration::from_millis(100), awaited).await;
            assert!(closed.is_none(), "unread {unread}, ended {ended}: {closed:?}");
            // One poll per millisecond is allowed: a runtime may check periodically.
            assert!(polls < 300, "unread {unread}, ended {ended}: {polls} polls");
        });
    }
}

/// The end of the client's stream wakes the waker of the last poll, also after unread bytes; those
/// can still be read.
pub fn end_of_stream_after_unread_bytes_wakes<S: Stage>() {
    for unread in [0, 1, UNREAD] {
        with_pair(async |mut pair: Pair<S>| {
            let sent = noise(unread);
            pair.client.send(&sent);
            let (first, last, runtime) = (Flag::new(), Flag::new(), pair.stage.runtime());
            assert!(
                pair.closed_waits(&first.waker(), PeerClose::EndOrReset)
                    && pair.closed_waits(&last.waker(), PeerClose::EndOrReset)
            );
            pair.client.end();
            let waker = last.waker();
            last.until(&runtime, "the task that waits for the end", || {
                !pair.closed_waits(&waker, PeerClose::EndOrReset)
            })
            .await;
            let mut buffer = vec![0; unread + 1];
            let mut read = 0;
            while read < unread {
                read += pair.recv(&mut buffer[read..]).await;
            }
            assert_eq!(buffer[..read], sent);
            assert_eq!(pair.recv(&mut buffer).await, 0);
        });
    }
}

/// The first poll reports an end of the stream that happened before.
pub fn end_of_stream_before_the_first_poll_is_reported<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        pair.client.send(&noise(UNREAD));
        pair.client.end();
        let (_, closed) = pair.wait_for_close(Duration::from_secs(10), PeerClose::EndOrReset).await;
        assert!(matches!(closed, Some(Ok(()))), "{closed:?}");
    });
}

/// A reset is an error, also after unread bytes and after the end of the stream.
pub fn reset_after_unread_bytes_is_an_error<S: Stage>() {
    for (unread, ended) in [(0, false), (UNREAD, false), (0, true), (UNREAD, true)] {
        with_pair(async |mut pair: Pair<S>| {
            pair.client.send(&noise(unread));
            if ended {
                pair.client.end();
                let (_, closed) = pair.wait_for_close(Duration::from_secs(10), PeerClose::EndOrReset).await;
                assert!(matches!(closed, Some(Ok(()))), "{closed:?}");
            }
            let (flag, runtime) = (Flag::new(), pair.stage.runtime());
            let awaited = if ended { PeerClose::Reset } else { PeerClose::EndOrReset };
            assert!(pair.closed_waits(&flag.waker(), awaited));
            let Pair { mut transport, client, .. } = pair;
            client.reset();
            let mut closed = Ok(());
            let reset = || {
                let waker = flag.waker();
                match transport.poll_peer_closed(&mut Context::from_waker(&waker), awaited) {
                    Poll::Pending => false,
                    Poll::Ready(result) => {
                        closed = result;
                        true
                    }
                }
            };
            flag.until(&runtime, "the task that waits for a reset", reset).await;
            assert!(closed.is_err(), "unread {unread}, ended {ended}");
        });
    }
}

/// Returns requests followed by bytes that their handler does not read: a body, or more pipelined
/// requests than the server reads ahead.
fn unread_requests(path: &str) -> [Vec<u8>; 2] {
    [post(path, "", &noise(UNREAD)), [get(path), get("/").repeat(1_000)].concat()]
}

/// A handler is notified that its client ended its stream after unread bytes.
pub fn handler_is_notified_of_the_end_after_unread_bytes<S: Stage>() {
    for request in unread_requests("/watch") {
        let (server, gates) = serve::<S>(|_| {});
        let mut client = server.connect();
        client.send(&request);
        server.wait("the handler runs", || gates.running() == 1);
        client.end();
        server.wait("the handler is notified of the end", || gates.left.arrived() == 1);
        assert_eq!(client.response().text(), "true");
    }
}

/// A reset by the client drops its handler, whatever the client has sent before, and also if it has
/// ended its stream.
pub fn reset_after_unread_bytes_drops_the_handler<S: Stage>() {
    let [content, pipelined] = unread_requests("/watch-on");
    for request in [get("/watch-on"), content, pipelined] {
        for ends_before in [false, true] {
            let (server, gates) = serve::<S>(|_| {});
            let mut client = server.connect();
            client.send(&request);
            server.wait("the handler runs", || gates.running() == 1);
            if ends_before {
                client.end();
                server.wait("the handler is notified of the end", || gates.left.arrived() == 1);
            }
            client.reset();
            server.wait("the handler is dropped", || gates.running() == 0);
            server.wait_for_connections(0);
        }
    }
}

/// Clients that disconnect after unread bytes hold no connection longer than the timeout of
/// half-closed ones.
pub fn closed_clients_with_unread_bytes_are_dropped_in_time<S: Stage>() {
    let span = Duration::from_millis(300);
    let (server, gates) = serve::<S>(|config| config.timeouts.half_closed = Some(span));
    for _ in 0..20 {
        for request in unread_requests("/slow") {
            let mut client = server.connect();
            client.send(&request);
            drop(client);
        }
    }
    server.wait("the handlers run", || gates.slow.arrived() == 40);
    server.stage.pass(span);
    server.wait_for_connections(0);
    assert_eq!(gates.running(), 0);
}
