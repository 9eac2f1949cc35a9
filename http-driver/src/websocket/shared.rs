//! The stream that a WebSocket shares with the task of its connection.
//!
//! A task takes the stream out of the shared place while it polls it, so nothing is polled under
//! the lock. The task of the connection takes it to send a Close when the server shuts down, even
//! while the handler waits, and keeps it after the handler has dropped its [`WebSocket`].
//!
//! [`WebSocket`]: super::WebSocket

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Message};
use bytes::Bytes;
use futures_core::Stream;
use futures_sink::Sink;

use super::paced::Paced;

/// Maximum number of bytes of pongs that are buffered for a client that does not read.
const MAX_PONGS: usize = 64 << 10;
/// Number of messages after which other tasks get a turn.
const MAX_IN_A_ROW: u8 = 32;

/// The stream, and the state of its closing handshake.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) stream: WebSocketStream<Paced>,
    /// True if a Close of the server was queued.
    pub(super) is_closing: bool,
    /// True if the client violated the protocol or has disconnected, so that nothing more can be
    /// read.
    pub(super) has_failed: bool,
    /// Number of bytes of pongs since the last flush.
    pongs: usize,
    /// Number of messages that the handler read without waiting.
    in_a_row: u8,
    /// The waker of the handler while it waits for a message.
    reader: Option<Waker>,
    /// The waker of the handler while it waits for room to send.
    writer: Option<Waker>,
    /// True if the pong to the last ping of the server was not received yet.
    awaits_pong: bool,
    /// A message that was read before the handler asked for it.
    ahead: Option<Result<Message, Error>>,
}

impl Connected {
    pub(super) fn new(stream: WebSocketStream<Paced>) -> Self {
        Self {
            stream,
            is_closing: false,
            has_failed: false,
            pongs: 0,
            in_a_row: 0,
            reader: None,
            writer: None,
            awaits_pong: false,
            ahead: None,
        }
    }

    /// Queues a Close, unless either side has closed.
    pub(super) fn close(&mut self, frame: CloseFrame) {
        if !std::mem::replace(&mut self.is_closing, true) {
            // Fails only if the client has closed the WebSocket or has disconnected.
            let _ = Pin::new(&mut self.stream).start_send(Message::Close(Some(frame)));
        }
    }

    pub(super) fn close_with(&mut self, code: CloseCode) {
        self.close(CloseFrame { code, reason: "".into() });
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        if flushed.is_ready() {
            self.pongs = 0;
        }
        flushed
    }

    /// Returns the next message; queues a Close if the client violates the protocol.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        if self.has_failed {
            return Poll::Ready(None);
        }
        if self.pongs > MAX_PONGS && self.poll_flush(context).is_pending() {
            return Poll::Pending;
        }
        let mut next = Pin::new(&mut self.stream).poll_next(context);
        if matches!(&next, Poll::Ready(Some(Ok(Message::Pong(data)))) if data.is_empty() && self.awaits_pong) {
            // A pong to a ping of the server is not passed on to the handler.
            self.awaits_pong = false;
            next = Pin::new(&mut self.stream).poll_next(context);
        }
        match &next {
            Poll::Ready(Some(Ok(Message::Ping(data)))) => self.pongs += data.len() + 2,
            Poll::Ready(Some(Err(error))) => {
                self.has_failed = true;
                if let Some(code) = close_code(error) {
                    self.close_with(code);
                }
            }
            _ => {}
        }
        next
    }
}

impl Connected {
    /// Returns the next message for the handler. Yields to other tasks after [`MAX_IN_A_ROW`]
    /// messages, because a client may send without a pause.
    pub(super) fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        if self.in_a_row == MAX_IN_A_ROW {
            self.in_a_row = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = match self.ahead.take() {
            Some(message) => Poll::Ready(Some(message)),
            None => self.poll_next(context),
        };
        if next.is_ready() {
            self.in_a_row += 1;
        } else {
            self.in_a_row = 0;
            self.reader = Some(context.waker().clone());
        }
        next
    }
}

impl Connected {
    /// Stores the waker of the handler, which waits for room to send, unless `polled` is ready.
    pub(super) fn note_writer<T>(&mut self, polled: Poll<T>, context: &Context<'_>) -> Poll<T> {
        self.writer = polled.is_pending().then(|| context.waker().clone());
        polled
    }

