//! Login, logout and messages that are shown once, in signed cookies:
//! `cargo run --example cookies -- [SECRETS-FILE]`.
//!
//! Try it in a browser, or: `curl -L -c jar -b jar -d name=alice http://127.0.0.1:8080/login`.

use std::io;
use std::time::Duration;

use httpants_tokio::{KeyRing, KeyRingFile, Misuse, Request, Response, Server};

const FORM: &str = "<form method=post action=/login><input name=name><button>Log in</button></form>\n";

async fn respond(request: Request) -> Result<Response, Misuse> {
    match (request.method().as_str(), request.path()) {
        ("POST", "/login") => {
            // An application would check a password here.
            let Some(name) = request.post().get("name").filter(|name| !name.is_empty()) else {
                flash(&request, "Who are you?")?;
                return Ok(Response::redirect("/"));
            };
            request.set_signed_cookie_with("user", name, Duration::from_secs(8 * 3600), |cookie| cookie)?;
            flash(&request, "Welcome!")?;
        }
        ("POST", "/logout") => {
            request.remove_signed_cookie("user")?;
            flash(&request, "Good bye!")?;
        }
        ("GET" | "HEAD", "/") => return page(&request),
        _ => return Ok(Response::new(404)),
    }
    Ok(Response::redirect("/"))
}

/// Keeps a message for the next page.
fn flash(request: &Request, message: &str) -> Result<(), Misuse> {
    request.set_signed_cookie_with("flash", message, Duration::from_secs(60), |cookie| cookie)
}

fn page(request: &Request) -> Result<Response, Misuse> {
    let message = request.signed_cookie_text("flash").unwrap_or_default();
    if !message.is_empty() {
        request.remove_signed_cookie("flash")?;
    }
    Ok(match request.signed_cookie_text("user") {
        // Plain text, because the name is the client's.
        Some(name) => Response::text(format!("{message} You are {name}; POST /logout ends that.\n")),
        None => Response::html(format!("<p>{message}</p>{FORM}")),
    })
}

fn main() -> io::Result<()> {
    let mut server = Server::new(respond).listen("127.0.0.1:8080");
    if let Some(secrets) = std::env::args_os().nth(1) {
        server = server.cookie_keys(KeyRing::from_file(secrets)?);
    }
    server.bind()?.run()
}
