//! Tests of WebSockets with a client library, and with raw bytes for invalid input.

use std::io::Write;
use std::net::TcpStream;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::runtimes::RUNTIMES;

/// The handshake with the key of RFC 6455.
pub(crate) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                                    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// Connects with the handshake of a client library.
pub(crate) fn connect(demo: &Demo) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(demo.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (socket, response) = tungstenite::client(format!("ws://{}/ws", demo.address()), stream).unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[test]
fn websocket_echoes_until_the_closing_handshake() {
    let demo = Demo::start(&[]);
    let mut socket = connect(&demo);

    let large = vec![0xA5; 3 << 20];
    for message in [Message::text("hello"), Message::binary(large), Message::text("")] {
        socket.send(message.clone()).unwrap();
        assert_eq!(socket.read().unwrap(), message);
    }
    socket.send(Message::Ping("ping".into())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Pong("ping".into()));

    let farewell = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    socket.close(Some(farewell.clone())).unwrap();
    assert_eq!(socket.read().unwrap(), Message::Close(Some(farewell)));
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)));
}

#[test]
fn bytes_sent_with_the_handshake_are_kept() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let frame = b"\x81\x83\0\0\0\0abc";
    client.send([HANDSHAKE.as_bytes(), frame].concat());
    let response = client.response();
    assert_eq!(response.status, 101);
    assert_eq!(response.header("Upgrade"), Some("websocket"));
    assert_eq!(response.header("Connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(response.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.bytes(5), b"\x81\x03abc");
}

#[test]
fn invalid_websocket_handshakes_get_426_or_400() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let plain = client.get("/ws");
    assert_eq!((plain.status, plain.header("Upgrade")), (426, Some("websocket")));

    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let old = format!("{UPGRADE}Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
    let old = client.request("GET", "/ws", &old, "");
    assert_eq!((old.status, old.header("Sec-WebSocket-Version")), (426, Some("13")));

    let bad =
        client.request("GET", "/ws", &format!("{UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"), "");
    assert_eq!(bad.status, 400);
    // The connection continues unchanged.
    assert_eq!(client.get("/plaintext").status, 200);
}

/// Expects Close with this code, and the end of the stream after the closing handshake.
pub(crate) fn assert_closes(socket: &mut WebSocket<TcpStream>, code: CloseCode, case: &str) {
    match socket.read() {
        Ok(Message::Close(Some(frame))) => assert_eq!(frame.code, code, "{case}"),
        other => panic!("{case}: {other:?}"),
    }
    assert!(matches!(socket.read(), Err(tungstenite::Error::ConnectionClosed)), "{case}");
}

/// Returns a frame with this payload, masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len();
    let length = match length {
        0..=125 => vec![0x80 | length as u8],
        126..=0xFFFF => [&[0xFE][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[0xFF][..], &(length as u64).to_be_bytes()].concat(),
    };
    [&[first], &length[..], &[0; 4], payload].concat()
}

#[test]
fn websocket_protocol_error_gets_a_close_frame() {
    let continued = [frame(0x01, b"a"), frame(0x81, b"b")].concat();
    for runtime in RUNTIMES {
        let demo = Demo::start(&["--runtime", runtime]);
        for (case, sent, code) in [
            ("no mask", b"\x81\x03abc".to_vec(), CloseCode::Protocol),
            ("a reserved bit", frame(0xC1, b"a"), CloseCode::Protocol),
            ("a reserved opcode", frame(0x83, b"a"), CloseCode::Protocol),
            ("a ping in fragments", frame(0x09, b""), CloseCode::Protocol),
            ("a ping that is too long", frame(0x89, &[b'a'; 126]), CloseCode::Protocol),
            ("a continuation of nothing", frame(0x80, b"a"), CloseCode::Protocol),
            ("a message within a message", continued.clone(), CloseCode::Protocol),
            ("half a code", frame(0x88, b"\x03"), CloseCode::Protocol),
            ("a code that must not be sent", frame(0x88, b"\x03\xed"), CloseCode::Protocol),
            ("text that is not UTF-8", frame(0x81, b"a\xff"), CloseCode::Invalid),
            ("a reason that is not UTF-8", frame(0x88, b"\x03\xe8\xff"), CloseCode::Invalid),
            // The whole frame is sent before the response is read.
            ("a frame of 17 MiB", frame(0x82, &vec![0; 17 << 20]), CloseCode::Size),
        ] {
            let mut socket = connect(&demo);
            // Earlier messages are still echoed.
            socket.get_mut().write_all(&[frame(0x81, b"before"), sent].concat()).unwrap();
            assert_eq!(socket.read().unwrap(), Message::text("before"), "{case}");
            assert_closes(&mut socket, code, &format!("{runtime}: {case}"));
        }
        assert_eq!(demo.stderr(), "");
    }
}

#[test]
fn fragmented_message_over_the_limit_gets_a_close_frame() {
    let demo = Demo::start(&[]);
    let mut socket = connect(&demo);
    let megabytes = vec![0; 8 << 20];
    let stream = socket.get_mut();
    stream.write_all(&frame(0x02, &megabytes)).unwrap();
    for _ in 0..8 {
        stream.write_all(&frame(0x00, &megabytes)).unwrap();
    }
    assert_closes(&mut socket, CloseCode::Size, "72 MiB");
}

#[test]
fn client_that_ignores_a_close_frame_is_dropped() {
    let demo = Demo::start(&[]);
    let mut client: Client = demo.connect();
    client.send([HANDSHAKE.as_bytes(), b"\x81\x03abc"].concat());
    assert_eq!(client.response().status, 101);
    assert_eq!(client.bytes(4), b"\x88\x02\x03\xea");
    // The stream ends at once, and the connection within 5 s.
    assert!(client.is_at_end());
    crate::process::wait_until("it is dropped", || demo.process().sockets() == 1);
}