    /// Wakes the handler, whether it waits to read or to send.
    pub(super) fn wake_handler(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// Queues a ping; returns whether another one may follow.
    pub(super) fn ping(&mut self) -> bool {
        if self.is_closing
            || self.has_failed
            || Pin::new(&mut self.stream).start_send(Message::Ping(Bytes::new())).is_err()
        {
            return false;
        }
        self.awaits_pong = true;
        self.stream.get_mut().has_received();
        true
    }

    /// Returns whether the client has sent anything since the last ping. If the handler does not
    /// read, one message is read ahead. While the handler does not take it, this returns true.
    pub(super) fn is_alive(&mut self, context: &mut Context<'_>) -> bool {
        if self.stream.get_mut().has_received() || self.ahead.is_some() || self.has_failed {
            return true;
        }
        if let Poll::Ready(message) = self.poll_next(context) {
            self.ahead = message;
            self.wake_handler();
            return true;
        }
        // The handler's waker was replaced by that of this task.
        self.wake_handler();
        self.stream.get_mut().has_received()
    }

    /// Closes the transport; the handler gets an error.
    pub(super) fn give_up(&mut self) {
        self.stream.get_mut().give_up();
        self.wake_handler();
    }
}

/// Returns the status code for an error of the client (RFC 6455 section 7.4.1); `None` if the
/// client has disconnected.
fn close_code(error: &Error) -> Option<CloseCode> {
    use async_tungstenite::tungstenite::error::ProtocolError;
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some(CloseCode::Protocol),
        Error::Utf8(_) => Some(CloseCode::Invalid),
        Error::Capacity(_) => Some(CloseCode::Size),
        _ => None,
    }
}

/// The shared place of the stream.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<Place>>);

#[derive(Debug)]
struct Place {
    connected: Option<Box<Connected>>,
    /// True if the handler has dropped its WebSocket.
    is_released: bool,
    /// The waker of the handler while it waits for the stream to be put back.
    user: Option<Waker>,
    /// The waker of the connection's task.
    owner: Option<Waker>,
}

/// A stream that was taken out; it is put back on drop.
struct Taken<'a> {
    shared: &'a Shared,
    connected: Option<Box<Connected>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let woken = {
            let mut place = self.shared.place();
            place.connected = self.connected.take();
            place.user.take()
        };
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Shared {
    pub(super) fn new(connected: Connected) -> Self {
        let connected = Some(Box::new(connected));
        Self(Arc::new(Mutex::new(Place { connected, is_released: false, user: None, owner: None })))
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `call` with the stream, for the handler.
    pub(super) fn poll<T>(
        &self,
        context: &mut Context<'_>,
        call: impl FnOnce(&mut Connected, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let waker = context.waker().clone();
        let connected = {
            let mut place = self.place();
            match place.connected.take() {
                Some(connected) => connected,
                None => {
                    let replaced = place.user.replace(waker);
                    drop(place);
                    drop(replaced);
                    return Poll::Pending;
                }
            }
        };
        let mut taken = Taken { shared: self, connected: Some(connected) };
        match taken.connected.as_deref_mut() {
            Some(connected) => call(connected, context),
            None => Poll::Pending,
        }
    }

    /// Records that the handler has dropped its WebSocket.
    pub(super) fn release(&self) {
        let owner = {
            let mut place = self.place();
            place.is_released = true;
            place.owner.take()
        };
        owner.into_iter().for_each(Waker::wake);
    }

    /// Waits until the handler has dropped its WebSocket, and returns the stream. Sends a Close with
    /// 1001 meanwhile if the server shuts down.
    pub(super) fn poll_released(&self, context: &mut Context<'_>, shuts_down: bool) -> Poll<Option<Box<Connected>>> {
        let waker = context.waker().clone();
        let replaced = {
            let mut place = self.place();
            if place.is_released {
                return Poll::Ready(place.connected.take());
            }
            place.owner.replace(waker)
        };
        drop(replaced);
        if shuts_down {
            let _ = self.poll(context, |connected, context| {
                connected.close_with(CloseCode::Away);
                connected.wake_handler();
                connected.poll_flush(context)
            });
        }
        Poll::Pending
    }
}
