//! A WebSocket echo (RFC 6455).

use httpants_tokio::websocket::{WebSocket, WebSocketError};
use httpants_tokio::{Request, Response};

/// Responds with 101 and the echo, or with the error of the handshake. Pages of every origin may
/// use it, because it does not identify users.
pub(crate) fn respond(request: &Request) -> Result<Response, WebSocketError> {
    let websocket = request.websocket()?.max_message_size(64 << 20).max_frame_size(16 << 20);
    Ok(websocket.any_origin().on_upgrade(echo))
}

/// Echoes messages until the client closes the WebSocket or violates the protocol, or the server
/// shuts down.
async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
