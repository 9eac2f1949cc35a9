//! With a pool in which nothing is done before it is told to go on.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Duration;

use httpants_core::{Config, Connection, Now, Peer, Receiving};

use super::settings::Disk;
use super::spool::{BATCH, Spool};
use super::*;
use crate::exchange::Exchange;
use crate::observe::{Observed, Observer};
use crate::request::upload::Stored;
use crate::runtime::BlockingPool;

/// Work that waits until it is told to go on.
type Waiting = Arc<Mutex<VecDeque<Box<dyn FnOnce() + Send>>>>;

fn disk() -> (tempfile::TempDir, Disk, Waiting) {
    let (directory, waiting) = (tempfile::tempdir().unwrap(), Waiting::default());
    let queue = Arc::clone(&waiting);
    let pool = BlockingPool::new(move |work| {
        let done = Arc::new(Mutex::new(false));
        let told = Arc::clone(&done);
        queue.lock().unwrap().push_back(Box::new(move || {
            work();
            *told.lock().unwrap() = true;
        }));
        Box::pin(std::future::poll_fn(move |_| if *done.lock().unwrap() { Poll::Ready(Ok(())) } else { Poll::Pending }))
    });
    let disk = Disk { directory: directory.path().to_owned(), pool, tally: Arc::default() };
    (directory, disk, waiting)
}

/// How many files this process has open in the directory; they have no names.
#[cfg(target_os = "linux")]
fn open_files(directory: &tempfile::TempDir) -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let places = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    places.filter(|place| place.starts_with(directory.path())).count()
}

fn go_on(waiting: &Waiting) {
    let work = waiting.lock().unwrap().pop_front().unwrap();
    work();
}

fn poll(spool: &mut Spool, disk: &Disk) -> Poll<Option<Arc<Stored>>> {
    spool.poll(&mut Context::from_waker(Waker::noop()), disk).map(Result::unwrap)
}

