//! Tests of the memory of a connection: it allocates nothing for further requests, needs little
//! while it is idle, and never exceeds its limits.
#![cfg(test)]

mod common;

use std::sync::Arc;

use allocation_counter::measure;
use bytes::Bytes;
use httpants_core::{CloseReason, Config, Connection, ConnectionInfo, Event, ProtocolError, Storage, TransmitQueue};

use common::{BROWSER, MIN, Server, WRK, now};

/// Asserts that repeated exchanges do not allocate, except the first ones.
fn allocates_nothing(input: &[u8], repetitions: usize, responses_each: usize) {
    let mut server = Server::new();
    (0..3).for_each(|_| server.exchange(input));
    let counted = measure(|| (0..repetitions).for_each(|_| server.exchange(input)));
    assert_eq!(server.responses, (repetitions + 3) * responses_each);
    assert_eq!(counted.count_total, 0, "allocations in {repetitions} exchanges: {counted:?}");
}

#[test]
fn ten_thousand_requests_allocate_nothing() {
    for head in [MIN, WRK, BROWSER] {
        allocates_nothing(head.as_bytes(), 10_000, 1);
    }
}

#[test]
fn pipelined_requests_allocate_nothing() {
    for head in [MIN, WRK, BROWSER] {
        allocates_nothing(head.repeat(16).as_bytes(), 10_000 / 16, 16);
    }
}

#[test]
fn heads_in_pieces_allocate_nothing() {
    let mut server = Server::new();
    let bytewise = |server: &mut Server| BROWSER.bytes().for_each(|byte| server.exchange(&[byte]));
    bytewise(&mut server);
    assert_eq!(measure(|| (0..20).for_each(|_| bytewise(&mut server))).count_total, 0);
}

#[test]
fn body_of_a_mebibyte_allocates_nothing() {
    let head = |framing: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{framing}\r\n\r\n");
    let content = "x".repeat(1 << 20);
    let whole = format!("{}{content}", head("Content-Length: 1048576"));
    allocates_nothing(whole.as_bytes(), 100, 1);
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(4096));
    let chunked = format!("{}{}0\r\n\r\n", head("Transfer-Encoding: chunked"), chunk.repeat(256));
    allocates_nothing(chunked.as_bytes(), 100, 1);
}

/// As used by callers that share a connection behind a lock.
#[test]
fn taken_transmit_queues_allocate_nothing() {
    for size in [13, 100_000] {
        for input in [WRK.to_owned(), BROWSER.repeat(16)] {
            let mut server = Server::new();
            server.body = Bytes::from(vec![b'x'; size]);
            let mut queue = TransmitQueue::default();
            (0..3).for_each(|_| server.exchange_with_taken_queue(input.as_bytes(), &mut queue));
            let counted =
                measure(|| (0..100).for_each(|_| server.exchange_with_taken_queue(input.as_bytes(), &mut queue)));
            assert_eq!(counted.count_total, 0, "{size} bytes of content: {counted:?}");
        }
    }
}

