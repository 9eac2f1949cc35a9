//! Features of Linux that a runtime may use if it has access to the descriptor: sending files
//! without copying them, and delaying bytes until more follow. Adapters that use them enable these
//! cases with `conformance_suite!(Stage, linux)`.

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

/// `poll_send_file` sends from the given offset, whatever the file's position, up to the length or
/// the end of the file, where it returns 0.
pub fn file_is_sent_from_the_given_offset_to_its_end<S: Stage>() {
    with_pair(async |mut pair: Pair<S>| {
        let file = file(b"0123456789");
        for (offset, length, sent) in [(2, 3, 3), (8, u64::MAX, 2), (10, 5, 0), (11, 5, 0)] {
            assert_eq!(pair.send_file(&file, offset, length).await, sent, "{length} bytes from {offset}");
        }
        pair.send(b".", SendHint::Last).await;
        assert_eq!(pair.client_gets(6).await.0, b"23489.");
    });
}

/// Offsets and lengths over 31 bits are supported.
pub fn file_offsets_over_31_bits_are_supported<S: Stage>() {
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

/// If a client does not read, sending a file is pending, and the client's reading wakes it; no byte
/// is lost.
pub fn sending_a_file_waits_for_a_slow_reader<S: Stage>() {
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

/// A file from which the kernel cannot send is declined, and the driver reads it.
pub fn unsupported_file_is_declined<S: Platform>() {
    with_pair(async |mut pair: Pair<S>| {
        let folder = File::open("/proc/self").expect("a folder");
        let context = &mut Context::from_waker(Waker::noop());
        assert!(pair.transport.poll_send_file(context, &folder, 0, 1).is_none());
    });
}

/// Minimum time for which the kernel delays bytes that were sent with [`SendHint::More`]: 200 ms,
/// minus what its timer may be early.
const HELD: Duration = Duration::from_millis(150);

/// With [`SendHint::More`], a head waits for its body and is sent in the same packet (`MSG_MORE`).
pub fn head_with_more_hint_is_sent_together_with_its_body<S: Platform>() {
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
    // A busy machine may check too late.
    assert!((0..20).any(|_| is_held()), "the bytes were never delayed");
}
