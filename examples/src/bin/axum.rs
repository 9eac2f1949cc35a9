//! An axum application with layers of tower-http, on tokio or smol:
//! `cargo run -p httpants-examples --bin axum -- [tokio|smol [ADDRESS]]`.

use std::io;
use std::time::Duration;

use async_compat::Compat;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::routing::{any, get};
use axum::{Router, extract::Path, http::StatusCode};
use httpants_tokio::tower::TowerService;
use tower::{ServiceExt, service_fn};
use tower_http::{compression::CompressionLayer, timeout::TimeoutLayer, trace::TraceLayer};
use tracing_subscriber::filter::LevelFilter;

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await
        && socket.send(message).await.is_ok()
    {}
}

fn main() -> io::Result<()> {
    tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG).with_writer(io::stderr).init();
    let application = Router::new()
        .route("/hello/{name}", get(async |Path(name): Path<String>| format!("hello {name}\n").repeat(20)))
        .route("/slow", get(std::future::pending::<()>))
        .route("/echo", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo)))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, Duration::from_secs(1)))
        .layer(CompressionLayer::new())
        .layer(TraceLayer::new_for_http());
    // The timeout and the WebSocket need tokio: on other runtimes, Compat provides a tokio context.
    let service = TowerService::new(service_fn(move |request| Compat::new(application.clone().oneshot(request))));
    let mut arguments = std::env::args().skip(1);
    let runtime = arguments.next().unwrap_or_else(|| "tokio".into());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    if runtime == "smol" {
        let server = httpants_smol::Server::new(service).workers(2).listen(address).bind()?;
        server.local_addresses().iter().for_each(|address| println!("http://{address}/"));
        return server.run();
    }
    if runtime != "tokio" {
        return Err(io::Error::other("usage: axum [tokio|smol [ADDRESS]]"));
    }
    let server = httpants_tokio::Server::new(service).workers(2).listen(address).bind()?;
    server.local_addresses().iter().for_each(|address| println!("http://{address}/"));
    server.run()
}
