//! The origin server for HTTP Garden: it responds with each request as it was parsed, in JSON with
//! base64. `garden [PORT]`, by default port 80.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httpants_tokio::protocol::{Method, Version};
use httpants_tokio::{BodyError, Request, Response, Server};

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "80".to_owned());
    let bound = Server::new(respond).listen(format!("0.0.0.0:{port}").as_str()).bind()?;
    bound.local_addresses().iter().for_each(|address| println!("{address}"));
    bound.run()
}

async fn respond(mut request: Request) -> Result<Response, BodyError> {
    // The Garden compares requests, and a tunnel would end them.
    let status = if *request.method() == Method::CONNECT { 405 } else { 200 };
    let body = request.bytes().await?;
    let version = if request.version() == Version::HTTP_10 { "1.0" } else { "1.1" };
    let fields = request.headers().iter_raw();
    let fields = fields.map(|(name, value)| [STANDARD.encode(name), STANDARD.encode(value)]).collect::<Vec<_>>();
    let text = serde_json::json!({
        "headers": fields,
        "body": STANDARD.encode(body),
        "method": STANDARD.encode(request.method().as_str()),
        "uri": STANDARD.encode(request.target()),
        "version": STANDARD.encode(version),
    });
    Ok(Response::text(text.to_string()).with_status(status))
}
