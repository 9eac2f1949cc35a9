//! An application and its tests, without sockets:
//! `cargo test -p httpants-examples --bin testing`.

use std::time::Duration;

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

fn main() -> std::io::Result<()> {
    Server::new(greet).listen("127.0.0.1:8080").bind()?.run()
}

#[cfg(test)]
mod tests {
    use super::*;
    use httpants_tokio::testing::TestServer;

    #[test]
    fn names_are_greeted() {
        let server = TestServer::new(greet);
        let response = server.post("/greet").header("Content-Type", "text/plain").body("Ada").send();
        assert_eq!((response.status().as_u16(), response.body().as_ref()), (200, &b"hello Ada"[..]));
        assert_eq!(server.get("/other").send().status(), 404);
    }

    #[tokio::test(start_paused = true)]
    async fn slow_handlers_get_503() {
        let server = TestServer::of(Server::new(greet).config(|config| {
            config.timeouts.handler = Some(Duration::from_secs(10));
        }));
        let begun = tokio::time::Instant::now();
        assert_eq!(server.get("/greet").await.status(), 503);
        assert_eq!(begun.elapsed().as_secs(), 10);
    }
}
