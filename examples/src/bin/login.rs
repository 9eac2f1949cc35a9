//! Login, logout and messages that are shown once, in signed cookies:
//! `cargo run -p httpants-examples --bin login -- [ADDRESS [SECRETS-FILE]]`.
//! Try it in a browser, or: `curl -L -c jar -b jar -d name=alice http://127.0.0.1:8080/login`.

use std::time::Duration;

use httpants_tokio::{KeyRing, KeyRingFile, Misuse, Request, Response, Server};

const FORM: &str = "<form method=post action=/login><input name=name><button>Log in</button></form>\n";

async fn respond(request: Request) -> Result<Response, Misuse> {
    let message = match (request.method().as_str(), request.path()) {
        ("GET" | "HEAD", "/") => return page(&request),
        // An application would check a password.
        ("POST", "/login") => match request.post().get("name").filter(|name| !name.is_empty()) {
            Some(name) => request
                .set_signed_cookie_with("user", name, Duration::from_secs(8 * 3600), |cookie| cookie)
                .map(|()| "Welcome!")?,
            None => "Who are you?",
        },
        ("POST", "/logout") => request.remove_signed_cookie("user").map(|()| "Good bye!")?,
        _ => return Ok(Response::new(404)),
    };
    request.set_signed_cookie_with("flash", message, Duration::from_secs(60), |cookie| cookie)?;
    Ok(Response::redirect("/"))
}

fn page(request: &Request) -> Result<Response, Misuse> {
    let message = request.signed_cookie_text("flash").unwrap_or_default();
    if !message.is_empty() {
        request.remove_signed_cookie("flash")?;
    }
    Ok(match request.signed_cookie_text("user") {
        // Plain text, because the client chose the name.
        Some(name) => Response::text(format!("{message} You are {name}; POST /logout ends that.\n")),
        None => Response::html(format!("<p>{message}</p>{FORM}")),
    })
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let mut server = Server::new(respond).listen(address);
    if let Some(secrets) = std::env::args_os().nth(2) {
        server = server.cookie_keys(KeyRing::from_file(secrets)?);
    }
    let bound = server.bind()?;
    bound.local_addresses().iter().for_each(|address| println!("http://{address}/"));
    bound.run()
}
