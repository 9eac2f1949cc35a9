//! Tests of buffers that are moved out of the connection: bytes and events are the same, whatever
//! inputs occur in the meantime.
#![cfg(test)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use common::{BROWSER, WRK, connection, events, feed, now, request, sent, timeout};
use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, Event, Misuse, Receiving, RecvBuffer, RequestId, ResponseHead,
    Timer, Transmit, TransmitQueue, Transmitted,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// The way in which bytes pass between the connection and its transport.
#[derive(Clone, Copy, Debug)]
struct Style {
    /// True if the buffers are moved out.
    lent: bool,
    /// Maximum numbers of bytes that are read and written at once.
    read: usize,
    write: usize,
}

/// The result of an exchange: the events, with adjacent pieces of content merged, and the sent
/// bytes.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    events: Vec<String>,
    out: Vec<u8>,
    close: Option<Close>,
}

impl Outcome {
    fn events(&mut self, connection: &mut Connection) {
        while let Some(event) = connection.poll_event() {
            match &event {
                Event::Request(request) if !request.has_body() => respond(connection, request.id()),
                Event::End(id, _) => respond(connection, *id),
                Event::Data(_, data) => {
                    if let Some(last) = self.events.last_mut().filter(|last| last.starts_with("Data")) {
                        last.push_str(&data.escape_ascii().to_string());
                        continue;
                    }
                    self.events.push(format!("Data {}", data.escape_ascii()));
                    continue;
                }
                _ => {}
            }
            // The position of a response's end among other events depends on how it is sent.
            self.events.push(format!("{event:?}"));
        }
        if let Some(close) = connection.poll_close() {
            self.close = Some(close);
        }
    }

    /// Returns the events of the requests, and those of the responses.
    fn sorted(mut self) -> (Self, Vec<String>) {
        let (ends, others) = self.events.drain(..).partition(|event| event.starts_with("ResponseEnd"));
        self.events = others;
        (self, ends)
    }
}

/// Responds in ways that depend on the request: small, large, chunked, a file, an upgrade.
fn respond(connection: &mut Connection, id: RequestId) {
    let request = connection.current_request().expect("it is outstanding").clone();
    let head = ResponseHead::default();
    let result = match request.path() {
        "/large" => connection.respond_with(id, &head, vec![b'l'; 50_000]),
        "/chunked" => connection.respond(id, &head, BodyLen::Unknown).and_then(|()| {
            connection.send(id, "one")?;
            connection.send(id, vec![b'c'; 5_000])?;
            connection.finish(id)
        }),
        "/file" => connection.respond(id, &head, BodyLen::Known(1_003)).and_then(|()| {
            connection.send(id, "abc")?;
            connection.send_external(id, 7, 100, 1_000)?;
            connection.finish(id)
        }),
        "/half" => connection.respond(id, &head, BodyLen::Known(10)).and_then(|()| {
            connection.send(id, "half")?;
            connection.abort(id)
        }),
        "/upgrade" => {
            let mut head = ResponseHead::new(101).expect("a status");
            head.fields.push("Upgrade", "x").expect("a field");
            connection.respond_upgrade(id, &head)
        }
        _ => connection.respond_with(id, &head, request.target().to_owned()),
    };
    assert_eq!(result, Ok(()));
}

/// Returns at most `most` bytes of a transmit; all bytes of a file are `f`.
fn taken(transmit: Transmit<'_>, most: usize) -> Vec<u8> {
    match transmit {
        Transmit::Bytes(slices) => slices.flatten().copied().take(most).collect(),
        Transmit::External { length, .. } => vec![b'f'; most.min(length as usize)],
        other => panic!("{other:?}"),
    }
}

