//! The task of a WebSocket, which runs the handler and the closing handshake.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use futures_io::{AsyncRead, AsyncWrite};

use super::paced::Paced;
use super::pings::{PingSettings, Pings};
use super::shared::{Connected, Shared};
use super::socket::WebSocket;
use crate::response::{TimeLimit, Upgraded};
use crate::runtime::yield_now;

/// Maximum time for the client's Close and the end of its stream.
const CLOSING: Duration = Duration::from_secs(5);
/// Maximum time for the handler and the client after the server began to shut down, and for the
/// handler after its client did not respond to a ping.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Runs the handler, concurrently with the pings and the closing handshake.
pub(super) async fn serve<F, Fut>(
    stream: Upgraded,
    (config, pings): (WebSocketConfig, PingSettings),
    protocol: Option<String>,
    handler: F,
) where
    F: FnOnce(WebSocket) -> Fut,
    Fut: Future<Output = ()>,
{
    let (draining, limit) = (stream.draining(), stream.limit());
    let stream = WebSocketStream::from_raw_socket(Paced::new(stream), Role::Server, Some(config)).await;
    let shared = Shared::new(Connected::new(stream));
    let pings = Pings::new(pings, &limit);
    let mut handled = pin!(handler(WebSocket::new(shared.clone(), protocol)));
    let mut closed = pin!(close_when_released(&shared, draining, limit, pings));
    let (mut is_handled, mut is_closed) = (false, false);
    poll_fn(|context| {
        is_handled = is_handled || handled.as_mut().poll(context).is_ready();
        is_closed = is_closed || closed.as_mut().poll(context).is_ready();
        if is_handled && is_closed { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Waits until the handler has dropped the WebSocket or the server shuts down, then closes the
/// WebSocket.
async fn close_when_released(shared: &Shared, draining: impl Future<Output = ()>, limit: TimeLimit, mut pings: Pings) {
    let mut draining = pin!(draining);
    let mut shuts_down = false;
    let released = poll_fn(|context| {
        if !shuts_down && draining.as_mut().poll(context).is_ready() {
            shuts_down = true;
            limit.set(SHUTDOWN);
        }
        if !shuts_down && pings.poll(shared, context, &limit) {
            tracing::debug!("the client of a WebSocket did not respond to a ping in time");
            limit.set(SHUTDOWN);
        }
        shared.poll_released(context, shuts_down)
    });
    let Some(mut connected) = released.await else { return };
    connected.close_with(if shuts_down { CloseCode::Away } else { CloseCode::Normal });
    if !shuts_down {
        limit.set(CLOSING);
    }
    let mut finished = pin!(finish(&mut connected));
    poll_fn(|context| {
        if !shuts_down && draining.as_mut().poll(context).is_ready() {
            shuts_down = true;
            limit.set(SHUTDOWN);
        }
        finished.as_mut().poll(context)
    })
    .await;
    if !shuts_down {
        limit.clear();
    }
}

/// Sends the Close and waits for the client's. If the client has violated the protocol, no Close
/// can be read, so it waits for the end of the client's stream: closing a connection while the
/// client is sending would reset it, and the Close might be lost.
async fn finish(connected: &mut Connected) {
    while let Some(Ok(_)) = poll_fn(|context| connected.poll_next(context)).await {
        yield_now().await;
    }
    if poll_fn(|context| connected.poll_flush(context)).await.is_err() {
        return;
    }
    let has_failed = connected.has_failed;
    let stream = connected.stream.get_mut();
    if poll_fn(|context| Pin::new(&mut *stream).poll_close(context)).await.is_err() || !has_failed {
        return;
    }
    let mut dropped = vec![0; 16 << 10];
    while let Ok(1..) = poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut dropped)).await {
        yield_now().await;
    }
}