#[test]
fn one_batch_is_written_while_one_is_gathered_and_then_it_is_full() {
    let (_directory, disk, waiting) = disk();
    let mut spool = Spool::new(vec![b'a'; 1_000]);
    let mut given = 1_000;
    while poll(&mut spool, &disk).is_ready() {
        spool.receive(Bytes::from(vec![b'a'; 10_000]));
        given += 10_000;
    }
    assert!(given > 2 * BATCH && given <= 2 * BATCH + 10_000, "{given}");
    assert_eq!(waiting.lock().unwrap().len(), 1, "one write at a time");
    go_on(&waiting);
    assert!(matches!(poll(&mut spool, &disk), Poll::Ready(None)));
    spool.handle_eof();
    assert!(poll(&mut spool, &disk).is_pending());
    go_on(&waiting);
    assert!(poll(&mut spool, &disk).is_pending());
    go_on(&waiting);
    let Poll::Ready(Some(stored)) = poll(&mut spool, &disk) else {
        panic!("it is complete");
    };
    let mut content = Vec::new();
    Content::File(stored).reader().read_to_end(&mut content).unwrap();
    assert!(content == vec![b'a'; given]);
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_given_up_while_it_is_written_is_closed_behind_it() {
    let (directory, disk, waiting) = disk();
    let mut spool = Spool::new(vec![b'a'; BATCH]);
    assert!(poll(&mut spool, &disk).is_ready());
    let mut context = Context::from_waker(Waker::noop());
    assert!(spool.poll_idle(&mut context).is_pending());
    go_on(&waiting);
    assert_eq!(open_files(&directory), 1);
    assert!(spool.poll_idle(&mut context).is_ready());
    assert_eq!(open_files(&directory), 0);
    // Nobody waits for the write: it closes the file itself.
    let mut spool = Spool::new(vec![b'a'; BATCH]);
    assert!(poll(&mut spool, &disk).is_ready());
    assert_eq!(open_files(&directory), 0, "nothing is done elsewhere than in the pool");
    drop(spool);
    go_on(&waiting);
    assert_eq!(open_files(&directory), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_pool_that_fails_is_an_error_and_leaves_nothing() {
    let (directory, disk, waiting) = disk();
    let mut spool = Spool::new(vec![b'a'; BATCH]);
    assert!(poll(&mut spool, &disk).is_ready());
    go_on(&waiting);
    assert!(poll(&mut spool, &disk).is_ready());
    assert_eq!(open_files(&directory), 1);
    let ended = BlockingPool::new(|work| {
        drop(work);
        Box::pin(async { Err(io::Error::other("the runtime ends")) })
    });
    spool.receive(Bytes::from(vec![b'a'; BATCH]));
    let failed = spool.poll(&mut Context::from_waker(Waker::noop()), &Disk { pool: ended, ..disk });
    assert!(matches!(failed, Poll::Ready(Err(_))));
    assert_eq!(open_files(&directory), 0);
}

/// Sends content into a connection until no more is wanted; gives how much that was.
fn fill(collecting: &mut Collecting, shared: &mut Shared, settings: &Settings, now: Now) -> usize {
    let mut sent = 0;
    loop {
        while shared.core.wants_recv() {
            sent += shared.core.receive(&[b'x'; 50_000], now);
            let _ = shared.pump();
            let progress = collecting.poll(&mut Context::from_waker(Waker::noop()), shared, settings);
            assert!(matches!(progress, Progress::Waiting | Progress::Moved));
        }
        if shared.pump().is_none() {
            return sent;
        }
    }
}

#[test]
fn a_slow_disk_pauses_the_peer_and_is_not_its_fault() {
    let (_directory, disk, waiting) = disk();
    let settings = Arc::new(Settings { disk, ..Settings::new(BlockingPool::new(|_| Box::pin(async { Ok(()) }))) });
    let start = Now::default();
    let core = Connection::new(Config::default().into(), Peer::default(), start);
    let observer = Observer::new(Observed::new(&settings, None));
    let exchange = Exchange::new(core, Arc::default(), Arc::clone(&settings), observer);
    let mut shared = exchange.lock();
    let _ = shared.core.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n", start);
    let head = shared.pump().unwrap();
    let mut collecting = Collecting::begin(head, None, &settings).unwrap();
    let _ = shared.begin_content(true, None);
    let sent = fill(&mut collecting, &mut shared, &settings, start);
    assert!((2 * BATCH..2 * BATCH + 200_000).contains(&sent), "{sent}: two batches and the buffer");
    let an_hour_later = Now::new(Duration::from_secs(3_600), start.wall);
    shared.core.handle_timeout(an_hour_later);
    assert_eq!((shared.core.poll_timeout(), shared.core.state().recv), (None, Receiving::Content));
    go_on(&waiting);
    let progress = collecting.poll(&mut Context::from_waker(Waker::noop()), &mut shared, &settings);
    assert!(matches!(progress, Progress::Moved));
    assert!(shared.core.wants_recv() && shared.core.poll_timeout().unwrap().at > an_hour_later.mono);
    assert!(fill(&mut collecting, &mut shared, &settings, an_hour_later) >= BATCH - 200_000);
}

#[test]
fn a_bad_form_is_answered_when_nothing_of_it_is_being_written_any_more() {
    let (_directory, disk, waiting) = disk();
    let mut limits = Limits::default();
    limits.file = Some(600_000);
    let boundary = httpants_core::forms::Boundary::new(b"b").unwrap();
    let mut intake = MultipartIntake::new(&boundary, &limits, false);
    let mut context = Context::from_waker(Waker::noop());
    intake.receive(Bytes::from_static(b"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n"));
    for _ in 0..6 {
        assert!(matches!(intake.poll(&mut context, &disk), Poll::Ready(Ok(None))));
        intake.receive(Bytes::from(vec![b'x'; 100_001]));
    }
    assert!(intake.poll(&mut context, &disk).is_pending());
    go_on(&waiting);
    let refused = intake.poll(&mut context, &disk);
    assert!(matches!(refused, Poll::Ready(Err(Fault::Form(BadForm::FileTooLarge)))));
}
