//! Tests of one axum application, served by `axum::serve` and by each adapter: the same requests
//! get the same responses.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may panic")]

mod application;
mod requests;
mod response;
mod servers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::routing::get;
use axum::{Extension, Router};
use futures_util::{StreamExt, stream};
use httpants_driver::Request;
use requests::{Case, Differs};
use response::{ReceivedResponse, responses};
use servers::Running;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends bytes, and reads to the end.
fn exchange(server: &Running, bytes: &[u8]) -> Vec<ReceivedResponse> {
    let stream = connect(server);
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        // A server that responds early need not read everything.
        scope.spawn(|| (&stream).write_all(bytes));
        // A reset counts as the end, because truncated responses are detected.
        if let Err(error) = (&stream).read_to_end(&mut received) {
            let request = bytes.get(..150).unwrap_or(bytes).escape_ascii();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{} to {request}", server.name);
        }
    });
    responses(&received, bytes.starts_with(b"HEAD "))
}

fn without(responses: &[ReceivedResponse], names: &[&str]) -> Vec<ReceivedResponse> {
    let mut responses = responses.to_vec();
    for response in &mut responses {
        response.fields.retain(|name, _| !names.contains(&name.as_str()));
    }
    responses
}

#[test]
fn axum_gives_the_same_responses_as_on_hyper() {
    let theirs = servers::axum();
    let cases = requests::cases();
    assert!(cases.len() >= 60);
    let expected: Vec<_> = cases.iter().map(|case| exchange(&theirs, &case.bytes)).collect();
    for ours in servers::all() {
        let mut wrong = 0;
        for (Case { bytes, differs }, expected) in cases.iter().zip(&expected) {
            let got = exchange(&ours, bytes);
            let front = bytes.get(..150).unwrap_or(bytes).escape_ascii();
            let right = match *differs {
                Differs::Nowhere => got == *expected,
                Differs::In(names, _) => got != *expected && without(&got, names) == without(expected, names),
                Differs::Status(statuses, _) => {
                    let got_statuses = got.iter().map(|response| (response.status, response.content.is_some()));
                    got != *expected && got_statuses.eq(statuses.iter().copied())
                }
            };
            if !right {
                wrong += 1;
                eprintln!("{front}\n  {}: {expected:?}\n  {}: {got:?}", theirs.name, ours.name);
            }
        }
        assert_eq!(wrong, 0, "{} responses otherwise", ours.name);
    }
}

/// Each piece is echoed before the next one is sent, so nothing waits for the whole body.
#[test]
fn axum_bodies_stream_both_ways_at_once() {
    for server in servers::all().into_iter().chain([servers::axum()]) {
        let mut stream = connect(&server);
        stream.write_all(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        for round in 0..3 {
            let chunk = format!("6\r\nround{round}\r\n");
            stream.write_all(chunk.as_bytes()).unwrap();
            read_to(&mut stream, chunk.as_bytes());
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
        read_to(&mut stream, b"0\r\n\r\n");
    }
}

/// Reads until the received bytes end with `end`.
fn read_to(stream: &mut TcpStream, end: &[u8]) -> Vec<u8> {
    let mut received = Vec::new();
    while !received.ends_with(end) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        received.extend_from_slice(&byte);
    }
    received
}

#[test]
fn axum_continue_is_sent_when_the_body_is_read() {
    for server in servers::all().into_iter().chain([servers::axum()]) {
        let mut stream = connect(&server);
        stream
            .write_all(b"POST /count HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            .unwrap();
        assert_eq!(read_to(&mut stream, b"\r\n\r\n"), b"HTTP/1.1 100 Continue\r\n\r\n", "{}", server.name);
        stream.write_all(b"hi").unwrap();
        read_to(&mut stream, b"Some(2) 2 {}");
    }
}

/// The service waits before the head, and its body before each piece.
#[test]
fn axum_bodies_have_the_timers_of_tokio_on_every_runtime() {
    async fn ticks() -> Body {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Body::from_stream(futures_util::stream::unfold(0, |count| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            (count < 3).then(|| (Ok::<_, std::io::Error>(format!("tick {count}\n")), count + 1))
        }))
    }
    let application = || Router::new().route("/ticks", get(ticks));
    for server in [
        servers::within_tokio::<httpants_tokio::Runtime>("httpants-tokio", application()),
        servers::within_tokio::<httpants_smol::Runtime>("httpants-smol", application()),
        servers::within_tokio::<httpants_async_std::Runtime>("httpants-async-std", application()),
    ] {
        let received = exchange(&server, b"GET /ticks HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let content = received[0].content.as_deref();
        assert_eq!(content, Some(&b"tick 0\ntick 1\ntick 2\n"[..]), "{}", server.name);
    }
}

/// The application reaches the server through the request in the extensions.
#[test]
fn axum_stream_ends_when_a_shutdown_begins() {
    async fn endless(Extension(request): Extension<Arc<Request>>) -> Body {
        let pieces = stream::iter(["begun"]).chain(stream::pending());
        Body::from_stream(pieces.map(Ok::<_, axum::Error>).take_until(request.server_handle().draining()))
    }
    async fn shutdown(Extension(request): Extension<Arc<Request>>) {
        // Longer than the test waits.
        request.server_handle().shutdown(Duration::from_secs(60));
    }
    let application = || Router::new().route("/endless", get(endless)).route("/shutdown", get(shutdown));
    for server in [
        servers::httpants::<httpants_tokio::Runtime>("httpants-tokio", application()),
        servers::httpants::<httpants_smol::Runtime>("httpants-smol", application()),
        servers::httpants::<httpants_async_std::Runtime>("httpants-async-std", application()),
    ] {
        let mut stream = connect(&server);
        stream.write_all(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut received = read_to(&mut stream, b"begun\r\n");
        exchange(&server, b"GET /shutdown HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.read_to_end(&mut received).unwrap();
        let responses = responses(&received, false);
        assert_eq!(responses.len(), 1, "{}", server.name);
        assert_eq!(responses[0].content.as_deref(), Some(&b"begun"[..]), "{}", server.name);
    }
}

#[test]
fn axum_web_sockets_echo() {
    let mut handshakes = Vec::new();
    for server in servers::all().into_iter().chain([servers::axum()]) {
        let mut request = format!("ws://{}/socket", server.address).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "other, echo".parse().unwrap());
        // The same key, so that the responses are comparable.
        request.headers_mut().insert("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==".parse().unwrap());
        let (mut socket, response) = tungstenite::client(request, connect(&server)).unwrap();
        let mut fields: Vec<_> =
            response.headers().iter().map(|(name, value)| format!("{name}: {value:?}").to_ascii_lowercase()).collect();
        fields.retain(|field| !field.starts_with("date: ") && !field.starts_with("server: "));
        fields.sort();
        handshakes.push((response.status(), fields));
        for message in [Message::text("hello"), Message::binary(vec![0xff; 300_000]), Message::text("")] {
            socket.send(message.clone()).unwrap();
            assert_eq!(socket.read().unwrap(), message, "{}", server.name);
        }
        socket.send(Message::Ping("alive?".into())).unwrap();
        assert_eq!(socket.read().unwrap(), Message::Pong("alive?".into()), "{}", server.name);
        socket.close(None).unwrap();
        while let Ok(message) = socket.read() {
            assert!(message.is_close());
        }
    }
    assert!(handshakes.windows(2).all(|pair| pair[0] == pair[1]), "{handshakes:#?}");
}