fn exchange(mut input: &[u8], style: Style) -> (Outcome, Vec<String>) {
    let mut connection = connection(Config::default());
    let (mut outcome, mut queue) = (Outcome::default(), TransmitQueue::default());
    let mut has_ended = false;
    loop {
        if connection.wants_recv() && !has_ended {
            has_ended = input.is_empty();
            let count = receive(&mut connection, &input[..input.len().min(style.read)], style);
            input = &input[count..];
            if has_ended {
                connection.handle_eof(now(0));
            }
        }
        outcome.events(&mut connection);
        let before = outcome.out.len();
        if style.lent {
            connection.take_transmit(&mut queue);
            let mut sent = Transmitted::default();
            while let Some(transmit) = queue.poll() {
                let bytes = taken(transmit, style.write);
                sent += queue.advance(bytes.len() as u64);
                outcome.out.extend(bytes);
                // Sent bytes are reported from time to time.
                if sent.count() % 3 == 0 || queue.is_empty() {
                    connection.handle_transmitted(&mut queue, std::mem::take(&mut sent), now(0));
                    outcome.events(&mut connection);
                }
            }
        } else {
            while let Some(transmit) = connection.poll_transmit() {
                let bytes = taken(transmit, style.write);
                connection.handle_sent(bytes.len() as u64, now(0));
                outcome.out.extend(bytes);
            }
        }
        let (sent, wants) = (outcome.out.len() > before, connection.wants_recv() && !has_ended);
        if !sent && !wants {
            outcome.events(&mut connection);
            let rest = connection.take_upgrade();
            outcome.out.extend_from_slice(b"\n\n");
            outcome.out.extend_from_slice(&rest);
            outcome.out.extend_from_slice(if connection.state().recv == Receiving::SwitchedProtocol {
                input
            } else {
                b""
            });
            return outcome.sorted();
        }
    }
}

fn receive(connection: &mut Connection, bytes: &[u8], style: Style) -> usize {
    if !style.lent {
        return connection.receive(bytes, now(0));
    }
    let Some(mut buffer) = connection.lend_recv_buf() else { panic!("{:?} wants bytes", connection.state()) };
    assert!(connection.recv_buf().is_empty() && connection.lend_recv_buf().is_none());
    assert!(connection.poll_event().is_none(), "nothing is parsed");
    let room = buffer.room();
    assert!(!room.is_empty());
    let count = room.len().min(bytes.len());
    room[..count].copy_from_slice(&bytes[..count]);
    connection.return_recv_buf(buffer, count, now(0));
    count
}

#[test]
fn lent_buffers_give_the_same_bytes_and_events() {
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(8192));
    let inputs = [
        get("/"),
        [BROWSER, WRK].concat().repeat(4),
        [get("/large"), get("/"), get("/file"), get("/chunked")].concat().repeat(2),
        [get("/a"), get("/half"), get("/never")].concat(),
        format!("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n{}", "y".repeat(30_000)),
        format!(
            "POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{}0\r\nA: 1\r\n\r\n",
            chunk.repeat(5)
        ),
        format!("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}oops"),
        "GET / HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n".to_owned() + &get("/never"),
        format!("{}GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nnew", get("/")),
        "GET /cut HTTP/1.1\r\nHo".to_owned(),
    ];
    for input in &inputs {
        let plain = Style { lent: false, read: usize::MAX, write: usize::MAX };
        let expected = exchange(input.as_bytes(), plain);
        assert!(!expected.1.is_empty() || input.ends_with("\r\nHo"), "{expected:?}");
        for read in [usize::MAX, 1, 7, 1000] {
            for write in [usize::MAX, 1, 1000] {
                let style = Style { lent: true, read, write };
                assert_eq!(exchange(input.as_bytes(), style), expected, "{style:?} {}", &input[..40.min(input.len())]);
            }
        }
        let trickled = Style { read: 1, ..plain };
        assert_eq!(exchange(input.as_bytes(), trickled), expected);
    }
}

#[test]
fn nothing_is_parsed_while_the_buffer_is_lent() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let buffer = connection.lend_recv_buf().unwrap();
    assert!(connection.poll_event().is_none());
    assert_eq!(connection.receive(b"more", now(0)), 0, "there is no room");
    connection.handle_recv(4, now(0));
    connection.handle_eof(now(0));
    assert!(connection.poll_event().is_none());
    connection.return_recv_buf(buffer, 0, now(0));
    assert_eq!(events(&mut connection), ["Request", "PeerClosed"]);
}

