//! `hyper PORT [--pipeline-flush] [--tls CERTIFICATE KEY]`: hyper with its own connection loop;
//! `--pipeline-flush` collects pipelined responses, and `--tls` is tokio-rustls.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, BodyStream, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_util::io::ReaderStream;

type Body = BoxBody<Bytes, io::Error>;
type Failure = Box<dyn Error + Send + Sync>;

fn full(body: impl Into<Bytes>) -> Body {
    Full::new(body.into()).map_err(|never: Infallible| match never {}).boxed()
}

async fn file(name: &str) -> Result<Response<Body>, Failure> {
    let file = tokio::fs::File::open(format!("{}/{name}", std::env::var("FILE_ROOT")?)).await?;
    let length = file.metadata().await?.len();
    let pieces = ReaderStream::with_capacity(file, 65536).map_ok(Frame::data);
    let response = Response::builder().header(header::CONTENT_TYPE, "application/octet-stream");
    Ok(response.header(header::CONTENT_LENGTH, length).body(StreamBody::new(pieces).boxed())?)
}

async fn upload(request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    let boundary = multer::parse_boundary(request.headers()[header::CONTENT_TYPE].to_str()?)?;
    let pieces = BodyStream::new(request.into_body()).try_filter_map(async |frame| Ok(frame.into_data().ok()));
    let mut form = multer::Multipart::new(pieces, boundary);
    let (mut parts, mut bytes) = (0, 0);
    while let Some(mut field) = form.next_field().await? {
        parts += 1;
        while let Some(piece) = field.chunk().await? {
            bytes += piece.len();
        }
    }
    Ok(Response::new(full(format!("{parts} {bytes}"))))
}

async fn handle(request: Request<Incoming>) -> Result<Response<Body>, Failure> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/plaintext") => {
            let mut response = Response::new(full("Hello, World!"));
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            response.headers_mut().insert(header::SERVER, HeaderValue::from_static("hyper"));
            Ok(response)
        }
        (&Method::POST, "/echo-len") => {
            let body = request.into_body().collect().await?.to_bytes();
            Ok(Response::new(full(body.len().to_string())))
        }
        (&Method::GET, "/slow") => {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Ok(Response::new(full("slow")))
        }
        (&Method::GET, "/file/1m") => file("1m").await,
        (&Method::GET, "/file/16k") => file("16k").await,
        (&Method::POST, "/upload") => upload(request).await,
        _ => {
            let mut response = Response::new(full(""));
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
    }
}

async fn serve(http: http1::Builder, stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = http.serve_connection(TokioIo::new(stream), service_fn(handle)).await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [port, flags @ ..] = &arguments[..] else { return Err("expected a port".into()) };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port.parse()?)).await?;
    let tls = match flags {
        [flag, certificate, key] if flag == "--tls" => {
            Some(TlsAcceptor::from(httpants_peers::server_config(certificate, key)?))
        }
        _ => None,
    };
    let mut http = http1::Builder::new();
    http.pipeline_flush(flags.iter().any(|flag| flag == "--pipeline-flush"));
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (http, tls) = (http.clone(), tls.clone());
        match tls {
            None => drop(tokio::spawn(serve(http, stream))),
            Some(tls) => drop(tokio::spawn(async move {
                if let Ok(stream) = tls.accept(stream).await {
                    serve(http, stream).await;
                }
            })),
        }
    }
}
