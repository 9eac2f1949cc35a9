//! One application of axum, served by `axum::serve` and by each adapter: the same requests get
//! the same answers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod answer;
mod application;
mod requests;
mod servers;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use answer::{Answer, answers};
use requests::{Case, Differs};
use servers::Running;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

fn connect(server: &Running) -> TcpStream {
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends, and reads to the end.
fn exchange(server: &Running, bytes: &[u8]) -> Vec<Answer> {
    let stream = connect(server);
    let mut received = Vec::new();
    std::thread::scope(|scope| {
        // A server that answers early need not take all of it.
        scope.spawn(|| (&stream).write_all(bytes));
        // A reset is an end, too: what is cut off shows in the answer.
        if let Err(error) = (&stream).read_to_end(&mut received) {
            let request = bytes.get(..150).unwrap_or(bytes).escape_ascii();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{} to {request}", server.name);
        }
    });
    answers(&received, bytes.starts_with(b"HEAD "))
}

fn without(answers: &[Answer], names: &[&str]) -> Vec<Answer> {
    let mut answers = answers.to_vec();
    for answer in &mut answers {
        answer.fields.retain(|name, _| !names.contains(&name.as_str()));
    }
    answers
}

#[test]
fn the_same_requests_get_the_same_answers() {
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
                    let got_statuses = got.iter().map(|answer| (answer.status, answer.content.is_some()));
                    got != *expected && got_statuses.eq(statuses.iter().copied())
                }
            };
            if !right {
                wrong += 1;
                eprintln!("{front}\n  {}: {expected:?}\n  {}: {got:?}", theirs.name, ours.name);
            }
        }
        assert_eq!(wrong, 0, "{} answers otherwise", ours.name);
    }
}

/// Each piece is answered before the next one is sent, so nothing waits for the whole.
#[test]
fn content_streams_both_ways_at_once() {
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

/// Reads until what was read ends so.
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
fn a_client_that_expects_to_continue_is_told_to_when_the_body_is_read() {
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

#[test]
fn web_sockets_of_axum_echo_the_same() {
    let mut handshakes = Vec::new();
    for server in servers::all().into_iter().chain([servers::axum()]) {
        let mut request = format!("ws://{}/socket", server.address).into_client_request().unwrap();
        request.headers_mut().insert("Sec-WebSocket-Protocol", "other, echo".parse().unwrap());
        // The same key, so that the answers are comparable.
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
