//! Notes as JSON in a state that all requests share:
//! `cargo run -p httpants-examples --bin json -- [ADDRESS]`.
//!
//! Try `curl --json '{"text":"milk"}' http://127.0.0.1:8080/notes`, then the same without `--json`.

use std::sync::{Arc, Mutex, PoisonError};

use httpants_tokio::{BodyError, Request, Response, Server, StatusCode};

#[derive(Clone, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
struct Note {
    text: String,
}

type Notes = Arc<Mutex<Vec<Note>>>;

/// The error of a body that is not a note converts into 400, 413 or 415.
async fn handler(notes: Notes, mut request: Request) -> Result<Response, BodyError> {
    match (request.method().as_str(), request.path()) {
        ("GET" | "HEAD", "/notes") => Ok(Response::json(&*notes.lock().unwrap_or_else(PoisonError::into_inner))),
        ("POST", "/notes") => {
            let note: Note = request.json().await?;
            notes.lock().unwrap_or_else(PoisonError::into_inner).push(note.clone());
            Ok((StatusCode::CREATED, Response::json(&note)).into())
        }
        (_, "/notes") => Ok(Response::method_not_allowed(["GET", "HEAD", "POST"])),
        _ => Ok(Response::new(404)),
    }
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::with_state(Notes::default(), handler).max_body_size(64 << 10).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/notes");
    }
    server.run()
}
