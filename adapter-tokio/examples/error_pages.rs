//! Errors of the server as JSON or as a page, readable by scripts of other sites:
//! `cargo run --example error_pages -- [ADDRESS]`.
//!
//! Try `curl -i http://127.0.0.1:8080/nothing`, and the same with `-H 'Accept: text/html'`.

use httpants_tokio::{FileRoot, Request, RequestHead, Response, Server, ServerError};

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let files = FileRoot::open(".")?;
    let handler = move |request: Request| std::future::ready(files.serve(&request));
    let server = Server::new(handler).on_error(|error, request| Some(page(error, request))).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/");
    }
    server.run()
}

/// The text of an error quotes neither the client nor the application, so it needs no escaping.
fn page(error: &ServerError, request: Option<&RequestHead>) -> Response {
    let status = error.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let response = if wants_html(request) {
        Response::html(format!("<!doctype html><title>{title}</title><h1>{status}</h1><p>{error}\n"))
    } else {
        // RFC 9457
        let code = status.as_u16();
        let problem = format!("{{\"status\":{code},\"title\":\"{title}\",\"detail\":\"{error}\"}}\n");
        Response::bytes("application/problem+json", problem)
    };
    response.with_header("Access-Control-Allow-Origin", "*").with_header("Cache-Control", "no-store")
}

/// The head is known only if it was accepted.
fn wants_html(request: Option<&RequestHead>) -> bool {
    let accept = request.and_then(|request| request.headers().text("accept"));
    accept.is_some_and(|accept| accept.contains("text/html"))
}
