//! Tests of tokio's paused clock and of entering its runtimes; the rest is in
//! `tests/conformance.rs`.

use std::future::{Future, poll_fn};
#[cfg(target_os = "linux")]
use std::io::{IoSlice, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use httpants_driver::runtime::{Runtime, SendHint, Sleep, Transport as _};

use tokio::task::coop::{consume_budget, has_budget_remaining};

use crate::Tokio;

#[tokio::test(start_paused = true)]
async fn timer_follows_the_paused_clock() {
    let runtime = Tokio::default();
    let mut timer = pin!(runtime.sleep_until(Duration::from_secs(60)));
    poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;
    assert_eq!(runtime.now().mono.as_secs(), 60);

    timer.as_mut().reset(Duration::from_secs(90));
    assert!(poll_fn(|context| Poll::Ready(timer.as_mut().poll_elapsed(context).is_pending())).await);
    poll_fn(|context| timer.as_mut().poll_elapsed(context)).await;
    assert_eq!(runtime.now().mono.as_secs(), 90);
}

/// If the task's budget is spent, tokio's own timer does not register the waker, and is not polled
/// again.
#[tokio::test(start_paused = true)]
async fn timer_is_registered_in_a_task_that_has_spent_its_budget() {
    let runtime = Tokio::default();
    let mut timer = pin!(runtime.sleep_until(Duration::from_secs(60)));
    let mut polls = 0;
    poll_fn(|context| {
        polls += 1;
        if polls == 1 {
            while pin!(consume_budget()).poll(context).is_ready() {}
            assert!(!has_budget_remaining());
            assert!(timer.as_mut().poll_elapsed(context).is_pending());
            return Poll::Pending;
        }
        // The first wake-up is that of the spent budget, the next one that of the timer.
        if runtime.now().mono < Duration::from_secs(60) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    assert!(polls <= 3);
}

#[tokio::test]
async fn blocking_inside_the_runtime_is_an_error() {
    assert!(Tokio::default().block_on(async {}).is_err());
}

#[test]
fn listening_outside_a_runtime_is_an_error() {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let error = Tokio::default().listen_tcp(socket).unwrap_err();
    assert_eq!(error.to_string(), "outside of a tokio runtime: call run() instead of awaiting serve()");
}

/// Otherwise each retry would send one piece, and a peer that reads nothing would make progress at
/// each of many write deadlines.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn retry_sends_until_the_socket_is_full() {
    let (mut peer, socket) = std::os::unix::net::UnixStream::pair().unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut transport = crate::Transport::from(tokio::net::UnixStream::from_std(socket).unwrap());
    let piece = [0; 1024];
    // The first event says that the socket is writable.
    poll_fn(|context| transport.poll_send(context, &[IoSlice::new(&piece)], SendHint::Last)).await.unwrap();
    fill(&mut transport, &piece).await;
    // Far less than what the kernel reports as room.
    peer.read_exact(&mut [0; 4 * 1024]).unwrap();
    assert_eq!(fill(&mut transport, &piece).await, 0);

    transport.retry_send();
    assert_eq!(fill(&mut transport, &piece).await, 4);
    transport.retry_send();
    assert_eq!(fill(&mut transport, &piece).await, 0);
}

/// Sends pieces until there is no room; returns their number.
#[cfg(target_os = "linux")]
async fn fill(transport: &mut crate::Transport, piece: &[u8]) -> usize {
    let mut count = 0;
    poll_fn(|context| {
        while let Poll::Ready(sent) = transport.poll_send(context, &[IoSlice::new(piece)], SendHint::Last) {
            assert_eq!(sent.unwrap(), piece.len());
            count += 1;
        }
        Poll::Ready(())
    })
    .await;
    count
}
