//! A WebSocket with tokio-tungstenite and no framework: `cargo run -p httpants-tokio --example
//! websocket`, then connect a WebSocket client to `ws://127.0.0.1:8080/`.
//!
//! An upgraded stream implements the traits of `futures-io` on every runtime. tokio-util's `compat`
//! converts them to tokio's; with async-tungstenite, which uses `futures-io`, leave out `compat()`,
//! and the same code runs on smol and async-std.

use futures_util::{SinkExt, StreamExt};
use httpants_tokio::{Request, Response, Server, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::compat::FuturesAsyncReadCompatExt;

fn main() -> std::io::Result<()> {
    Server::new(respond).listen("127.0.0.1:8080").bind()?.run()
}

/// Responds with 101 to a valid handshake (RFC 6455 section 4.2), otherwise with the error.
async fn respond(request: Request) -> Response {
    let headers = request.headers();
    let offered = headers.list("Upgrade").any(|protocol| protocol.eq_ignore_ascii_case(b"websocket"));
    let Some(key) = headers.get("Sec-WebSocket-Key").filter(|_| offered && request.offers_upgrade()) else {
        return Response::text("expected a WebSocket handshake\n").with_status(426).with_header("Upgrade", "websocket");
    };
    if headers.get("Sec-WebSocket-Version") != Some(b"13") {
        return Response::new(426).with_header("Upgrade", "websocket").with_header("Sec-WebSocket-Version", "13");
    }
    Response::upgrade("websocket", echo).with_header("Sec-WebSocket-Accept", derive_accept_key(key))
}

async fn echo(stream: Upgraded) {
    let limits = WebSocketConfig::default().max_message_size(Some(1 << 20));
    let mut socket = WebSocketStream::from_raw_socket(stream.compat(), Role::Server, Some(limits)).await;
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
