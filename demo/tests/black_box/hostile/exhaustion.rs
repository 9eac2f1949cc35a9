//! Tests of exhausted descriptors and of handlers that fail repeatedly.

use std::time::{Duration, Instant};

use super::{Attack, open, raise_limit};
use crate::demo::Demo;

#[test]
fn server_recovers_from_descriptor_exhaustion() {
    raise_limit();
    let demo = Demo::limited("ulimit -n 64", &[]);
    let attack = Attack::begin("200 connections with a limit of 64 descriptors", &demo);
    let mut before = demo.connect();
    assert_eq!(before.get("/plaintext").status, 200);
    let flood: Vec<_> = (0..200).map(|_| open(&demo)).collect();
    // Existing connections are served for a second, and waiting takes almost no processor time.
    let (ticks, started) = (attack.process.ticks(), Instant::now());
    let mut served = 0;
    while started.elapsed() < Duration::from_secs(1) {
        assert_eq!(before.get("/slow?ms=100").status, 200);
        served += 1;
    }
    let ticks = attack.process.ticks() - ticks;
    assert!(served > 0 && ticks < 20, "{served} responses in {ticks} ticks");
    // `max_connections` leaves some descriptors free, so that accepting does not fail.
    assert!(!demo.stderr().contains("accept"), "{}", demo.stderr());

    drop(flood);
    assert_eq!(demo.get("/plaintext").status, 200);
    drop(before);
    attack.end(&format!("waits: {} ms of processor time a second; recovers", ticks * 10), 1024, Duration::from_secs(1));
}

/// Without a limit, each pipelined request would hold another descriptor until its response was
/// read.
#[test]
fn clients_that_read_no_files_leave_descriptors_for_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("large")).unwrap().set_len(64 << 20).unwrap();
    std::fs::write(folder.path().join("small"), "small").unwrap();
    let demo = Demo::limited("ulimit -n 64", &["--file-root", folder.path().to_str().unwrap()]);
    let mut clients: Vec<_> = (0..12).map(|_| demo.connect()).collect();
    for client in &mut clients {
        client.send("GET /file/large HTTP/1.1\r\nHost: a\r\n\r\n".repeat(8));
        client.await_response();
    }
    assert_eq!(demo.get("/file/small").text(), "small");
    assert!(!demo.stderr().contains("Too many open files"), "{}", demo.stderr());
}

/// Clients must not be able to fill the log, even if there are more clients than descriptors.
#[test]
fn lack_of_descriptors_for_files_is_logged_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::File::create(folder.path().join("large")).unwrap().set_len(64 << 20).unwrap();
    let demo = Demo::limited("ulimit -n 64", &["--file-root", folder.path().to_str().unwrap()]);
    let mut before: Vec<_> = (0..4).map(|_| demo.connect()).collect();
    let mut clients: Vec<_> = (0..32).map(|_| demo.connect()).collect();
    // All clients have their descriptors before the files use the others.
    before.iter_mut().chain(&mut clients).for_each(|client| assert_eq!(client.get("/plaintext").status, 200));
    for client in &mut clients {
        client.send("GET /file/large HTTP/1.1\r\nHost: a\r\n\r\n");
        client.await_response();
    }
    for _ in 0..20 {
        assert_eq!(before[0].get("/file/large").status, 500);
    }
    // Too large for memory. These connections stay open, because each end would free a descriptor.
    let upload = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n{}", "x".repeat(1 << 20));
    for client in &mut before {
        client.send(&upload);
        assert_eq!(client.response().status, 500);
    }
    drop((clients, before));
    assert_eq!(demo.get("/plaintext").status, 200);
    let log = demo.stderr();
    assert_eq!(log.matches("cannot open a file").count(), 1, "{log}");
    assert_eq!(log.matches("cannot store a body").count(), 1, "{log}");
}

#[test]
fn handler_panic_is_500_and_keeps_the_connection() {
    let demo = Demo::start(&[]);
    assert_eq!(demo.get("/panic").status, 500);
    let attack = Attack::begin("1,000 requests whose handler panics", &demo);
    let mut client = demo.connect();
    for _ in 0..1000 {
        assert_eq!(client.get("/panic").status, 500);
    }
    drop(client);
    attack.end("500, the connection is kept alive", 1024, Duration::ZERO);
}

#[test]
fn truncated_file_ends_the_connection_early() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    std::fs::write(&path, vec![b'x'; 64 << 20]).unwrap();
    let demo = Demo::start(&["--file-root", folder.path().to_str().unwrap()]);
    let attack = Attack::begin("a file of 64 MiB that is truncated to 1 MiB while it is sent", &demo);
    let mut client = demo.connect();
    client.send("GET /file/large HTTP/1.1\r\nHost: a\r\n\r\n");
    // The response has begun, and waits for the client to read more.
    client.await_response();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
    assert!(client.try_response("GET").is_err(), "the response looks complete");
    drop(client);
    attack.end("the connection breaks before the Content-Length", 1024, Duration::ZERO);
}
