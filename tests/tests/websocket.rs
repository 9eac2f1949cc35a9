//! Tests of `Request::websocket` through the sockets of each adapter, with a client library.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use httpants_driver::websocket::{CloseCode, CloseFrame, Message, WebSocket, WebSocketError};
use httpants_driver::{Handle, Request, RequestHead, Response, ServerError, ServerErrorKind};
use tungstenite::client::IntoClientRequest;
use tungstenite::{Error, WebSocket as Client};

const PATIENCE: Duration = Duration::from_secs(30);

async fn respond(request: Request) -> Result<Response, WebSocketError> {
    let websocket = request.websocket()?;
    Ok(match request.path() {
        "/echo" => websocket.protocols(["v2", "v1"]).max_message_size(100_000).on_upgrade(echo),
        "/app" => websocket.allow_origin("https://app.example.org").on_upgrade(echo),
        "/any" => websocket.any_origin().on_upgrade(echo),
        "/once" => websocket.on_upgrade(async |mut socket| {
            let _ = socket.next().await;
        }),
        "/policy" => websocket.on_upgrade(async |socket| {
            socket.close(CloseFrame { code: CloseCode::Policy, reason: "enough".into() }).await;
        }),
        "/pinged" => websocket
            .ping_interval(Duration::from_millis(50))
            .ping_timeout(PATIENCE)
            .max_message_size(1000)
            .on_upgrade(echo),
        "/dropped" => {
            let websocket = websocket.ping_interval(Duration::from_millis(50));
            websocket.ping_timeout(Duration::from_millis(100)).on_upgrade(echo)
        }
        "/panic" => websocket.on_upgrade(async |_| panic!("requested")),
        // The handler does not read.
        "/idle" => websocket.on_upgrade(async |_socket| std::future::pending().await),
        "/thread" => websocket.on_upgrade(async |socket| {
            thread::spawn(move || wait(echo(socket)));
        }),
        "/paged" => websocket.on_upgrade(echo),
        _ => Response::new(404),
    })
}

/// Returns the application's page for the errors of one path.
fn page(error: &ServerError, request: Option<&RequestHead>) -> Option<Response> {
    let ServerErrorKind::WebSocket(cause) = error.kind() else { return None };
    assert_eq!(error.status(), cause.status());
    let is_paged = request.is_some_and(|request| request.path() == "/paged");
    is_paged.then(|| Response::html(format!("<p>{error}")).with_header("X-Page", "own"))
}

