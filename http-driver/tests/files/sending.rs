//! Tests of sending files: whole and in pieces, by sendfile or read, in turns, and aborted if they
//! cannot be completed.

use std::fs::{self, File};
use std::time::Duration;

use httpants_testkit::memory::{Client, Faults};

use crate::site::{LENGTH, Site, data, receive_all, request, responses, worlds};

const BOUNDARY: &str = "the boundary that tests have.....";

#[test]
fn file_bytes_are_the_same_at_every_cut() {
    let site = Site::new();
    let several = "Range: bytes=0-99999,150000-150000,200000-\r\n";
    let asked = [
        ("GET", "/f/data.bin", ""),
        ("GET", "/text", ""),
        ("HEAD", "/f/data.bin", ""),
        ("GET", "/f/data.bin", several),
        ("GET", "/f/hello.txt", ""),
        ("GET", "/f/data.bin", "Range: bytes=70000-\r\n"),
        ("GET", "/f/nothing", ""),
        ("GET", "/f/empty.txt", ""),
        ("GET", "/f/data.bin", "If-None-Match: *\r\n"),
        ("POST", "/f/data.bin", ""),
        ("GET", "/f/data.bin", several),
        ("GET", "/text", ""),
    ];
    let bytes: Vec<u8> = asked.iter().flat_map(|(method, path, fields)| request(method, path, fields)).collect();
    let methods = asked.map(|(method, ..)| method);
    let mut expected = None;
    for seed in 0..24 {
        let faults = if seed == 0 { Faults::default() } else { Faults::all() };
        for memory in worlds(seed, faults) {
            let handle = site.start(&memory);
            let client = memory.connect();
            client.send(&bytes);
            memory.run();
            let received = responses(&client.take_received(), &methods);
            let received: Vec<_> =
                received.into_iter().map(|response| response.with_boundary(&BOUNDARY[..32])).collect();
            let expected = expected.get_or_insert_with(|| received.clone());
            assert!(received.iter().all(|response| response.whole) && received.len() == asked.len());
            assert!(received == *expected, "seed {seed}");
            assert_eq!(received[0].content, data());
            assert_eq!(received.iter().map(|response| response.status).collect::<Vec<_>>(), STATUSES);
            assert!(!client.is_ended());
            assert_eq!(site.open_files(), 0, "seed {seed}");
            handle.close();
            memory.run();
        }
    }
}

const STATUSES: [u16; 12] = [200, 200, 200, 206, 200, 206, 404, 200, 304, 405, 206, 200];

#[test]
fn file_is_sent_to_a_slow_reader() {
    let site = Site::new();
    for memory in worlds(0, Faults::default()) {
        site.start(&memory);
        let client = memory.connect();
        client.take_only(100_000);
        client.send(&request("GET", "/f/data.bin", ""));
        memory.run();
        let mut received = client.take_received();
        assert_eq!((received.len(), site.open_files()), (100_000, 1));
        let polls = memory.polls();
        memory.advance(Duration::from_secs(29));
        assert!(memory.polls() - polls < 5, "it waits instead of spinning");
        // The file is replaced: the opened one is sent.
        fs::remove_file(site.root.join("data.bin")).unwrap();
        fs::write(site.root.join("data.bin"), data()).unwrap();
        received.extend(receive_all(&memory, &client));
        assert_eq!(responses(&received, &["GET"])[0].content, data());
        assert_eq!(site.open_files(), 0, "closed when the last byte was sent");

        client.take_only(0);
        client.send(&request("GET", "/f/data.bin", ""));
        memory.advance(Duration::from_secs(31));
        assert!(client.is_closed(), "the write timer");
        assert_eq!(site.open_files(), 0);
    }
}

