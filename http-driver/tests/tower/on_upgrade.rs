//! Tests of services that use `hyper::upgrade::OnUpgrade`.

use hyper::rt::{Read, ReadBuf, Write};
use hyper::upgrade::OnUpgrade;

use super::*;

type Outcome = Rc<RefCell<Vec<&'static str>>>;

/// Starts a service that takes hyper's future out of each request and awaits it in another task, as
/// axum does.
fn switching(memory: &Memory, outcome: &Outcome) -> Handle {
    let (world, outcome) = (memory.clone(), Rc::clone(outcome));
    start(
        memory,
        service_fn(move |mut request: http::Request<Body>| {
            let outcome = Rc::clone(&outcome);
            let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
            let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
            response.headers_mut().insert("upgrade", HeaderValue::from_static("echo"));
            match on_upgrade {
                None => response = empty(StatusCode::UPGRADE_REQUIRED),
                Some(on_upgrade) => world.serve(async move {
                    let Ok(stream) = on_upgrade.await else {
                        outcome.borrow_mut().push("none");
                        return;
                    };
                    echo(ByHyper(stream)).await;
                    outcome.borrow_mut().push("ended");
                }),
            }
            if request.uri() == "/refuse" {
                response = empty(StatusCode::FORBIDDEN);
            }
            async { Ok::<_, BoxError>(response) }
        }),
    )
}

/// hyper's stream with the traits that the echo uses.
struct ByHyper(hyper::upgrade::Upgraded);

impl AsyncRead for ByHyper {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(&mut self.0).poll_read(context, buffer.unfilled()).map_ok(|()| buffer.filled().len())
    }
}

impl AsyncWrite for ByHyper {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

fn offer(path: &str) -> Vec<u8> {
    head("GET", path, "Connection: upgrade\r\nUpgrade: echo\r\n")
}

#[test]
fn on_upgrade_passes_on_bytes_already_read() {
    for seed in 0..8 {
        let memory = Memory::with_faults(seed, if seed == 0 { Faults::default() } else { Faults::all() });
        let outcome = Outcome::default();
        switching(&memory, &outcome);
        let (client, mut received) = exchange(&memory, &[&offer("/")[..], b"early \r\n\r\n"].concat());
        client.send(b"late");
        client.end();
        memory.run();
        received += &String::from_utf8(client.take_received()).unwrap();
        assert!(received.starts_with("HTTP/1.1 101 "), "seed {seed}");
        assert!(received.ends_with("\r\n\r\nearly \r\n\r\nlate"), "seed {seed}: {received}");
        assert_eq!(*outcome.borrow(), ["ended"]);
        assert!(client.is_closed());
    }
}

#[test]
fn on_upgrade_reports_an_unused_offer() {
    let memory = Memory::new();
    let outcome = Outcome::default();
    switching(&memory, &outcome);
    assert!(exchange(&memory, &offer("/refuse")).1.starts_with("HTTP/1.1 403 "));
    assert_eq!(*outcome.borrow(), ["none"]);
    assert!(exchange(&memory, &head("GET", "/", "")).1.starts_with("HTTP/1.1 426 "), "none was offered");
}

#[test]
fn close_ends_a_stream_used_by_another_task() {
    let memory = Memory::new();
    let outcome = Outcome::default();
    let handle = switching(&memory, &outcome);
    let (client, _) = exchange(&memory, &offer("/"));
    assert_eq!(handle.connections(), 1, "it is counted while it is used");
    handle.close();
    memory.run();
    assert_eq!(*outcome.borrow(), ["ended"]);
    assert!(client.is_closed());
    assert_eq!((handle.connections(), memory.tasks()), (0, 0));
}