#[test]
fn count_beyond_the_buffer_is_capped() {
    let mut connection = connection(Config::default());
    let mut buffer = connection.lend_recv_buf().unwrap();
    let size = buffer.room().len();
    buffer.room()[..GET.len()].copy_from_slice(GET);
    buffer.room()[GET.len()..].fill(b'\n');
    connection.return_recv_buf(buffer, usize::MAX, now(0));
    assert_eq!(events(&mut connection), ["Request"]);
    let received = format!("received: {},", size - GET.len());
    assert!(format!("{connection:?}").contains(&received), "{connection:?}");
}

/// Timeouts, shutdowns and failures occur while the transport has the buffer.
#[test]
fn deadlines_pass_while_the_buffer_is_lent() {
    let mut config = Config::default();
    config.limits.refusal_linger = 40;
    let mut late = connection(config);
    feed(&mut late, b"GET / HTTP/1.1\r\n", 0);
    assert_eq!(events(&mut late), [""; 0]);
    let mut buffer = late.lend_recv_buf().unwrap();
    late.handle_timeout(now(15_000));
    assert_eq!(events(&mut late), ["TimedOut", "Refused", "Closed"]);
    assert!(sent(&mut late, 15_000).starts_with("HTTP/1.1 408 "));
    assert_eq!((late.poll_close(), timeout(&late)), (Some(Close::ShutdownWrite), Some((20_000, Timer::Linger))));
    // The bytes are dropped when they are returned, and counted once.
    buffer.room()[..24].fill(b'x');
    late.return_recv_buf(buffer, 24, now(15_001));
    assert_eq!((events(&mut late), late.poll_close()), (vec!["ResponseEnd".to_owned()], None));
    feed(&mut late, b"y", 15_002);
    assert_eq!((events(&mut late), late.poll_close()), (vec![], Some(Close::Now)));

    let mut gone = connection(Config::default());
    let buffer = gone.lend_recv_buf().unwrap();
    gone.handle_io_error(now(0));
    assert_eq!((events(&mut gone), gone.poll_close()), (vec!["Closed".to_owned()], Some(Close::Now)));
    assert!(gone.release_storage().is_none());
    gone.return_recv_buf(buffer, 8, now(0));
    assert!(gone.poll_event().is_none() && gone.lend_recv_buf().is_none());
    assert!(gone.release_storage().is_some(), "the buffer can serve another connection");
}

#[test]
fn taken_transmit_queue_counts_as_pending() {
    let mut config = Config::default();
    config.limits.send_backlog = 1_000;
    let mut connection = connection(config);
    feed(&mut connection, &GET.repeat(2), 0);
    let id = request(&mut connection).id();
    connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.send(id, vec![b'x'; 3_000]).unwrap();
    let mut queue = TransmitQueue::default();
    assert!(connection.take_transmit(&mut queue));
    assert!(!connection.take_transmit(&mut TransmitQueue::default()), "there is nothing more");
    assert_eq!(connection.poll_send_room(id), Ok(0));
    assert_eq!(timeout(&connection), Some((30_000, Timer::Write)));
    connection.finish(id).unwrap();
    assert!(connection.poll_event().is_none(), "no room for another response");
    let sent = queue.advance(2_900);
    connection.handle_transmitted(&mut queue, sent, now(5_000));
    assert_eq!(timeout(&connection), Some((35_000, Timer::Write)));
    assert!(connection.take_transmit(&mut queue), "the last chunk");
    assert!(!connection.take_transmit(&mut queue), "nothing is taken twice");
    assert_eq!(events(&mut connection), ["Request"], "the rest is less than the limit");
    let sent = queue.advance(u64::MAX);
    assert!(queue.is_empty());
    connection.handle_transmitted(&mut queue, sent, now(7_000));
    assert_eq!(events(&mut connection), ["ResponseEnd"]);
    // Reporting more than was taken out has no effect.
    connection.handle_transmitted(&mut queue, sent, now(8_000));
    assert_eq!((events(&mut connection), connection.poll_close()), (vec![], None));
}

