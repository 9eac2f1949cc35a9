//! Errors of the server as JSON or as a page, and metrics on a separate port: `cargo run -p
//! httpants-examples --bin error_pages -- [ADDRESS [METRICS-ADDRESS]]`.
//!
//! Try `curl -i http://127.0.0.1:8080/nothing`, and the same with `-H 'Accept: text/html'`.

use httpants_tokio::{FileRoot, Handle, Request, RequestHead, Response, Server, ServerError};

/// Returns a page for an error. Its text contains no input of the client and no data of the
/// application, so it needs no escaping.
fn page(error: &ServerError, request: Option<&RequestHead>) -> Response {
    let status = error.status();
    let title = status.canonical_reason().unwrap_or("Error");
    // The head is known only if it was accepted.
    let accept = request.and_then(|request| request.headers().text("accept"));
    let response = if accept.is_some_and(|accept| accept.contains("text/html")) {
        Response::html(format!("<!doctype html><title>{title}</title><h1>{status}</h1><p>{error}\n"))
    } else {
        // RFC 9457
        let code = status.as_u16();
        let problem = format!("{{\"status\":{code},\"title\":\"{title}\",\"detail\":\"{error}\"}}\n");
        Response::bytes("application/problem+json", problem)
    };
    response.with_header("Access-Control-Allow-Origin", "*").with_header("Cache-Control", "no-store")
}

/// Returns the counters in the text format of Prometheus.
async fn metrics(site: Handle, _: Request) -> Response {
    let counters = site.counters();
    let (requests, open) = (counters.requests, counters.connections_open);
    let mut text = format!("requests_total {requests}\nconnections_open {open}\n");
    for (error, count) in counters.refusals.iter().filter(|(_, count)| *count > 0) {
        text += &format!("refusals_total{{reason=\"{}\"}} {count}\n", error.id());
    }
    Response::bytes("text/plain; version=0.0.4", text)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let mut addresses = std::env::args().skip(1);
    let files = FileRoot::open(".")?;
    let site = Server::with_state(files, async |files: FileRoot, request: Request| files.serve(&request))
        .on_error(|error, request| Some(page(error, request)))
        .listen(addresses.next().unwrap_or_else(|| "127.0.0.1:8080".into()))
        .bind()?;
    let metrics = Server::with_state(site.handle(), metrics)
        .listen(addresses.next().unwrap_or_else(|| "127.0.0.1:9090".into()))
        .bind()?;
    site.local_addresses().iter().chain(metrics.local_addresses()).for_each(|address| println!("http://{address}/"));
    tokio::try_join!(site.serve(), metrics.serve()).map(drop)
}
