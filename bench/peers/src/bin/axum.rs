//! `axum PORT`

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Multipart};
use axum::http::header;
use axum::routing::{get, post};
use axum::serve::ListenerExt;

async fn upload(mut form: Multipart) -> Result<String, String> {
    let (mut parts, mut bytes) = (0, 0);
    while let Some(mut field) = form.next_field().await.map_err(|error| error.to_string())? {
        parts += 1;
        while let Some(piece) = field.chunk().await.map_err(|error| error.to_string())? {
            bytes += piece.len();
        }
    }
    Ok(format!("{parts} {bytes}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::args().nth(1).ok_or("expected a port")?.parse()?;
    let fields = [(header::CONTENT_TYPE, "text/plain"), (header::SERVER, "axum")];
    let application = Router::new()
        .route("/plaintext", get(async move || (fields, "Hello, World!")))
        .route("/echo-len", post(async |body: Bytes| body.len().to_string()))
        .route("/upload", post(upload))
        .nest_service("/file", tower_http::services::ServeDir::new(std::env::var("FILE_ROOT")?))
        .layer(DefaultBodyLimit::disable());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    Ok(axum::serve(listener, application).await?)
}
