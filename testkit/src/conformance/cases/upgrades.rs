//! Streams after an upgrade.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use httpants_driver::{Request, Response, Upgraded};

use crate::conformance::running::{Running, assert_same, get, noise, start, start_with};
use crate::conformance::stage::Stage;

/// Echoes bytes until the end of the stream; then ends its own side.
async fn echo(mut stream: Upgraded) {
    let mut buffer = vec![0; 10_000];
    loop {
        let read = poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await;
        let Ok(count @ 1..) = read else { break };
        let mut sent = 0;
        while sent < count {
            let written = poll_fn(|context| Pin::new(&mut stream).poll_write(context, &buffer[sent..count])).await;
            let Ok(more @ 1..) = written else { return };
            sent += more;
        }
    }
    let _ = poll_fn(|context| Pin::new(&mut stream).poll_close(context)).await;
}

fn serve<S: Stage>() -> Running<S> {
    start(async |request: Request| match request.method().as_str() {
        "CONNECT" => Response::tunnel(echo),
        _ => Response::upgrade("echo", echo),
    })
}

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// Bytes that the client sent after its request belong to the new protocol, and are read first.
pub fn upgrade_passes_on_bytes_already_read<S: Stage>() {
    let server = serve::<S>();
    let mut client = server.connect();
    let response = client.ask(format!("{UPGRADE}early "));
    assert_eq!((response.status, response.field("Upgrade")), (101, Some("echo")));
    client.send("late");
    assert_eq!(client.take(10), b"early late");
    let content = noise(4 << 20);
    client.send_meanwhile(content.clone());
    assert_same(&client.take(content.len()), &content);
    client.end();
    client.expect_end();
}

/// CONNECT gets 200 and the raw stream.
pub fn tunnel_gets_the_raw_stream<S: Stage>() {
    let server = serve::<S>();
    let mut client = server.connect();
    client.send("CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\nthrough");
    let head = client.up_to(b"\r\n\r\n");
    assert!(head.starts_with(b"HTTP/1.1 200 "), "{}", head.escape_ascii());
    assert_eq!(client.take(7), b"through");
    client.end();
    client.expect_end();
}

/// An upgrade that the client did not offer is a mistake of the application: a 500.
pub fn upgrade_that_was_not_offered_is_a_500<S: Stage>() {
    assert_eq!(serve::<S>().connect().ask(get("/")).status, 500);
}

/// An upgraded stream continues after `shutdown`, and ends with `close`.
pub fn upgraded_stream_continues_after_shutdown<S: Stage>() {
    let server = serve::<S>();
    let (mut client, mut other) = (server.connect(), server.connect());
    for client in [&mut client, &mut other] {
        assert_eq!(client.ask(UPGRADE).status, 101);
    }
    server.handle.shutdown(Duration::from_secs(60));
    client.send("still");
    assert_eq!(client.take(5), b"still");
    client.end();
    client.expect_end();
    server.handle.close();
    other.expect_close();
    server.wait_for_connections(0);
}

/// A stream that waits for the shutdown can send a last message; the server then ends at once.
pub fn upgraded_stream_is_notified_of_the_shutdown<S: Stage>() {
    let server = start::<S, _, _>(async |_: Request| {
        Response::upgrade("echo", async |mut stream| {
            stream.draining().await;
            let _ = poll_fn(|context| Pin::new(&mut stream).poll_write(context, b"goodbye")).await;
            let _ = poll_fn(|context| Pin::new(&mut stream).poll_close(context)).await;
        })
    });
    let mut client = server.connect();
    assert_eq!(client.ask(UPGRADE).status, 101);
    assert!(client.is_quiet());
    server.handle.shutdown(Duration::from_secs(60));
    assert_eq!(client.take(7), b"goodbye");
    client.expect_end();
    server.wait_for_connections(0);
}

/// A stream that ignores the shutdown is dropped after `upgrade_grace`, which is shorter than the
/// grace.
pub fn upgraded_stream_is_dropped_after_upgrade_grace<S: Stage>() {
    let server = start_with::<S, _, _>(
        async |_: Request| Response::upgrade("echo", echo),
        |server| server.upgrade_grace(Duration::from_millis(300)),
    );
    let mut client = server.connect();
    assert_eq!(client.ask(UPGRADE).status, 101);
    assert!(client.is_quiet());
    // Only the shutdown wakes the stream.
    server.handle.shutdown(Duration::from_secs(60));
    server.stage.pass(Duration::from_millis(300));
    server.wait_for_connections(0);
    client.expect_close();
}
