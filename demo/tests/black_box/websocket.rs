//! WebSocket by a real client library, and by hand where it must not work.

use std::net::TcpStream;

use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{Message, WebSocket};

use crate::demo::{Demo, PATIENCE};

/// By the handshake of a client library.
pub(crate) fn connect(demo: &Demo) -> WebSocket<TcpStream> {
    let stream = TcpStream::connect(demo.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (socket, response) = tungstenite::client(format!("ws://{}/ws", demo.address()), stream).unwrap();
    assert_eq!(response.status(), 101);
    socket
}

#[test]
fn messages_come_back_until_the_closing_handshake() {
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
fn what_is_sent_with_the_handshake_is_not_lost() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let frame = b"\x81\x83\0\0\0\0abc";
    let handshake = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    client.send([handshake.as_bytes(), frame].concat());
    let response = client.response();
    assert_eq!(response.status, 101);
    assert_eq!(response.header("Upgrade"), Some("websocket"));
    assert_eq!(response.header("Connection").map(str::to_ascii_lowercase).as_deref(), Some("upgrade"));
    assert_eq!(response.header("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.bytes(5), b"\x81\x03abc");
}

#[test]
fn other_handshakes_are_told_what_is_spoken_here() {
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
    // The connection goes on as it was.
    assert_eq!(client.get("/plaintext").status, 200);
}
