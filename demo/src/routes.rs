//! The routes.

use std::sync::Arc;

use bytes::Bytes;
use httpants_driver::runtime::{Runtime, sleep};
use httpants_tokio::protocol::{RequestHead, ResponseHead};
use httpants_tokio::{BodyError, BodyPolicy, Compression, FileRoot, FormError, Handler, Request, Response};

use crate::mistake::{Mistake, milliseconds, parameter};
use crate::{cookies, events, inspect, metrics, page, samples, session, websocket};

/// Maximum size in bytes of one chunk of /stream, and of the response of /lines, which are held in
/// memory.
const MAX_PIECE: usize = 16 << 20;

/// The state shared by the routes.
#[derive(Debug)]
pub(crate) struct Service<R> {
    /// The runtime whose timers /slow, /stream and /events use.
    pub(crate) runtime: R,
    /// The directory that /file/ serves.
    pub(crate) files: FileRoot,
}

/// Streams bodies that are only echoed or counted.
pub(crate) fn body_policy(head: &RequestHead) -> BodyPolicy {
    match (head.method().as_str(), head.path()) {
        ("POST", "/echo" | "/echo-len" | "/upload") => BodyPolicy::Stream,
        _ => BodyPolicy::Buffer,
    }
}

/// Returns whether a response is compressed with --compress. JSON contains the client's cookies and
/// text that others may have chosen, so its compressed length would reveal how similar they are
/// (BREACH).
pub(crate) fn is_compressed(_: &RequestHead, response: &ResponseHead) -> bool {
    Compression::is_compressible(response) && response.fields.get("Content-Type") != Some(b"application/json")
}

/// Returns the handler of all requests.
pub(crate) fn handler<R>(service: Arc<Service<R>>) -> impl Handler<Future: Send> + Send + Sync
where
    R: Runtime<Sleep: Send> + Send + Sync,
{
    move |request| respond(Arc::clone(&service), request)
}

/// Futures of routes with much state are boxed, so that the futures of the others stay small.
async fn respond<R>(service: Arc<Service<R>>, request: Request) -> Response
where
    R: Runtime<Sleep: Send> + Send + Sync,
{
    match (request.method().as_str(), request.path()) {
        (_, "/plaintext") => Response::text("Hello, World!"),
        ("POST", "/echo") => echo(request),
        ("POST", "/echo-len") => Box::pin(echo_len(request)).await.into(),
        ("POST", "/upload") => Box::pin(upload(request)).await.into(),
        ("GET" | "HEAD", path) if path.starts_with("/file/") => service.files.serve(&request),
        ("GET" | "HEAD", "/stream") => Box::pin(stream(&service.runtime, &request)).await.into(),
        ("GET" | "HEAD", "/slow") => slow(&service.runtime, &request).await.into(),
        ("GET" | "HEAD", "/events") => events::respond(&service.runtime, &request).into(),
        ("GET" | "HEAD", "/lines") => lines(&request).into(),
        ("GET" | "HEAD", "/healthz") => healthz(&request),
        ("GET" | "HEAD", "/metrics") => metrics::respond(&request),
        ("GET" | "HEAD", "/panic") => fail(),
        ("GET" | "HEAD", "/cookie/set") => cookies::set(&request).into(),
        ("GET" | "HEAD", "/cookie/set-secure") => cookies::set_secure(&request).into(),
        ("GET" | "HEAD", "/cookie/get-secure") => cookies::get_secure(&request).into(),
        ("POST", "/cookie/login") => session::login(&request).into(),
        ("POST", "/cookie/logout") => session::logout(&request).into(),
        ("GET", "/ws") => websocket::respond(&request).into(),
        ("GET" | "HEAD", path) if path.starts_with("/status/") => status(path),
        ("GET" | "HEAD", "/") if page::is_accepted(&request) => page::respond(&request, &service.files).into(),
        _ => Box::pin(inspect::respond(request)).await.into(),
    }
}

fn echo(request: Request) -> Response {
    let content_type = request.headers().get("Content-Type").unwrap_or(b"application/octet-stream").to_vec();
    let body = request.into_body();
    // Not the Content-Length of the request, which differs if the body is decoded.
    let length = body.remaining().filter(|&length| length > 0);
    let response = Response::stream(body).with_header("Content-Type", content_type);
    match length {
        Some(length) => response.with_header("Content-Length", length.to_string()),
        None => response,
    }
}

async fn echo_len(mut request: Request) -> Result<String, BodyError> {
    let mut length = 0;
    while let Some(piece) = request.body_mut().next().await {
        length += piece?.len();
    }
    Ok(length.to_string())
}

/// Counts the parts of a form and their bytes, while they are received.
async fn upload(mut request: Request) -> Result<String, FormError> {
    let (mut count, mut length) = (0, 0);
    let mut parts = request.parts()?;
    while let Some(mut part) = parts.next().await? {
        count += 1;
        while let Some(data) = part.data().await? {
            length += data.len();
        }
    }
    Ok(format!("{count} {length}"))
}

async fn stream(runtime: &impl Runtime, request: &Request) -> Result<Response, Mistake> {
    let chunks = parameter(request, "chunks", 10_u64)?;
    let size = parameter(request, "size", 1024_usize)?;
    let delay = milliseconds(request, "delay", 0)?;
    if size > MAX_PIECE {
        return Err(Mistake::Parameter("size"));
    }
    let piece = Bytes::from(vec![b'x'; size]);
    let mut responder = request.responder();
    responder.send_status(200)?;
    responder.send_headers([("Content-Type", "text/plain")], true)?;
    // An empty chunk would end the body (RFC 9112 section 7.1), so it is skipped and only its delay
    // applies. Without delay and data the loop would only waste time.
    let is_empty = request.method() == "HEAD" || (size == 0 && delay.is_zero());
    for _ in 0..if is_empty { 0 } else { chunks } {
        if !delay.is_zero() {
            sleep(runtime, delay).await;
        }
        if size > 0 {
            responder.send(piece.clone()).await?;
        }
    }
    Ok(responder.finish().await?)
}

/// Returns lines of text, each with its offset.
fn lines(request: &Request) -> Result<Response, Mistake> {
    match parameter(request, "size", 65_536)? {
        size if size > MAX_PIECE => Err(Mistake::Parameter("size")),
        size => Ok(Response::text(samples::lines(size))),
    }
}

async fn slow(runtime: &impl Runtime, request: &Request) -> Result<&'static str, Mistake> {
    sleep(runtime, milliseconds(request, "ms", 1000)?).await;
    Ok("slow")
}

fn healthz(request: &Request) -> Response {
    if request.server_handle().is_ready() { Response::text("ok") } else { Response::text("draining").with_status(503) }
}

fn status(path: &str) -> Response {
    match path.strip_prefix("/status/").and_then(|code| code.parse().ok()) {
        Some(code @ 200..=999) => Response::new(code),
        _ => Response::text("invalid status: expected 200 to 999\n").with_status(400),
    }
}

#[expect(clippy::panic, reason = "shows the response to a panic")]
fn fail() -> Response {
    panic!("panic requested by /panic")
}
