//! Forwards every request to another server, and returns its response: `cargo run -p httpants-tokio
//! --example reverse_proxy -- 127.0.0.1:8080 127.0.0.1:3000`.
//!
//! Bodies and trailers are streamed in both directions. Upgrades and CONNECT are not forwarded.

use std::{sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use httpants_tokio::http::{self, StatusCode, Uri, Version, uri::Authority};
use httpants_tokio::protocol::proxy::{Pseudonym, append_via, remove_hop_by_hop};
use httpants_tokio::tower::TowerService;
use httpants_tokio::{Body, BoxError, Bytes, Handler, Request, Server};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};

type Response = http::Response<BoxBody<Bytes, BoxError>>;

async fn forward(
    client: Client<HttpConnector, Body>,
    upstream: Authority,
    name: Pseudonym,
    mut request: http::Request<Body>,
) -> Result<Response, BoxError> {
    let received = request.extensions_mut().remove::<Arc<Request>>().ok_or("not called by httpants")?;
    let Some(path) = request.uri().path_and_query().cloned() else { return Ok(status(StatusCode::NOT_IMPLEMENTED)) };
    *request.uri_mut() = Uri::builder().scheme("http").authority(upstream).path_and_query(path).build()?;
    *request.headers_mut() = received.upstream_headers();
    append_via(request.headers_mut(), received.version(), &name);
    *request.version_mut() = Version::HTTP_11;
    request.extensions_mut().clear();
    let mut response = match client.request(request).await {
        Ok(response) if response.status() != StatusCode::SWITCHING_PROTOCOLS => response,
        failed => {
            eprintln!("no response from upstream: {:?}", failed.err());
            return Ok(status(StatusCode::BAD_GATEWAY));
        }
    };
    let version = response.version();
    remove_hop_by_hop(response.headers_mut());
    append_via(response.headers_mut(), version, &name);
    Ok(response.map(|body| body.map_err(BoxError::from).boxed()))
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Empty::new().map_err(|never| match never {}).boxed());
    *response.status_mut() = status;
    response
}

pub(crate) fn proxy(upstream: Authority, name: Pseudonym) -> impl Handler<Future: Send> {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
    TowerService::new(tower::service_fn(move |request| {
        forward(client.clone(), upstream.clone(), name.clone(), request)
    }))
}

fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let upstream = arguments.next().unwrap_or_else(|| "127.0.0.1:3000".into()).parse()?;
    Ok(Server::new(proxy(upstream, "httpants".parse()?)).max_body_size(1 << 30).listen(address).bind()?.run()?)
}
