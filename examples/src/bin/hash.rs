//! Returns the SHA-256 of an upload of up to 5 GiB, without storing it:
//! `cargo run -p httpants-examples --bin hash -- [ADDRESS]`.
//!
//! Try `curl -T - http://127.0.0.1:8080/ < large-file`, which is sent in chunks.

use httpants_tokio::{BodyError, BodyPolicy, Request, Response, Server};
use sha2::{Digest, Sha256};

/// Reads as fast as it hashes; meanwhile the client waits. An incomplete upload is an error, and
/// never returns a hash.
async fn hash(mut request: Request) -> Result<Response, BodyError> {
    if request.method() != "PUT" {
        return Ok(Response::method_not_allowed(["PUT"]));
    }
    let mut hasher = Sha256::new();
    while let Some(piece) = request.body_mut().next().await {
        hasher.update(&piece?);
    }
    let digest: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Response::text(digest + "\n"))
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::new(hash).body_policy(|_| BodyPolicy::StreamUpTo(5 << 30)).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/");
    }
    server.run()
}
