//! What the driver counts on, through real sockets.

use std::future::poll_fn;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use ::async_io::{Async, block_on};
use httpants_core::{Address, Peer};

use super::{AsyncIo, Executor, Transport};
use crate::runtime::{Listener as _, Runtime, Sleep, Spawn, Transport as _};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// A thread for everything.
#[derive(Clone, Copy, Debug, Default)]
struct Threads;

impl Executor for Threads {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        thread::spawn(|| block_on(future));
    }

    fn unblock<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = T> + Send + 'static {
        let worker = thread::spawn(work);
        async { worker.join().unwrap() }
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }
}

fn runtime() -> AsyncIo<Threads> {
    AsyncIo::default()
}

/// An accepted connection and its client.
fn pair() -> (Transport, TcpStream) {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let client = TcpStream::connect(socket.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut listener = runtime().listen_tcp(socket).unwrap();
    (block_on(poll_fn(|context| listener.poll_accept(context))).unwrap().0, client)
}

fn recv<'a>(transport: &mut Transport, buffer: &'a mut [u8]) -> &'a [u8] {
    let count = block_on(poll_fn(|context| transport.poll_recv(context, buffer))).unwrap();
    &buffer[..count]
}

fn send(transport: &mut Transport, pieces: &[&str], more: bool) -> usize {
    let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece.as_bytes())).collect();
    block_on(poll_fn(|context| transport.poll_send(context, &slices, more))).unwrap()
}

fn rest(mut client: impl Read) -> String {
    let mut received = String::new();
    client.read_to_string(&mut received).unwrap();
    received
}

#[test]
fn a_connection_that_waits_is_accepted_and_one_that_comes_wakes() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let waiting = TcpStream::connect(address).unwrap();
    let mut listener = runtime().listen_tcp(socket).unwrap();
    let mut accept = || block_on(poll_fn(|context| listener.poll_accept(context))).unwrap().1;
    assert_eq!(accept(), Peer::new(waiting.local_addr().unwrap(), address));
    let coming = thread::spawn(move || TcpStream::connect(address).unwrap());
    let peer = accept();
    assert_eq!(peer, Peer::new(coming.join().unwrap().local_addr().unwrap(), address));
    assert!(block_on(poll_fn(|context| Poll::Ready(listener.poll_accept(context).is_pending()))));
}

#[test]
fn a_read_that_left_nothing_is_followed_by_a_wait_and_one_that_did_not_by_a_read() {
    let (mut transport, mut client) = pair();
    let mut buffer = [0; 8];
    client.write_all(b"hello, world").unwrap();
    assert_eq!(recv(&mut transport, &mut buffer), b"hello, w");
    assert!(!transport.socket.drained);
    assert_eq!(recv(&mut transport, &mut buffer), b"orld");
    assert!(transport.socket.drained);
    let mut context = Context::from_waker(Waker::noop());
    assert!(transport.poll_recv(&mut context, &mut buffer).is_pending());
    // What comes meanwhile is not lost, nor is the end.
    client.write_all(b"more").unwrap();
    assert_eq!(recv(&mut transport, &mut buffer), b"more");
    drop(client);
    assert_eq!(recv(&mut transport, &mut buffer), b"");
}

#[test]
fn whoever_waits_to_read_is_woken() {
    let (mut transport, mut client) = pair();
    let (sender, receiver) = mpsc::channel();
    runtime().spawn(async move {
        let mut buffer = [0; 8];
        for _ in 0..2 {
            let count = poll_fn(|context| transport.poll_recv(context, &mut buffer)).await.unwrap();
            sender.send(buffer[..count].to_vec()).unwrap();
        }
    });
    for text in ["ping", "again"] {
        client.write_all(text.as_bytes()).unwrap();
        assert_eq!(receiver.recv_timeout(PATIENCE).unwrap(), text.as_bytes());
    }
}

#[test]
fn slices_leave_in_their_order_before_the_end() {
    let (mut transport, client) = pair();
    assert_eq!(send(&mut transport, &["one"], false), 3);
    assert_eq!(send(&mut transport, &[" two", "", " three"], false), 10);
    block_on(poll_fn(|context| transport.poll_shutdown(context))).unwrap();
    assert_eq!(rest(client), "one two three");
}

#[cfg(target_os = "linux")]
#[test]
fn a_head_leaves_with_the_content_behind_it() {
    let (mut transport, mut client) = pair();
    assert_eq!(send(&mut transport, &["head", ", "], true), 6);
    client.set_nonblocking(true).unwrap();
    let mut buffer = [0; 64];
    assert_eq!(client.read(&mut buffer).unwrap_err().kind(), ErrorKind::WouldBlock);
    client.set_nonblocking(false).unwrap();
    assert_eq!(send(&mut transport, &["content"], false), 7);
    assert_eq!(client.read(&mut buffer).unwrap(), 13);
}

