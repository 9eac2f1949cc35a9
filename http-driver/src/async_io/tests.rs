//! Tests of the sockets on async-io. The conformance suite of `httpants-testkit` tests the rest.

use std::future::poll_fn;
use std::io::{IoSlice, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::task::{Context, Poll, Waker};

use ::async_io::{Async, block_on};

use super::{Listener, Transport};
use crate::protocol::Address;
use crate::runtime::{Listener as _, SendHint, Transport as _};

/// Connects a client; returns the accepted connection and the client.
fn pair() -> (Transport, TcpStream) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let mut listener = Listener::new(socket.into(), Address::from(address)).unwrap();
    (block_on(poll_fn(|context| listener.poll_accept(context))).unwrap().0, client)
}

fn recv<'a>(transport: &mut Transport, buffer: &'a mut [u8]) -> &'a [u8] {
    let count = block_on(poll_fn(|context| transport.poll_recv(context, buffer))).unwrap();
    &buffer[..count]
}

#[test]
fn socket_waits_after_a_short_read_only() {
    let (mut transport, mut client) = pair();
    let mut buffer = [0; 8];
    client.write_all(b"hello, world").unwrap();
    assert_eq!(recv(&mut transport, &mut buffer), b"hello, w");
    assert!(!transport.socket.drained);
    assert_eq!(recv(&mut transport, &mut buffer), b"orld");
    assert!(transport.socket.drained);
    let mut context = Context::from_waker(Waker::noop());
    assert!(transport.poll_recv(&mut context, &mut buffer).is_pending());
    // A read at once, before the reactor reports the bytes.
    client.write_all(b"now").unwrap();
    transport.retry_recv();
    assert!(matches!(transport.poll_recv(&mut context, &mut buffer), Poll::Ready(Ok(3))));
    // Bytes received in the meantime are not lost, nor is the end of the stream.
    client.write_all(b"more").unwrap();
    assert_eq!(recv(&mut transport, &mut buffer), b"more");
    drop(client);
    assert_eq!(recv(&mut transport, &mut buffer), b"");
}

#[test]
fn existing_connections_can_be_converted() {
    let (mut far, client) = pair();
    let mut near = Transport::try_from(Async::new(client).unwrap()).unwrap();
    assert_eq!(
        block_on(poll_fn(|context| far.poll_send(context, &[IoSlice::new(b"hello")], SendHint::Last))).unwrap(),
        5
    );
    assert_eq!(recv(&mut near, &mut [0; 8]), b"hello");
    #[cfg(unix)]
    {
        let (mut far, client) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut near = Transport::try_from(Async::new(client).unwrap()).unwrap();
        far.write_all(b"hello").unwrap();
        assert_eq!(recv(&mut near, &mut [0; 8]), b"hello");
    }
}
