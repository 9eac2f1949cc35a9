//! The server for Http11Probe, with the endpoints that its contributing guide requires.
//! `httpants-server [PORT]`, by default port 8080.

use httpants_tokio::protocol::Method;
use httpants_tokio::{BodyError, Request, Response, Server};

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "8080".to_owned());
    let bound = Server::new(respond).listen(format!("0.0.0.0:{port}").as_str()).bind()?;
    bound.local_addresses().iter().for_each(|address| println!("{address}"));
    bound.run()
}

async fn respond(mut request: Request) -> Result<Response, BodyError> {
    if *request.method() == Method::CONNECT {
        return Ok(Response::method_not_allowed([Method::GET, Method::HEAD, Method::POST, Method::OPTIONS]));
    }
    let body = request.bytes().await?;
    Ok(match request.path() {
        "/echo" => Response::text(fields(&request)),
        "/cookie" => Response::text(cookies(&request)),
        _ if *request.method() == Method::POST => Response::from(body),
        _ => Response::text("OK"),
    })
}

/// Returns each field line as it was sent.
fn fields(request: &Request) -> Vec<u8> {
    request.headers().iter_raw().flat_map(|(name, value)| [name.as_bytes(), b": ", value, b"\n"].concat()).collect()
}

/// Returns each cookie as `name=value`.
fn cookies(request: &Request) -> Vec<u8> {
    let pairs = request.headers().all("cookie").flat_map(|line| line.split(|&byte| byte == b';'));
    let named = pairs.map(<[u8]>::trim_ascii_start).filter(|pair| pair.contains(&b'='));
    named.flat_map(|pair| [pair, b"\n"].concat()).collect()
}
