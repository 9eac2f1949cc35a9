//! An axum application with typical routes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Form, Json, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum::routing::{any, get, post};
use axum::{Router, middleware};
use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde::{Deserialize, Serialize};
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::trace::TraceLayer;

#[derive(Debug, Deserialize, Serialize)]
struct Pet {
    name: String,
    legs: u8,
}

/// Returns the same routes for every server.
pub(crate) fn application() -> Router {
    let compressed = Router::new().route("/text", get("compress me, compress me, ".repeat(200)));
    let guarded = Router::new().route("/", get("inside")).layer(middleware::from_fn(guard));
    Router::new()
        .route("/", get("hello").post("posted"))
        .route("/users/{id}/pets/{name}", get(async |Path(path): Path<(u32, String)>| format!("{path:?}")))
        .route("/search", get(async |Query(pet): Query<Pet>| format!("{pet:?}")))
        .route("/json", post(async |Json(pet): Json<Pet>| Json(pet)))
        .route("/form", post(async |Form(pet): Form<Pet>| format!("{pet:?}")))
        .route("/multipart", post(multipart))
        .route("/bytes", post(async |content: Bytes| content))
        .route("/limited", post(async |content: Bytes| content).layer(DefaultBodyLimit::max(10)))
        .route("/echo", post(async |request: Request| Body::from_stream(request.into_body().into_data_stream())))
        .route("/count", post(count))
        .route("/reject", post((StatusCode::FORBIDDEN, "no")))
        .route(
            "/stream",
            get(async || Body::from_stream(stream::iter(["one ", "two ", "three"]).map(Ok::<_, axum::Error>))),
        )
        .route("/trailers", get(trailers))
        .route("/large", get(vec![b'x'; 1 << 20]))
        .route("/broken", get(broken))
        .route("/no-content", get(StatusCode::NO_CONTENT))
        .route("/not-modified", get(StatusCode::NOT_MODIFIED))
        .route("/redirect", get(Redirect::temporary("/")))
        .route("/cookies", get(AppendHeaders([(header::SET_COOKIE, "a=1"), (header::SET_COOKIE, "b=2")])))
        .route("/headers", get(headers))
        .route(
            "/target",
            any(async |request: Request| format!("{} {} {:?}", request.method(), request.uri(), request.version())),
        )
        .route(
            "/next",
            get(async |State(count): State<Arc<AtomicU64>>| count.fetch_add(1, Ordering::Relaxed).to_string()),
        )
        .route("/client", get(async |ConnectInfo(client): ConnectInfo<SocketAddr>| client.ip().to_string()))
        .route("/socket", any(async |upgrade: WebSocketUpgrade| upgrade.protocols(["echo"]).on_upgrade(echo)))
        .nest("/compressed", compressed.layer(CompressionLayer::new()))
        .nest("/guarded", guarded)
        .layer(SetResponseHeaderLayer::overriding(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")))
        .layer(TraceLayer::new_for_http())
        .with_state(Arc::default())
}

async fn guard(request: Request, next: middleware::Next) -> Result<Response, StatusCode> {
    if request.headers().contains_key(header::AUTHORIZATION) {
        Ok(next.run(request).await)
    } else {
        Err(StatusCode::UNAUTHORIZED)
    }
}

async fn multipart(mut form: Multipart) -> Result<String, Response> {
    let mut parts = String::new();
    while let Some(part) = form.next_field().await.map_err(IntoResponse::into_response)? {
        let name = format!("{:?} {:?} {:?}", part.name(), part.file_name(), part.content_type());
        let content = part.bytes().await.map_err(IntoResponse::into_response)?;
        parts += &format!("{name} {}\n", content.len());
    }
    Ok(parts)
}

/// Returns the length of the body and the trailer fields.
async fn count(request: Request) -> Result<String, StatusCode> {
    let announced = http_body::Body::size_hint(request.body()).exact();
    let (mut body, mut length, mut trailers) = (request.into_body(), 0, HeaderMap::new());
    while let Some(frame) = body.frame().await {
        match frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() {
            Ok(data) => length += data.len(),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok(format!("{announced:?} {length} {trailers:?}"))
}

async fn trailers() -> impl IntoResponse {
    let mut last = HeaderMap::new();
    last.insert("x-sum", HeaderValue::from_static("7"));
    let frames = [Frame::data(Bytes::from_static(b"summed up")), Frame::trailers(last)];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, axum::Error>)));
    ([(header::TRAILER, "x-sum")], Body::new(body))
}

async fn broken() -> Body {
    let pieces = [Ok("half of "), Err("the source failed")];
    Body::from_stream(stream::iter(pieces))
}

/// Returns the received fields, except those that depend on the client.
async fn headers(headers: HeaderMap) -> String {
    format!("{headers:?}")
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}
