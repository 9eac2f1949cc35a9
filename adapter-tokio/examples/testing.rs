//! Tests of an application without sockets: `cargo run -p httpants-tokio --example testing
//! --features testing`. In a real project, what `main` calls are functions with `#[test]` and
//! `#[tokio::test]`.

use std::time::Duration;

use httpants_tokio::testing::TestServer;
use httpants_tokio::{Request, Response, Server};

/// The application: it waits before it responds.
async fn greet(mut request: Request) -> Response {
    tokio::time::sleep(Duration::from_secs(60)).await;
    let name = request.text().await;
    match (request.path(), name) {
        ("/greet", Ok(name)) => Response::text(format!("hello {name}")),
        ("/greet", Err(error)) => error.into(),
        _ => Response::new(404),
    }
}

// #[test]
fn names_are_greeted() {
    let server = TestServer::new(greet);
    let response = server.post("/greet").header("Content-Type", "text/plain").body("Ada").send();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, &b"hello Ada"[..]));
    assert_eq!(server.get("/other").send().status(), 404);
}

// #[tokio::test(start_paused = true)]
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn slow_handlers_get_503() {
    let server = TestServer::of(Server::new(greet).config(|config| {
        config.timeouts.handler = Some(Duration::from_secs(10));
    }));
    let begun = tokio::time::Instant::now();
    assert_eq!(server.get("/greet").await.status(), 503);
    assert_eq!(begun.elapsed().as_secs(), 10);
}

fn main() {
    names_are_greeted();
    slow_handlers_get_503();
}