/// Storage that is passed from one connection to the next contains everything that a request needs.
#[test]
fn connections_that_share_storage_allocate_nothing() {
    let mut servers = [Server::new(), Server::new()];
    let mut storage = Some(Storage::new(8 << 10));
    let mut rounds = |count: usize| {
        for _ in 0..count {
            for server in &mut servers {
                let supplied = storage.take().expect("it was released");
                assert!(server.connection.supply_storage(supplied).is_none());
                server.exchange(BROWSER.as_bytes());
                storage = server.connection.release_storage();
            }
        }
    };
    rounds(3);
    let counted = measure(|| rounds(100));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

#[test]
fn idle_connection_holds_less_than_a_kibibyte() {
    let config = Arc::new(Config::default());
    let mut idle = None;
    let held = measure(|| {
        let mut connection = Connection::new(Arc::clone(&config), ConnectionInfo::default(), now(0));
        let mut storage = Some(Storage::new(8 << 10));
        for head in [BROWSER, WRK] {
            assert!(storage.take().is_some_and(|storage| connection.supply_storage(storage).is_none()));
            assert_eq!(connection.receive(head.as_bytes(), now(0)), head.len());
            while let Some(event) = connection.poll_event() {
                if let Event::Request(request) = event {
                    connection.respond_with(request.id(), &Default::default(), "x".repeat(100)).unwrap();
                }
            }
            assert!(connection.release_storage().is_none(), "a response waits to be sent");
            connection.handle_sent(u64::MAX, now(1));
            assert!(connection.release_storage().is_none(), "its end was not reported");
            assert!(matches!(connection.poll_event(), Some(Event::ResponseEnd(_))));
            storage = connection.release_storage();
        }
        drop(storage);
        idle = Some(connection);
    });
    let whole = size_of::<Connection>() as i64 + held.bytes_current;
    assert!(whole < 1024, "{whole} bytes, {held:?}");
    assert!(idle.is_some_and(|connection| connection.is_idle()));
}

/// Returns the maximum number of bytes on the heap while this client was served.
fn peak(client: impl FnOnce(&mut Connection)) -> u64 {
    let config = Arc::new(Config::default());
    measure(|| client(&mut Connection::new(config, ConnectionInfo::default(), now(0)))).bytes_max
}

/// Responds to all requests with `Hello, World!`. Returns the reason if the connection was closed.
fn respond(connection: &mut Connection) -> Option<CloseReason> {
    while let Some(event) = connection.poll_event() {
        match event {
            Event::Request(request) if !request.has_body() => {
                connection.respond_with(request.id(), &Default::default(), "Hello, World!").unwrap();
            }
            Event::End(id, _) => connection.respond_with(id, &Default::default(), "Hello, World!").unwrap(),
            Event::Closed(reason) => return Some(reason),
            _ => {}
        }
    }
    None
}

#[test]
fn client_that_never_reads_has_bounded_memory() {
    let limits = Config::default().limits;
    // The queue doubles when it grows, and a response may begin just below the limit. The entry
    // that is kept for each unsent response is small compared with responses of this size.
    let most = limits.recv_buffer + 2 * (limits.send_backlog + 1024) + limits.send_backlog / 8 + 4096;
    let mut taken = 0;
    let input = WRK.repeat(100_000);
    let peak = peak(|connection| {
        while connection.wants_recv() {
            taken += connection.receive(&input.as_bytes()[taken..], now(0));
            assert_eq!(respond(connection), None);
        }
    });
    assert!(taken > limits.send_backlog / 2, "{taken} bytes were read");
    assert!(peak < most as u64, "{peak} bytes at most");
    assert!(taken < limits.send_backlog + limits.recv_buffer, "{taken} bytes were read");
}

#[test]
fn chunks_of_one_byte_take_no_memory() {
    let limits = Config::default().limits;
    for (chunk, fault) in
        [("1\r\nx\r\n", ProtocolError::BodyTooLarge), ("1;abcdefghijklmnopqrst\r\nx\r\n", ProtocolError::ChunkOverhead)]
    {
        let (mut received, mut reason) = (0, None);
        let chunks = chunk.repeat(1000);
        let peak = peak(|connection| {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
            assert_eq!(connection.receive(head, now(0)), head.len());
            while reason.is_none() {
                received += connection.receive(&chunks.as_bytes()[received % chunks.len()..], now(0));
                reason = respond(connection);
            }
        });
        assert_eq!(reason, Some(CloseReason::Refused(fault)));
        assert!(peak < 4 * limits.body_buffer as u64, "{peak} bytes at most");
        if fault == ProtocolError::ChunkOverhead {
            // 8 bytes of each chunk count against the limit.
            assert!(received < (limits.chunk_overhead / 8 + 1) * chunk.len() + limits.recv_buffer, "{received} bytes");
        }
    }
}

#[test]
fn endless_head_is_refused_at_its_limit() {
    let limits = Config::default().limits;
    for line in ["X: y\r\n", "xxxxxx", "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"] {
        let mut received = 0;
        let peak = peak(|connection| {
            let start = b"GET / HTTP/1.1\r\n";
            assert_eq!(connection.receive(start, now(0)), start.len());
            let reason = loop {
                received += connection.receive(line.as_bytes(), now(0));
                if let Some(reason) = respond(connection) {
                    break reason;
                }
            };
            assert!(matches!(reason, CloseReason::Refused(ProtocolError::HeadTooLong | ProtocolError::TooManyFields)));
        });
        assert!(received <= limits.head, "{received} bytes were read");
        assert!(peak < 4 * limits.head as u64, "{peak} bytes at most");
    }
}

#[test]
fn bytes_after_the_end_are_held_only_up_to_a_limit() {
    let limits = Config::default().limits;
    let peak = peak(|connection| {
        connection.close();
        let mut taken = 0;
        // A caller that reads as long as bytes are wanted, and polls events later.
        while connection.wants_recv() {
            taken += connection.receive(&[b'x'; 1000], now(0));
        }
        assert!(taken <= limits.recv_buffer, "{taken} bytes were read");
        assert_eq!(respond(connection), Some(CloseReason::Aborted));
        assert_eq!(respond(connection), None);
        assert!(connection.wants_recv(), "dropped, so there is room again");
    });
    assert!(peak < 3 * limits.recv_buffer as u64, "{peak} bytes at most");
}