/// Runs a future on this thread, like an executor of another runtime.
fn wait(future: impl Future<Output = ()>) {
    struct Unpark(thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(thread::current())).into();
    let mut future = std::pin::pin!(future);
    while future.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

async fn echo(mut socket: WebSocket) {
    if let Some(protocol) = socket.protocol().map(str::to_owned)
        && socket.send(protocol.into()).await.is_err()
    {
        return;
    }
    while let Some(Ok(message)) = socket.next().await {
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A server on one of the adapters.
struct Running {
    address: SocketAddr,
    handle: Handle,
    thread: thread::JoinHandle<()>,
}

impl Running {
    fn connect(&self, path: &str, fields: &[(&'static str, &str)]) -> Result<Client<TcpStream>, u16> {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in fields {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((client, _)) => Ok(client),
            Err(tungstenite::HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    fn plain(&self, head: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{head}Host: a\r\nConnection: close, upgrade\r\n\r\n").as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        response
    }

    fn wait_until_idle(&self) {
        let begun = Instant::now();
        while self.handle.connections() > 0 {
            assert!(begun.elapsed() < PATIENCE, "{} connections are left", self.handle.connections());
            thread::sleep(Duration::from_millis(2));
        }
    }

    fn stop(self) {
        self.handle.close();
        self.thread.join().unwrap();
    }
}

fn assert_close(client: &mut Client<TcpStream>, code: CloseCode) {
    match client.read() {
        Ok(Message::Close(Some(frame))) => assert_eq!(frame.code, code),
        other => panic!("{code}: {other:?}"),
    }
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
}

fn messages_are_echoed_until_the_closing_handshake(server: &Running) {
    let mut client = server.connect("/app", &[]).unwrap();
    for message in [Message::text("hello"), Message::binary(vec![0xa5; 1 << 20]), Message::text("")] {
        client.send(message.clone()).unwrap();
        assert_eq!(client.read().unwrap(), message);
    }
    client.send(Message::Ping("ping".into())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Pong("ping".into()));
    let farewell = CloseFrame { code: CloseCode::Normal, reason: "done".into() };
    client.close(Some(farewell.clone())).unwrap();
    assert_eq!(client.read().unwrap(), Message::Close(Some(farewell)));
    assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
    server.wait_until_idle();
}

fn subprotocol_is_the_preferred_one_that_is_offered(server: &Running) {
    let offer = |offered| server.connect("/echo", &[("Sec-WebSocket-Protocol", offered)]);
    assert_eq!(offer("v1, v3, v2").unwrap().read().unwrap(), Message::text("v2"));
    assert_eq!(offer("v1").unwrap().read().unwrap(), Message::text("v1"));
    // Without a common subprotocol, the client library refuses the response.
    let mut client = server.connect("/echo", &[]).unwrap();
    client.send(Message::text("none")).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("none"));
}

fn pages_of_other_hosts_get_403(server: &Running) {
    let from = |path, origin: &str| server.connect(path, &[("Origin", origin)]).map(|_| ());
    let own = format!("http://{}", server.address);
    assert_eq!(from("/echo", &own), Ok(()));
    assert_eq!(from("/echo", "https://evil.example"), Err(403));
    assert_eq!(from("/echo", "null"), Err(403));
    assert_eq!(from("/app", "https://app.example.org"), Ok(()));
    assert_eq!(from("/app", "https://evil.example"), Err(403));
    assert_eq!(from("/any", "https://evil.example"), Ok(()));
}

fn invalid_handshakes_get_their_status(server: &Running) {
    const OFFER: &str = "Upgrade: websocket\r\n";
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (head, status, field) in [
        ("GET /echo HTTP/1.1\r\n".to_owned(), 426, "\r\nUpgrade: websocket\r\n"),
        (
            format!("GET /echo HTTP/1.1\r\n{OFFER}{KEY}Sec-WebSocket-Version: 8\r\n"),
            426,
            "\r\nSec-WebSocket-Version: 13\r\n",
        ),
        (format!("GET /echo HTTP/1.1\r\n{OFFER}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n"), 400, ""),
        (
            format!("PUT /echo HTTP/1.1\r\n{OFFER}{KEY}Sec-WebSocket-Version: 13\r\nContent-Length: 0\r\n"),
            405,
            "\r\nAllow: GET\r\n",
        ),
    ] {
        let response = server.plain(&head);
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")) && response.contains(field), "{head}: {response}");
    }
}

/// The server still sets the status and the fields of the handshake.
fn errors_of_the_handshake_have_the_page_of_the_application(server: &Running) {
    const OFFER: &str = "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let valid = format!("GET /paged HTTP/1.1\r\n{OFFER}Sec-WebSocket-Version: 13\r\n");
    for (head, status, field, text) in [
        (valid.replace("GET", "DELETE"), 405, "Allow: GET", "has the method GET"),
        ("GET /paged HTTP/1.1\r\n".to_owned(), 426, "Upgrade: websocket", "expected a WebSocket handshake"),
        (valid.replace("13", "8"), 426, "Sec-WebSocket-Version: 13", "expected 13"),
        (valid.replace("Key: ", "Key: x"), 400, "Content-Type: text/html; charset=utf-8", "16 bytes in base64"),
        (format!("{valid}Origin: http://evil.example\r\n"), 403, "X-Page: own", "origin are not allowed"),
    ] {
        let response = server.plain(&head);
        let (fields, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(fields.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(fields.contains(&format!("\r\n{field}")) && fields.contains("\r\nX-Page: own"), "{response}");
        assert!(body.starts_with("<p>") && body.ends_with(text), "{response}");
    }
}

/// Returns a frame masked with zeros.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = [&[0xff][..], &(payload.len() as u64).to_be_bytes()].concat();
    [&[first], &length[..], &[0; 4], payload].concat()
}

fn errors_of_the_client_get_their_close(server: &Running) {
    for (sent, code) in [
        (b"\x81\x03abc".to_vec(), CloseCode::Protocol),
        (b"\x81\x82\0\0\0\0a\xff".to_vec(), CloseCode::Invalid),
        (frame(0x82, &vec![0; 100_001]), CloseCode::Size),
        ([frame(0x02, &vec![0; 70_000]), frame(0x80, &vec![0; 70_000])].concat(), CloseCode::Size),
    ] {
        let mut client = server.connect("/echo", &[]).unwrap();
        client.send(Message::text("before")).unwrap();
        client.get_mut().write_all(&sent).unwrap();
        assert_eq!(client.read().unwrap(), Message::text("before"));
        assert_close(&mut client, code);
    }
}

fn handler_that_ends_closes_in_order(server: &Running) {
    let mut client = server.connect("/once", &[]).unwrap();
    // Bytes that the client sends meanwhile do not cause a reset.
    client.send(Message::text("last")).unwrap();
    client.send(Message::binary(vec![0; 50_000])).unwrap();
    assert_close(&mut client, CloseCode::Normal);
    assert_close(&mut server.connect("/policy", &[]).unwrap(), CloseCode::Policy);
    server.wait_until_idle();
    let mut client = server.connect("/panic", &[]).unwrap();
    assert!(matches!(client.read(), Err(Error::Protocol(_) | Error::Io(_))));
    server.wait_until_idle();
}

fn pings_of_a_client_that_does_not_read_are_bounded(server: &Running) {
    let client = server.connect("/app", &[]).unwrap();
    let mut stream = client.get_ref().try_clone().unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0][..], &[b'p'; 125]].concat();
    let batch = ping.repeat(1000);
    let mut sent = 0_usize;
    let stopped = loop {
        // A slow server may take a part of a frame in time.
        match stream.write(&batch[sent % batch.len()..]) {
            Ok(count) => sent += count,
            Err(error) => break error.kind(),
        }
        assert!(sent < 256 << 20, "the server reads on");
    };
    assert!(matches!(stopped, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{stopped}");
}

fn message_from_another_thread_is_received(server: &Running) {
    let mut client = server.connect("/thread", &[]).unwrap();
    client.send(Message::text("hello")).unwrap();
    assert_eq!(client.read().unwrap(), Message::text("hello"));
    client.close(None).unwrap();
    assert!(matches!(client.read(), Ok(Message::Close(None))));
    drop(client);
    server.wait_until_idle();
}

/// A shutdown sends 1001 whatever the handler does, and waits a second for clients that do not
/// respond.
fn shutdown_closes_with_1001(server: Running) {
    let mut clients = ["/app", "/idle", "/thread"].map(|path| server.connect(path, &[]).unwrap());
    let silent = server.connect("/app", &[]).unwrap();
    for client in clients.iter_mut().step_by(2) {
        client.send(Message::text("ready")).unwrap();
        assert_eq!(client.read().unwrap(), Message::text("ready"));
    }
    let begun = Instant::now();
    server.handle.shutdown(PATIENCE);
    for client in &mut clients {
        match client.read() {
            Ok(Message::Close(Some(frame))) => assert_eq!(frame.code, CloseCode::Away),
            other => panic!("{other:?}"),
        }
        let _ = client.read();
    }
    server.thread.join().unwrap();
    let elapsed = begun.elapsed();
    assert!(elapsed >= Duration::from_millis(900) && elapsed < Duration::from_secs(4), "{elapsed:?}");
    let mut rest = Vec::new();
    let _ = silent.get_ref().read_to_end(&mut rest);
    assert_eq!(rest, b"\x88\x02\x03\xe9");
}

/// The client library responds to pings while it reads.
fn pings_drop_only_clients_that_do_not_respond(server: &Running) {
    let mut client = server.connect("/pinged", &[]).unwrap();
    for _ in 0..3 {
        assert_eq!(client.read().unwrap(), Message::Ping(Default::default()));
    }
    client.send(Message::text("here")).unwrap();
    while client.read().unwrap() != Message::text("here") {}
    drop(client);
    let silent = server.connect("/dropped", &[]).unwrap();
    let mut received = Vec::new();
    silent.get_ref().read_to_end(&mut received).unwrap();
    assert_eq!(received, b"\x89\0");
    server.wait_until_idle();
}

macro_rules! through_the_sockets_of {
    ($($name:ident: $adapter:ident),*) => {
        $(mod $name {
            use std::thread;
            use $adapter::{ListenAddress, Server};
            use super::Running;

            fn start() -> Running {
                let bound = Server::new(super::respond).on_error(super::page).listen("127.0.0.1:0").bind().unwrap();
                let ListenAddress::Socket(address) = bound.local_addresses()[0] else { panic!("no socket") };
                let handle = bound.handle();
                Running { address, handle, thread: thread::spawn(|| bound.run().unwrap()) }
            }

            #[test]
            fn websockets_work() {
                let server = start();
                super::messages_are_echoed_until_the_closing_handshake(&server);
                super::subprotocol_is_the_preferred_one_that_is_offered(&server);
                super::pages_of_other_hosts_get_403(&server);
                super::message_from_another_thread_is_received(&server);
                server.stop();
            }

            #[test]
            fn invalid_input_gets_its_status_or_close() {
                let server = start();
                super::invalid_handshakes_get_their_status(&server);
                super::errors_of_the_handshake_have_the_page_of_the_application(&server);
                super::errors_of_the_client_get_their_close(&server);
                super::pings_of_a_client_that_does_not_read_are_bounded(&server);
                server.stop();
            }

            #[test]
            fn handler_that_ends_closes_in_order() {
                let server = start();
                super::handler_that_ends_closes_in_order(&server);
                server.stop();
            }

            #[test]
            fn clients_are_pinged() {
                let server = start();
                super::pings_drop_only_clients_that_do_not_respond(&server);
                server.stop();
            }

            #[test]
            fn shutdown_closes_with_1001() {
                super::shutdown_closes_with_1001(start());
            }
        })*
    };
}

through_the_sockets_of! { on_tokio: httpants_tokio, on_smol: httpants_smol, on_async_std: httpants_async_std }
