//! Routes with parameters, 404 and 405: `cargo run -p httpants-examples --bin routes -- [ADDRESS]`.
//!
//! Try `curl -i http://127.0.0.1:8080/users/7/name` and `curl -i -X DELETE http://127.0.0.1:8080/`.

use httpants_tokio::{Request, Response, Server};

async fn route(request: Request) -> Response {
    // Segments are percent-decoded one by one: an encoded slash does not separate them.
    match (request.method().as_str(), &request.path_segments().to_vec()[..]) {
        ("GET" | "HEAD", [""]) => Response::html("<a href=/search?q=pants>search</a>\n"),
        ("GET" | "HEAD", ["search"]) => search(&request),
        ("GET" | "HEAD", ["users", id, "name"]) => name(id),
        (_, [""] | ["search"] | ["users", _, "name"]) => Response::method_not_allowed(["GET", "HEAD"]),
        _ => Response::text("there is no such page\n").with_status(404),
    }
}

fn search(request: &Request) -> Response {
    match request.query_param("q") {
        Some(words) => Response::text(format!("nothing found for {words}\n")),
        None => Response::text("search for what?\n").with_status(400),
    }
}

fn name(id: &str) -> Response {
    match id.parse::<u32>() {
        Ok(id) => Response::text(format!("the name of user {id}\n")),
        Err(_) => Response::text("the id of a user is a number\n").with_status(404),
    }
}

fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::new(route).listen(address).bind()?;
    for address in server.local_addresses() {
        println!("http://{address}/");
    }
    server.run()
}
