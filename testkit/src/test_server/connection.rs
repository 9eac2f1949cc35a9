//! Connections to a test server, and those that wait to be accepted.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use futures_io::{AsyncRead, AsyncWrite};
use httpants_core::ConnectionInfo;

use crate::memory::{Client, Faults, MemoryTransport, pipe};

/// Maximum number of bytes of a response that wait for the test to read them.
const WINDOW: usize = 256 << 10;

/// Connections that are not accepted yet.
#[derive(Debug, Default)]
pub(super) struct Backlog(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    connections: VecDeque<(MemoryTransport, ConnectionInfo)>,
    acceptor: Option<Waker>,
    /// True if the listener was dropped: connections are then closed at once.
    is_closed: bool,
}

impl Backlog {
    pub(super) fn connect(&self, info: ConnectionInfo) -> TestConnection {
        let (client, transport) = pipe::pair(0, Faults::default());
        client.take_only(WINDOW);
        let mut refused = None;
        let acceptor = {
            let mut waiting = self.waiting();
            match waiting.is_closed {
                true => refused = Some(transport),
                false => waiting.connections.push_back((transport, info)),
            }
            waiting.acceptor.take()
        };
        drop(refused);
        acceptor.into_iter().for_each(Waker::wake);
        TestConnection { client, received: Bytes::new() }
    }

    pub(super) fn poll_accept(&self, context: &Context<'_>) -> Poll<(MemoryTransport, ConnectionInfo)> {
        let waker = context.waker().clone();
        let mut waiting = self.waiting();
        match waiting.connections.pop_front() {
            Some(connection) => Poll::Ready(connection),
            None => {
                let replaced = waiting.acceptor.replace(waker);
                drop(waiting);
                drop(replaced);
                Poll::Pending
            }
        }
    }

    /// Closes the waiting connections, and all later ones at once.
    pub(super) fn close(&self) {
        let (connections, acceptor) = {
            let mut waiting = self.waiting();
            waiting.is_closed = true;
            (std::mem::take(&mut waiting.connections), waiting.acceptor.take())
        };
        drop((connections, acceptor));
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The client's end of a connection to a [`TestServer`](super::TestServer), as a stream of
/// `futures-io`: for raw bytes, and for clients of other protocols. Dropping it ends the connection.
#[derive(Debug)]
pub struct TestConnection {
    client: Client,
    received: Bytes,
}

impl TestConnection {
    /// Sends bytes. The server reads them when its tasks run.
    pub fn send(&self, bytes: impl AsRef<[u8]>) {
        self.client.send(bytes.as_ref());
    }

    /// Ends the sending side, like a client that only waits for its response.
    pub fn end(&self) {
        self.client.end();
    }

    /// Resets the connection.
    pub fn reset(&self) {
        self.client.reset();
    }

    /// Returns the next bytes; empty at the end of the stream.
    ///
    /// # Errors
    /// Returns an error if the server has reset the connection.
    pub async fn receive(&mut self) -> io::Result<Bytes> {
        std::future::poll_fn(|context| self.poll_receive(context)).await
    }

    fn poll_receive(&mut self, context: &Context<'_>) -> Poll<io::Result<Bytes>> {
        if !self.received.is_empty() {
            return Poll::Ready(Ok(std::mem::take(&mut self.received)));
        }
        self.client.poll_received(context).map_ok(Bytes::from)
    }
}

impl AsyncRead for TestConnection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut received = ready!(self.poll_receive(context))?;
        let count = received.len().min(buffer.len());
        if let Some(front) = buffer.get_mut(..count) {
            received.copy_to_slice(front);
        }
        self.received = received;
        Poll::Ready(Ok(count))
    }
}

/// Writing never waits: the bytes are kept until the server reads them.
impl AsyncWrite for TestConnection {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.client.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.client.send(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.client.end();
        Poll::Ready(Ok(()))
    }
}