/// Content of an application that counts when it is dropped.
struct Owned(Arc<AtomicUsize>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &[b'o'; 5_000]
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn content_of_a_broken_response_is_dropped_by_the_caller() {
    let drops = Arc::new(AtomicUsize::new(0));
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    connection.respond(id, &ResponseHead::default(), BodyLen::Unknown).unwrap();
    connection.send(id, Bytes::from_owner(Owned(Arc::clone(&drops)))).unwrap();
    let mut queue = TransmitQueue::default();
    assert!(connection.take_transmit(&mut queue));
    connection.send(id, Bytes::from_owner(Owned(Arc::clone(&drops)))).unwrap();
    connection.handle_io_error(now(0));
    assert_eq!(events(&mut connection), ["ResponseEnd", "Closed"]);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(connection.take_dropped());
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    drop(connection.take_dropped());
    drop(queue);
    assert_eq!(drops.load(Ordering::Relaxed), 2);
}

/// Returns a random number below `below` (SplitMix64).
fn random(state: &mut u64, below: u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27) % below
}

/// A caller that makes any call at any time.
#[derive(Default)]
struct RandomCalls {
    buffer: Option<RecvBuffer>,
    queue: TransmitQueue,
    now: u64,
    closed: Option<CloseReason>,
    accepted: Vec<RequestId>,
    ended: Vec<Option<RequestId>>,
}

impl RandomCalls {
    fn step(&mut self, connection: &mut Connection, choice: u64, number: u64) -> Result<(), Misuse> {
        const BYTES: &[u8] =
            b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789";
        let id = self.accepted.get(number as usize % 3).copied().unwrap_or_default();
        let current = connection.current_request().map_or(id, httpants_core::RequestHead::id);
        self.now += number % 50;
        let now = now(self.now);
        match choice {
            0..=5 => match self.buffer.take() {
                Some(mut buffer) => {
                    let room = buffer.room();
                    let count = (number as usize).min(room.len()).min(BYTES.len());
                    room[..count].copy_from_slice(&BYTES[..count]);
                    connection.return_recv_buf(buffer, count, now);
                }
                None => self.buffer = connection.lend_recv_buf(),
            },
            6 => assert!(connection.receive(&BYTES[..(number as usize).min(BYTES.len())], now) <= number as usize),
            7 => connection.handle_recv(number as usize, now),
            8 => connection.handle_timeout(common::now(self.now + 100 * number)),
            9 => connection.handle_peer_closed(now),
            10 if number == 0 => connection.handle_eof(now),
            11 if number == 0 => connection.handle_io_error(now),
            12 if number == 0 => connection.handle_shutdown(now),
            13 => connection.hold_requests(),
            14 | 15 => connection.accept_requests(),
            16 if number == 0 => connection.close(),
            17 => drop(connection.release_storage()),
            18 => drop(connection.supply_storage(httpants_core::Storage::new(number as usize * 100))),
            19 | 20 => drop(connection.take_transmit(&mut self.queue)),
            21..=24 => {
                let sent = self.queue.advance(number * 20);
                connection.handle_transmitted(&mut self.queue, sent, now);
            }
            25 => connection.handle_sent(number, now),
            26 => drop(connection.take_upgrade()),
            27 => drop(connection.take_dropped()),
            28 => connection.pause(current)?,
            29 | 30 => connection.resume(current)?,
            31 => connection.respond_with(id, &ResponseHead::default(), "stale or not")?,
            32 => connection.respond(current, &ResponseHead::default(), BodyLen::Unknown)?,
            33 => connection.send(current, vec![b's'; number as usize * 100])?,
            34 => connection.finish(current)?,
            35 => connection.respond_with(current, &ResponseHead::default(), "current")?,
            36 => drop(connection.poll_close()),
            _ => self.poll(connection),
        }
        Ok(())
    }

