//! What Linux offers and a runtime may use, where it lets the descriptor be reached: sending
//! files without copying them, and holding bytes back until more follow. For adapters that say
//! so: `conformance_suite!(Stage, linux)`.

use std::fs::File;
use std::future::poll_fn;
use std::io::{Seek, SeekFrom, Write};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use httpants_driver::runtime::{SendHint, Transport as _};

use super::contract::{Pair, with_pair};
use super::waking::Flag;
use crate::conformance::running::{assert_same, noise};
use crate::conformance::stage::{Platform, Received, Stage, StageClient};

fn file(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(content).expect("room in the file");
    file
}

impl<S: Stage> Pair<S> {
    async fn send_file(&mut self, file: &File, offset: u64, length: u64) -> usize {
        let sent = poll_fn(|context| {
            self.transport.poll_send_file(context, file, offset, length).expect("a transport that sends files")
        });
        sent.await.expect("a file that is sent")
    }
}

/// `poll_send_file` sends from the offset it is asked for, wherever the file stands, up to the
/// length or the end of the file, and says 0 there.
pub fn a_file_is_sent_from_where_it_is_asked_for_to_its_end<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let file = file(b"0123456789");
        for (offset, length, sent) in [(2, 3, 3), (8, u64::MAX, 2), (10, 5, 0), (11, 5, 0)] {
            assert_eq!(pair.send_file(&file, offset, length).await, sent, "{length} bytes from {offset}");
        }
        pair.send(b".", SendHint::Last).await;
        assert_eq!(pair.client_gets(6).await.0, b"23489.");
    });
}

/// Offsets and lengths past what 31 bits count are as good as others.
pub fn a_large_file_is_sent_from_far_behind<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let mut file = tempfile::tempfile().expect("a file");
        file.seek(SeekFrom::Start(5 << 30)).expect("a file with a hole");
        file.write_all(b"far behind").expect("room in the file");
        let start = pair.send_file(&file, 0, 6 << 30).await;
        assert!(start > 0 && start as u64 <= 5 << 30, "{start} bytes were sent");
        let (zeros, _) = pair.client_gets(start).await;
        assert!(zeros.len() == start && zeros.iter().all(|byte| *byte == 0));
        assert_eq!(pair.send_file(&file, 5 << 30, u64::MAX).await, 10);
        assert_eq!(pair.client_gets(10).await.0, b"far behind");
    });
}

/// A client that does not read makes a file wait, and wakes it; no byte is lost.
pub fn a_file_waits_for_a_slow_reader<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let content = noise(64 << 20);
        let file = file(&content);
        let (flag, length) = (Flag::new(), content.len() as u64);
        let waker = flag.waker();
        let mut sent = 0;
        loop {
            let context = &mut Context::from_waker(&waker);
            match pair.transport.poll_send_file(context, &file, sent as u64, length - sent as u64) {
                Some(Poll::Ready(count)) => sent += count.expect("a file that is sent"),
                Some(Poll::Pending) => break,
                None => panic!("{sent} bytes were sent, and no more can be"),
            }
            assert!(sent < content.len(), "{sent} bytes were taken for a client that reads none");
        }
        let (received, _) = pair.client_gets(sent).await;
        flag.up(&pair.stage.runtime(), "who sends a file").await;
        assert_same(&received, &content[..sent]);
    });
}

/// What the kernel cannot send from is declined, and the driver reads it.
pub fn what_is_no_file_to_send_from_is_left_to_the_driver<S: Platform>() {
    with_pair(async |mut pair: Pair<S>| {
        let folder = File::open("/proc/self").expect("a folder");
        let context = &mut Context::from_waker(Waker::noop());
        assert!(pair.transport.poll_send_file(context, &folder, 0, 1).is_none());
    });
}

/// How long the kernel holds back at least what has more behind it: 200 ms, less what a timer
/// of its may be early.
const HELD: Duration = Duration::from_millis(150);

/// With [`SendHint::More`] a head waits for its content and leaves in one packet with it (`MSG_MORE`).
pub fn what_has_more_behind_it_leaves_together_with_it<S: Platform>() {
    let is_held = || {
        with_pair(async |mut pair: Pair<S>| {
            let since = pair.stage.time();
            pair.send(b"head, ", SendHint::More).await;
            let mut received = Vec::new();
            let held = pair.client.receive(&mut received, Duration::ZERO) == Received::Nothing;
            assert!(held || pair.stage.time() - since > HELD, "it left alone");
            pair.send(b"content", SendHint::Last).await;
            received.extend(pair.client_gets(13 - received.len()).await.0);
            assert_eq!(received, b"head, content");
            held
        })
    };
    // A machine under load may look too late.
    assert!((0..20).any(|_| is_held()), "it was never held back");
}
