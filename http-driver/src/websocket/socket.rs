//! The WebSocket that a handler uses.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::tungstenite::protocol::CloseFrame;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::{Error, Message};
use futures_core::Stream;
use futures_sink::Sink;

use super::shared::Shared;

/// An open WebSocket: a `Stream` of received messages and a `Sink` of messages to send.
///
/// Dropping it closes the WebSocket with a closing handshake; [`close`](Self::close) does so with
/// another status code. Pings are responded to while messages are read; they are also returned, and
/// need no response. When the server shuts down, the client gets a Close with 1001,
/// [`next`](Self::next) returns `None`, and [`send`](Self::send) fails; the handler has a second to
/// end.
pub struct WebSocket {
    shared: Shared,
    protocol: Option<String>,
    /// A message that the `Sink` has accepted and not sent yet.
    pending: Option<Message>,
}

impl WebSocket {
    pub(super) fn new(shared: Shared, protocol: Option<String>) -> Self {
        Self { shared, protocol, pending: None }
    }

    /// Returns the selected subprotocol.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Returns the next message; `None` after the WebSocket was closed or if the server shuts down.
    ///
    /// # Errors
    /// Returns an error if the client violates the protocol, exceeds a limit or has disconnected.
    /// It is the last item.
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|context| self.poll_message(context)).await
    }

    /// Sends a message, and waits until the transport has accepted it.
    ///
    /// # Errors
    /// Returns an error if the WebSocket is closed or the client has disconnected.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        poll_fn(|context| self.poll_pending(context)).await?;
        self.pending = Some(message);
        poll_fn(|context| self.poll_pending(context)).await?;
        poll_fn(|context| {
            self.shared.poll(context, |connected, context| {
                let flushed = connected.poll_flush(context);
                connected.note_writer(flushed, context)
            })
        })
        .await
    }

    /// Closes the WebSocket with this status code and reason of up to 123 bytes. Does not wait for
    /// the client's Close; the server does that afterwards.
    pub async fn close(self, frame: CloseFrame) {
        poll_fn(|context| {
            self.shared.poll(context, |connected, _| {
                connected.close(frame.clone());
                Poll::Ready(())
            })
        })
        .await;
    }

    fn poll_message(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Message, Error>>> {
        self.shared.poll(context, |connected, context| {
            if connected.is_closing {
                return Poll::Ready(None);
            }
            connected.poll_message(context)
        })
    }

    /// Passes the pending message to the stream when that has room.
    fn poll_pending(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.pending.is_none() {
            return Poll::Ready(Ok(()));
        }
        let pending = &mut self.pending;
        self.shared.poll(context, |connected, context| {
            let polled = Pin::new(&mut connected.stream).poll_ready(context);
            let ready = ready!(connected.note_writer(polled, context));
            match (ready, pending.take()) {
                (Ok(()), Some(message)) => Poll::Ready(Pin::new(&mut connected.stream).start_send(message)),
                (ready, _) => Poll::Ready(ready),
            }
        })
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_message(context)
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.poll_pending(context)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.pending = Some(message);
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_pending(context))?;
        self.shared.poll(context, |connected, context| {
            let flushed = connected.poll_flush(context);
            connected.note_writer(flushed, context)
        })
    }

    /// Sends what is pending and a Close with 1000.
    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        ready!(self.poll_pending(context))?;
        self.shared.poll(context, |connected, context| {
            connected.close_with(CloseCode::Normal);
            let flushed = connected.poll_flush(context);
            connected.note_writer(flushed, context)
        })
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        self.shared.release();
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}