#[test]
fn truncated_file_aborts_its_response() {
    let site = Site::new();
    for left in [0, 100_000, 150_000, LENGTH as u64 - 1] {
        for memory in worlds(0, Faults::default()) {
            let handle = site.start(&memory);
            fs::write(site.root.join("short.bin"), data()).unwrap();
            let client = memory.connect();
            client.take_only(100_000);
            client.send(&[request("GET", "/f/short.bin", ""), request("GET", "/text", "")].concat());
            memory.run();
            File::options().write(true).open(site.root.join("short.bin")).unwrap().set_len(left).unwrap();
            let received = receive_all(&memory, &client);
            let response = responses(&received, &["GET"]).remove(0);
            assert!(!response.whole && data().starts_with(&response.content), "{left}");
            assert!(client.is_closed() && response.field("Content-Length") == Some("300000"));
            assert_eq!((site.open_files(), handle.connections()), (0, 0));
        }
    }
}

#[test]
fn growing_file_is_sent_with_its_initial_length() {
    let site = Site::new();
    for memory in worlds(0, Faults::default()) {
        site.start(&memory);
        let client = memory.connect();
        client.take_only(1000);
        client.send(&[request("GET", "/f/data.bin", ""), request("GET", "/text", "")].concat());
        memory.run();
        let file = File::options().write(true).open(site.root.join("data.bin")).unwrap();
        file.set_len(2 * LENGTH as u64).unwrap();
        let received = responses(&receive_all(&memory, &client), &["GET", "GET"]);
        assert_eq!(received[1].text(), "text");
        file.set_len(LENGTH as u64).unwrap();
    }
}

#[test]
fn pipelining_peer_holds_few_files_open() {
    let site = Site::new();
    for memory in worlds(0, Faults::default()) {
        site.start(&memory);
        let client = memory.connect();
        client.take_only(0);
        client.send(&request("GET", "/f/data.bin", "").repeat(50));
        memory.run();
        assert_eq!(site.open_files(), 8);
        let received = receive_all(&memory, &client);
        let received = responses(&received, &["GET"; 50]);
        assert!(received.len() == 50 && received.iter().all(|response| response.content == data()));
        assert_eq!(site.open_files(), 0);
    }
}

#[test]
fn files_are_closed_at_every_end_of_the_connection() {
    let site = Site::new();
    for seed in 0..10 {
        for memory in worlds(seed, Faults::all()) {
            let handle = site.start(&memory);
            for end in [Client::reset, Client::end] {
                let client = memory.connect();
                client.take_only(50_000);
                client.send(&request("GET", "/f/data.bin", "").repeat(3));
                memory.run();
                assert!(site.open_files() > 0);
                end(&client);
                receive_all(&memory, &client);
                assert_eq!((site.open_files(), client.is_closed()), (0, true), "seed {seed}");
            }
            let client = memory.connect();
            client.take_only(50_000);
            client.send(&request("GET", "/f/data.bin", ""));
            memory.run();
            handle.close();
            memory.run();
            assert_eq!((site.open_files(), client.is_closed()), (0, true), "seed {seed}");
        }
    }
}

#[test]
fn large_file_does_not_block_other_tasks() {
    const SIZE: u64 = 20 << 20;
    let site = Site::new();
    File::create(site.root.join("large.bin")).unwrap().set_len(SIZE).unwrap();
    // One turn per MiB that the socket accepts by sendfile, or per quarter MiB that is read.
    for (memory, turns) in worlds(0, Faults::default()).into_iter().zip([80, 20]) {
        site.start(&memory);
        let client = memory.connect();
        client.send(&request("GET", "/f/large.bin", ""));
        let polls = memory.polls();
        memory.run();
        assert!(responses(&client.take_received(), &["GET"])[0].whole);
        let polls = memory.polls() - polls;
        assert!((turns..turns + 20).contains(&polls), "{polls} turns, not {turns}");
    }
}

#[test]
fn http_1_0_client_gets_the_file_and_close() {
    let site = Site::new();
    for memory in worlds(0, Faults::default()) {
        site.start(&memory);
        let client = memory.connect();
        client.send(b"GET /f/data.bin HTTP/1.0\r\n\r\n");
        memory.run();
        assert_eq!(responses(&client.take_received(), &["GET"])[0].content, data());
        assert!(client.is_closed());
    }
}
