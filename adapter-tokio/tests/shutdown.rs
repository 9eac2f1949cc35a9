//! Tests of a shutdown that begins while a request arrives.

#![allow(clippy::unwrap_used, reason = "tests may panic")]

use std::io::Write;
use std::net::TcpListener;
use std::time::Duration;

use httpants_tokio::{Request, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The kernel has received the request, but tokio has not reported it yet.
#[tokio::test]
async fn request_that_tokio_has_not_reported_is_served_before_the_shutdown() {
    for requests_before in [0, 1] {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let bound = Server::new(async |_: Request| "ok").listener(socket).bind().unwrap();
        let handle = bound.handle();
        let client = async {
            let mut client = TcpStream::connect(address).await.unwrap();
            for _ in 0..requests_before {
                client.write_all(REQUEST).await.unwrap();
                let mut response = [0; 1024];
                assert!(client.read(&mut response).await.unwrap() > 0);
            }
            while handle.connections() == 0 {
                tokio::task::yield_now().await;
            }
            // Without waiting in between, so that tokio does not poll the sockets.
            assert_eq!(client.try_write(REQUEST).unwrap(), REQUEST.len());
            handle.shutdown(Duration::from_secs(60));
            let mut response = String::new();
            client.read_to_string(&mut response).await.unwrap();
            response
        };
        let (served, response) = tokio::join!(bound.serve(), client);
        served.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("ok"), "{response:?}");
    }
}

/// The kernel has accepted the connection, but tokio has not reported it yet.
#[tokio::test]
async fn connection_that_tokio_has_not_reported_is_served_before_the_shutdown() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let bound = Server::new(async |_: Request| "ok").listener(socket).bind().unwrap();
    let handle = bound.handle();
    let client = async {
        // The server waits for connections.
        let first = TcpStream::connect(address).await.unwrap();
        while handle.connections() == 0 {
            tokio::task::yield_now().await;
        }
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.write_all(REQUEST).unwrap();
        handle.shutdown(Duration::from_secs(60));
        drop(first);
        client.set_nonblocking(true).unwrap();
        let mut response = String::new();
        TcpStream::from_std(client).unwrap().read_to_string(&mut response).await.unwrap();
        response
    };
    let (served, response) = tokio::join!(bound.serve(), client);
    served.unwrap();
    assert!(response.starts_with("HTTP/1.1 200 ") && response.ends_with("ok"), "{response:?}");
}
