//! An axum application on this server: `cargo run -p httpants-tokio --example axum`.
//!
//! Try `curl -F photo=@README.md http://127.0.0.1:8080/upload`, and a WebSocket client on
//! `ws://127.0.0.1:8080/echo`.
//!
//! Only the WebSocket needs tokio, because axum spawns its task on tokio. Without that route the
//! same application runs on `httpants-smol` and `httpants-async-std`; with it, it needs a tokio
//! context there, as in the program `axum` in the folder `examples`.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Extension, Multipart, Path};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Router, http::StatusCode};
use httpants_tokio::tower::TowerService;
use httpants_tokio::{Address, Request, Server};

/// Maximum size of an upload in bytes, for this server and for axum.
const LARGEST: usize = 1 << 30;

fn main() -> std::io::Result<()> {
    let application = Router::new()
        .route("/", get(async |ConnectInfo(client): ConnectInfo<SocketAddr>| format!("hello {client}\n")))
        .route("/greet/{name}", get(greet))
        .route("/upload", post(upload).layer(DefaultBodyLimit::max(LARGEST)))
        .route("/echo", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)));
    let service = TowerService::new(application).extend(|request, extensions| {
        if let Address::Ip(remote) = request.connection_info().remote_addr {
            extensions.insert(ConnectInfo(remote));
        }
    });
    Server::new(service).max_body_size(LARGEST as u64).listen("127.0.0.1:8080").bind()?.run()
}

/// Counts visits in a signed cookie of the server.
async fn greet(Path(name): Path<String>, Extension(known): Extension<Arc<Request>>) -> Response {
    let visits = known.signed_cookie_text("visits").and_then(|visits| visits.parse().ok()).unwrap_or(0_u64) + 1;
    match known.set_signed_cookie("visits", visits.to_string()) {
        Ok(()) => format!("hello {name}, for the {visits}. time\n").into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Reads each part while it is received, without storing it.
async fn upload(mut form: Multipart) -> Result<String, Response> {
    let mut report = String::new();
    while let Some(mut part) = form.next_field().await.map_err(IntoResponse::into_response)? {
        let mut length = 0;
        while let Some(piece) = part.chunk().await.map_err(IntoResponse::into_response)? {
            length += piece.len();
        }
        report += &format!("{}: {length} bytes\n", part.name().unwrap_or_default());
    }
    Ok(report)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