    fn poll(&mut self, connection: &mut Connection) {
        while let Some(event) = connection.poll_event() {
            let only_end = matches!(event, Event::ResponseEnd(_) | Event::TimedOut(Timer::Write | Timer::Linger));
            assert!(self.closed.is_none() || only_end, "{event:?} after Closed");
            match event {
                Event::Request(request) => {
                    assert!(self.buffer.is_none(), "a request was parsed while the buffer is lent");
                    self.accepted.push(request.id());
                }
                Event::ResponseEnd(stats) => self.ended.push(stats.request),
                Event::Closed(reason) => self.closed = Some(reason),
                _ => {}
            }
        }
    }

    /// Asserts that the end of each response was reported, in order.
    fn check(mut self, connection: &mut Connection) {
        if let Some(buffer) = self.buffer.take() {
            connection.return_recv_buf(buffer, 0, now(self.now));
        }
        connection.handle_io_error(now(self.now));
        self.poll(connection);
        assert_eq!(connection.state().recv, Receiving::Closed);
        let ended: Vec<_> = self.ended.iter().flatten().copied().collect();
        assert_eq!(ended, self.accepted);
        assert!(self.ended.len() - ended.len() <= 1, "at most one refusal of what was no request");
        assert!(self.closed.is_some());
    }
}

#[test]
fn calls_in_any_order_do_not_panic() {
    for seed in 0..3_000 {
        let mut state = seed;
        let mut config = Config::default();
        (config.limits.recv_buffer, config.limits.send_backlog) = (200, 500);
        let mut connection = connection(config);
        let mut chaos = RandomCalls::default();
        for _ in 0..random(&mut state, 300) {
            let (choice, number) = (random(&mut state, 42), random(&mut state, 100));
            // Calls that are out of order are refused.
            let _ = chaos.step(&mut connection, choice, number);
        }
        chaos.check(&mut connection);
    }
}

#[test]
fn large_buffer_of_a_refused_body_is_released() {
    let mut config = Config::default();
    config.limits.max_body_size = 100_000;
    let body_buffer = config.limits.body_buffer;
    let mut connection = connection(config);
    let chunk = [b"f000\r\n", [b'x'; 0xf000].as_slice(), b"\r\n"].concat();
    let input =
        [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), &chunk, &chunk].concat();
    let mut rest = &input[..];
    while !rest.is_empty() {
        let taken = connection.receive(rest, now(0));
        assert!(taken > 0);
        rest = &rest[taken..];
        while connection.poll_event().is_some() {}
    }
    assert_eq!(connection.state().recv, Receiving::Discard);
    assert!(connection.storage_size() < body_buffer, "{} bytes are kept", connection.storage_size());
}

#[test]
fn partly_transmitted_bytes_count_as_progress_once() {
    let mut connection = connection(Config::default());
    feed(&mut connection, GET, 0);
    let id = request(&mut connection).id();
    let mut queue = TransmitQueue::default();
    connection.respond_with(id, &ResponseHead::default(), vec![b'x'; 100_000]).unwrap();
    assert!(connection.take_transmit(&mut queue));
    assert_eq!(timeout(&connection), Some((30_000, Timer::Write)));
    // 10,000 bytes take 39 s at 256 bytes per second.
    connection.handle_partly_transmitted(10_000, now(20_000));
    assert_eq!(timeout(&connection), Some((50_000, Timer::Write)));
    let sent = queue.advance(10_256);
    connection.handle_transmitted(&mut queue, sent, now(40_000));
    assert_eq!(timeout(&connection), Some((51_000, Timer::Write)), "256 of them are new");
    // Nothing waits, and no progress is carried over to the next response.
    let sent = queue.advance(u64::MAX);
    connection.handle_transmitted(&mut queue, sent, now(41_000));
    connection.handle_partly_transmitted(1_000_000, now(41_000));
    assert_ne!(timeout(&connection).map(|(_, timer)| timer), Some(Timer::Write));
}
