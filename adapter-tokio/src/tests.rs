//! What the driver counts on, through real sockets and tokio's paused clock.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Poll;
use std::time::Duration;

use httpants_core::{Address, Peer};
use httpants_driver::runtime::{Listener as _, Runtime, Sleep, Spawn, Transport as _};

use crate::{Listener, Tokio, Transport};

fn listener() -> (Listener, std::net::SocketAddr) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    (Tokio::default().listen_tcp(socket).unwrap(), address)
}

async fn accept(listener: &mut Listener) -> (Transport, Peer) {
    poll_fn(|context| listener.poll_accept(context)).await.unwrap()
}

async fn recv(transport: &mut Transport, buffer: &mut [u8]) -> usize {
    poll_fn(|context| transport.poll_recv(context, buffer)).await.unwrap()
}

async fn send(transport: &mut Transport, pieces: &[&[u8]], more: bool) -> usize {
    let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    poll_fn(|context| transport.poll_send(context, &slices, more)).await.unwrap()
}

async fn pair() -> (Transport, TcpStream) {
    let (mut listener, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    (accept(&mut listener).await.0, client)
}

#[tokio::test]
async fn an_accepted_connection_knows_both_ends() {
    let (mut listener, address) = listener();
    let client = TcpStream::connect(address).unwrap();
    let (_transport, peer) = accept(&mut listener).await;
    assert_eq!(peer, Peer::new(client.local_addr().unwrap(), address));
}

#[tokio::test]
async fn bytes_come_in_and_the_end_of_the_stream_is_nothing_read() {
    let (mut transport, mut client) = pair().await;
    let mut buffer = [0; 8];
    client.write_all(b"hello, world").unwrap();
    assert_eq!(recv(&mut transport, &mut buffer).await, 8);
    assert_eq!(&buffer, b"hello, w");
    assert_eq!(recv(&mut transport, &mut buffer).await, 4);
    assert_eq!(&buffer[..4], b"orld");
    assert!(poll_fn(|context| Poll::Ready(transport.poll_recv(context, &mut buffer).is_pending())).await);
    drop(client);
    assert_eq!(recv(&mut transport, &mut buffer).await, 0);
}

#[tokio::test]
async fn slices_leave_in_one_piece_and_shutdown_ends_the_stream() {
    let (mut transport, mut client) = pair().await;
    assert_eq!(send(&mut transport, &[b"one"], false).await, 3);
    assert_eq!(send(&mut transport, &[b" two", b"", b" three"], false).await, 10);
    poll_fn(|context| transport.poll_shutdown(context)).await.unwrap();
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "one two three");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_has_more_behind_it_leaves_together_with_it() {
    let (mut transport, mut client) = pair().await;
    assert_eq!(send(&mut transport, &[b"head", b", "], true).await, 6);
    client.set_nonblocking(true).unwrap();
    let mut buffer = [0; 64];
    assert_eq!(client.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    assert_eq!(send(&mut transport, &[b"content"], false).await, 7);
    assert_eq!(client.read(&mut buffer).unwrap(), 13);
    assert_eq!(&buffer[..13], b"head, content");
}

#[tokio::test]
async fn sending_waits_for_a_slow_reader() {
    for more in [false, true] {
        let (mut transport, mut client) = pair().await;
        let block = vec![b'x'; 1 << 20];
        let mut sent = 0;
        while let Poll::Ready(count) =
            poll_fn(|context| Poll::Ready(transport.poll_send(context, &[IoSlice::new(&block)], more))).await
        {
            sent += count.unwrap();
        }
        let reader = std::thread::spawn(move || {
            let mut received = Vec::new();
            client.read_to_end(&mut received).unwrap();
            received.len()
        });
        sent += send(&mut transport, &[&block], more).await;
        drop(transport);
        assert_eq!(reader.join().unwrap(), sent);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_is_sent_from_where_it_is_asked_for_to_its_end() {
    let (mut transport, mut client) = pair().await;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    for (offset, length, sent) in [(2, 3, 3), (8, u64::MAX, 2), (10, 5, 0)] {
        let count = poll_fn(|context| transport.poll_send_file(context, &file, offset, length).unwrap()).await;
        assert_eq!(count.unwrap(), sent);
    }
    drop(transport);
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "23489");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_no_file_to_send_from_is_left_to_the_driver() {
    let (mut transport, _client) = pair().await;
    let folder = std::fs::File::open("/proc/self").unwrap();
    assert!(poll_fn(|context| Poll::Ready(transport.poll_send_file(context, &folder, 0, 1).is_none())).await);
}

#[tokio::test]
async fn work_that_blocks_or_panics_holds_nobody_up() {
    let runtime = Tokio::default();
    let here = std::thread::current().id();
    assert_ne!(runtime.unblock(|| std::thread::current().id()).await.unwrap(), here);
    assert!(runtime.unblock(|| panic!("as it should")).await.is_err());
}

#[tokio::test]
async fn a_close_can_be_a_reset() {
    let (mut transport, mut client) = pair().await;
    assert_eq!(send(&mut transport, &[b"half an answer"], false).await, 14);
    transport.reset_on_close();
    drop(transport);
    let mut received = Vec::new();
    assert_eq!(client.read_to_end(&mut received).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_have_no_internet_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut listener = Tokio::default().listen_unix(socket).unwrap();
    let mut client = std::os::unix::net::UnixStream::connect(&path).unwrap();
    let (mut transport, peer) = accept(&mut listener).await;
    assert_eq!(peer, Peer::new(Address::Unix, Address::Unix));
    client.write_all(b"ping").unwrap();
    let mut buffer = [0; 8];
    assert_eq!(recv(&mut transport, &mut buffer).await, 4);
    assert_eq!(send(&mut transport, &[b"po", b"ng"], true).await, 4);
    transport.reset_on_close();
    drop(transport);
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    assert_eq!(received, "pong");
}

#[tokio::test(start_paused = true)]
async fn the_timer_follows_the_paused_clock_and_can_be_set_again() {
    let runtime = Tokio::default();
    let mut timer = pin!(runtime.sleep_until(Duration::from_secs(60)));
    poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;
    assert_eq!(runtime.now().mono.as_secs(), 60);
    poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;

    timer.as_mut().reset(Duration::from_secs(90));
    assert!(poll_fn(|context| Poll::Ready(timer.as_mut().poll_elapsed(context).is_pending())).await);
    poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;
    assert_eq!(runtime.now().mono.as_secs(), 90);

    timer.as_mut().reset(Duration::MAX);
    assert!(poll_fn(|context| Poll::Ready(timer.as_mut().poll_elapsed(context).is_pending())).await);
    assert_eq!(runtime.now().mono.as_secs(), 90);
}

#[test]
fn wall_time_is_the_systems() {
    let wall = Tokio::default().now().wall;
    let system = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    assert!(system.saturating_sub(wall.0) < Duration::from_secs(10));
}

#[test]
fn a_worker_has_a_runtime_of_its_own_on_its_thread() {
    let runtime = Tokio::default();
    let (sender, receiver) = mpsc::channel();
    let worker = runtime.block_on(async move {
        runtime.spawn(async move { sender.send(std::thread::current().id()).unwrap() });
        tokio::task::yield_now().await;
        std::thread::current().id()
    });
    assert_eq!(worker.unwrap(), std::thread::current().id());
    assert_eq!(receiver.recv().unwrap(), std::thread::current().id());
}

#[tokio::test]
async fn blocking_inside_the_runtime_is_an_error_and_no_panic() {
    assert!(Tokio::default().block_on(async {}).is_err());
}

#[test]
fn listening_outside_a_runtime_is_an_error_and_no_panic() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    assert!(Tokio::default().listen_tcp(socket).is_err());
}

#[test]
fn work_that_may_block_goes_to_the_pool_and_outside_a_runtime_it_is_dropped() {
    let runtime = Tokio::default();
    let inside = runtime.block_on(async { runtime.unblock(|| std::thread::current().id()).await.unwrap() });
    assert_ne!(inside.unwrap(), std::thread::current().id());
    let (sender, receiver) = mpsc::channel::<()>();
    drop(runtime.unblock(move || sender.send(())));
    assert_eq!(receiver.recv(), Err(mpsc::RecvError));
}