#[test]
fn a_slow_reader_is_waited_for() {
    let (mut transport, client) = pair();
    let block = "x".repeat(1 << 20);
    let mut sent = 0;
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(count) = transport.poll_send(&mut context, &[IoSlice::new(block.as_bytes())], true) {
        sent += count.unwrap();
    }
    let reader = thread::spawn(|| rest(client).len());
    sent += send(&mut transport, &[&block], false);
    drop(transport);
    assert_eq!(reader.join().unwrap(), sent);
}

#[cfg(target_os = "linux")]
#[test]
fn the_kernel_sends_files_and_declines_what_is_none() {
    let (mut transport, client) = pair();
    let mut send_file = |file: &std::fs::File, offset, length| {
        let mut sent = |context: &mut Context<'_>| transport.poll_send_file(context, file, offset, length);
        block_on(poll_fn(|context| sent(context).map_or(Poll::Ready(None), |sent| sent.map(Some)))).map(Result::unwrap)
    };
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    assert_eq!(send_file(&file, 2, 3), Some(3));
    assert_eq!(send_file(&file, 8, u64::MAX), Some(2));
    assert_eq!(send_file(&file, 10, 5), Some(0));
    assert_eq!(send_file(&std::fs::File::open("/proc/self").unwrap(), 0, 1), None);
    drop(transport);
    assert_eq!(rest(client), "23489");
}

#[test]
fn a_close_can_be_told_from_an_end() {
    let (mut transport, mut client) = pair();
    assert_eq!(send(&mut transport, &["half an answer"], false), 14);
    transport.reset_on_close();
    drop(transport);
    assert_eq!(client.read_to_end(&mut Vec::new()).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[cfg(unix)]
#[test]
fn unix_sockets_are_served_alike() {
    use std::os::unix::net::{UnixListener, UnixStream};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let mut listener = runtime().listen_unix(UnixListener::bind(&path).unwrap()).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    let (mut transport, peer) = block_on(poll_fn(|context| listener.poll_accept(context))).unwrap();
    assert_eq!(peer, Peer::new(Address::Unix, Address::Unix));
    client.write_all(b"ping").unwrap();
    assert_eq!(recv(&mut transport, &mut [0; 8]), b"ping");
    assert_eq!(send(&mut transport, &["po", "ng"], true), 4);
    transport.reset_on_close();
    drop(transport);
    assert_eq!(rest(client), "pong");
}

#[test]
fn connections_made_elsewhere_are_taken_over() {
    let (transport, client) = pair();
    let mut near = Transport::try_from(Async::new(client).unwrap()).unwrap();
    let mut far = transport;
    assert_eq!(send(&mut far, &["hello"], false), 5);
    assert_eq!(recv(&mut near, &mut [0; 8]), b"hello");
    #[cfg(unix)]
    {
        let (mut one, other) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut near = Transport::try_from(Async::new(other).unwrap()).unwrap();
        one.write_all(b"hello").unwrap();
        assert_eq!(recv(&mut near, &mut [0; 8]), b"hello");
    }
}

#[test]
fn a_timer_that_has_come_stays_so_until_it_is_set_again() {
    let runtime = runtime();
    let started = Instant::now();
    let mut timer = pin!(runtime.sleep_until(runtime.now().mono + Duration::from_millis(20)));
    for wait in [20, 30] {
        for _ in 0..2 {
            block_on(poll_fn(|context| timer.as_mut().poll_elapsed(context)));
        }
        assert!(started.elapsed() >= Duration::from_millis(wait));
        timer.as_mut().reset(runtime.now().mono + Duration::from_millis(30));
    }
    let mut context = Context::from_waker(Waker::noop());
    timer.as_mut().reset(Duration::MAX);
    assert!(timer.as_mut().poll_elapsed(&mut context).is_pending());
    assert!(pin!(runtime.sleep_until(Duration::MAX)).poll_elapsed(&mut context).is_pending());
    timer.as_mut().reset(Duration::ZERO);
    assert!(timer.as_mut().poll_elapsed(&mut context).is_ready());
}

#[test]
fn the_clocks_are_the_systems() {
    let runtime = runtime();
    let system = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    assert!(system.abs_diff(runtime.now().wall.0) < PATIENCE);
    assert!(runtime.now().mono < PATIENCE);
}

#[test]
fn a_panic_in_work_that_may_block_is_an_error() {
    let work = runtime().unblock(|| panic!("as it should"));
    assert!(block_on(work).is_err());
    assert_eq!(block_on(runtime().unblock(|| 7)).unwrap(), 7);
}
