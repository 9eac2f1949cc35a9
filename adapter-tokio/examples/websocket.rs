//! A WebSocket: `cargo run -p httpants-tokio --example websocket --features websocket`, then connect
//! a WebSocket client to `ws://127.0.0.1:8080/`. The same code runs on smol and async-std.

use httpants_tokio::websocket::{WebSocket, WebSocketError};
use httpants_tokio::{Request, Response, Server};

fn main() -> std::io::Result<()> {
    Server::new(respond).listen("127.0.0.1:8080").bind()?.run()
}

/// Responds with 101 to a valid handshake from a program or a page of this host, otherwise with the
/// error.
async fn respond(request: Request) -> Result<Response, WebSocketError> {
    let websocket = request.websocket()?.protocols(["echo"]).max_message_size(64 << 10);
    Ok(websocket.on_upgrade(echo))
}

/// Echoes messages. The client gets a Close with 1000 when this returns, and with 1001 when the
/// server shuts down.
async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
