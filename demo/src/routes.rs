//! What answers which path.

use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use httpants_tokio::core::Framing;
use httpants_tokio::core::forms::{BadForm, urlencoded};
use httpants_tokio::{BodyError, Handle, Intake, Misuse, Request, Response};
use tokio::time::sleep;

use crate::{inspect, websocket};

/// The largest piece that /stream sends at once: it is made in memory.
const MAX_PIECE: usize = 16 << 20;

/// What the routes know of the server they run on.
#[derive(Debug, Default)]
pub(crate) struct Service {
    /// Set once the server is bound.
    pub(crate) handle: OnceLock<Handle>,
}

/// What is echoed is not read ahead of the handler.
pub(crate) fn intake(head: &httpants_tokio::core::Request) -> Intake {
    match (head.method().as_str(), head.path()) {
        ("POST", "/echo" | "/echo-len") => Intake::Stream,
        _ => Intake::Buffer,
    }
}

pub(crate) async fn answer(service: Arc<Service>, request: Request) -> Response {
    match (request.method().as_str(), request.path()) {
        (_, "/plaintext") => Response::text("Hello, World!"),
        ("POST", "/echo") => echo(request),
        ("POST", "/echo-len") => echo_len(request).await.into(),
        ("GET" | "HEAD", "/stream") => stream(&request).await.into(),
        ("GET" | "HEAD", "/slow") => slow(&request).await.into(),
        ("GET" | "HEAD", "/healthz") => healthz(&service),
        ("GET" | "HEAD", "/panic") => fail(),
        ("GET", "/ws") => websocket::answer(&request),
        ("GET" | "HEAD", path) if path.starts_with("/status/") => status(path),
        _ => inspect::answer(&request),
    }
}

fn echo(request: Request) -> Response {
    let content_type = request.headers().get("Content-Type").unwrap_or(b"application/octet-stream").to_vec();
    let length = request.framing();
    let response = Response::stream(request.into_body()).with_header("Content-Type", content_type);
    match length {
        Framing::Length(length) => response.with_header("Content-Length", length.to_string()),
        _ => response,
    }
}

async fn echo_len(mut request: Request) -> Result<String, BodyError> {
    let mut length = 0;
    while let Some(piece) = request.body_mut().next().await {
        length += piece?.len();
    }
    Ok(length.to_string())
}

async fn stream(request: &Request) -> Result<Response, Mistake> {
    let chunks = parameter(request, "chunks", 10_u64)?;
    let size = parameter(request, "size", 1024_usize)?;
    let delay = Duration::from_millis(parameter(request, "delay", 0)?);
    if size > MAX_PIECE {
        return Err(Mistake::Parameter("size"));
    }
    let piece = Bytes::from(vec![b'x'; size]);
    let mut responder = request.responder();
    responder.send_status(200)?;
    responder.send_headers([("Content-Type", "text/plain")], true)?;
    for _ in 0..chunks {
        if !delay.is_zero() {
            sleep(delay).await;
        }
        responder.send(piece.clone()).await?;
    }
    Ok(responder.finish().await?)
}

async fn slow(request: &Request) -> Result<&'static str, Mistake> {
    sleep(Duration::from_millis(parameter(request, "ms", 1000)?)).await;
    Ok("slow")
}

fn healthz(service: &Service) -> Response {
    match service.handle.get() {
        Some(handle) if handle.is_draining() => Response::text("draining").with_status(503),
        _ => Response::text("ok"),
    }
}

fn status(path: &str) -> Response {
    match path.strip_prefix("/status/").and_then(|code| code.parse().ok()) {
        Some(code @ 200..=999) => Response::new(code),
        _ => Response::text("a final status is 200 to 999\n").with_status(400),
    }
}

#[expect(clippy::panic, reason = "shows what becomes of a handler that fails")]
fn fail() -> Response {
    panic!("this route fails, as it should")
}

/// The query's value for this name, or what holds without one.
fn parameter<T: FromStr>(request: &Request, name: &'static str, default: T) -> Result<T, Mistake> {
    let variables = urlencoded::parse(request.query().as_bytes(), &urlencoded::Options::default())?;
    variables.get(name).map_or(Ok(default), |value| value.parse().map_err(|_| Mistake::Parameter(name)))
}

/// Why a route does not answer as it should.
#[derive(Debug)]
enum Mistake {
    /// The client's: this query variable.
    Parameter(&'static str),
    /// The client's: its query does not parse.
    Query(BadForm),
    /// Ours, or the connection has ended.
    Misuse(Misuse),
}

impl From<BadForm> for Mistake {
    fn from(fault: BadForm) -> Self {
        Self::Query(fault)
    }
}

impl From<Misuse> for Mistake {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<Mistake> for Response {
    fn from(mistake: Mistake) -> Self {
        match mistake {
            Mistake::Parameter(name) => Self::text(format!("{name} is not a possible number\n")).with_status(400),
            Mistake::Query(fault) => Self::text(format!("{fault}\n")).with_status(fault.status().as_u16()),
            Mistake::Misuse(misuse) => misuse.into(),
        }
    }
}
