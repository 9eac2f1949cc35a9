//! Random operations on a connection, from seeds: whatever a client, an application and a
//! clock do, and in whatever order.
#![cfg(test)]

#[path = "../common/mod.rs"]
mod common;
mod input;
mod output;

use bytes::Bytes;
use common::now;
use httpants_core::{
    BodyLen, Close, CloseReason, Connection, Event, FieldLines, Misuse, Peer, Receiving, ResponseHead, Sending,
    Storage, Timer, Transmit,
};
use input::Random;

/// What the application gave for one request.
#[derive(Default)]
struct Answer {
    status: u16,
    content: Vec<u8>,
    /// HEAD and some statuses have none, whatever was given.
    has_content: bool,
    finished: bool,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { status, content, has_content, finished } = self;
        write!(f, "{status}, {} bytes, has content: {has_content}, finished: {finished}", content.len())
    }
}

struct World {
    random: Random,
    connection: Connection,
    millis: u64,
    /// What the client has still to send.
    unsent: Vec<u8>,
    end_of_stream: bool,
    out: Vec<u8>,
    answers: Vec<Answer>,
    closed: Option<CloseReason>,
    upgraded: bool,
    /// The transport failed or took nothing: what waited is lost.
    cut_off: bool,
    shutdown_told: bool,
    storage: Option<Storage>,
    log: Vec<&'static str>,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {:?} after {:?}", self.closed, self.connection.state(), self.log)
    }
}

/// How often it is chosen, its name, and what it does.
type Operation = (usize, &'static str, fn(&mut World));

impl World {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let config = input::config(&mut random);
        Self {
            connection: Connection::new(config.into(), Peer::default(), now(0)),
            millis: 0,
            unsent: input::bytes(&mut random),
            end_of_stream: false,
            out: vec![],
            answers: vec![],
            closed: None,
            upgraded: false,
            cut_off: false,
            shutdown_told: false,
            storage: None,
            log: vec![],
            random,
        }
    }

    fn now(&self) -> httpants_core::Now {
        now(self.millis)
    }

    fn step(&mut self) {
        let operations: [Operation; 14] = [
            (20, "receive", Self::receive),
            (30, "poll", Self::poll),
            (20, "transmit", Self::transmit),
            (20, "answer", Self::answer),
            (6, "answer by calls", Self::answer_by_calls),
            (10, "finish", Self::finish),
            (5, "time", Self::time),
            (2, "pause", |world| {
                let pause = world.random.one_in(2);
                world.connection.pause(pause);
                let reads_content = world.connection.state().recv == Receiving::Content;
                assert!(!pause || !reads_content || !world.connection.wants_recv());
            }),
            (2, "max_request", |world| world.connection.set_max_request([0, 10, 1 << 30][world.random.below(3)])),
            (3, "storage", Self::storage),
            (2, "end", |world| {
                if world.unsent.is_empty() || world.random.one_in(8) {
                    world.end_of_stream = true;
                    world.connection.handle_eof(world.now());
                }
            }),
            (1, "abort", |world| {
                if world.random.one_in(4) {
                    world.connection.abort();
                }
            }),
            (1, "shutdown", |world| {
                if world.random.one_in(4) {
                    world.connection.handle_shutdown(world.now());
                }
            }),
            (1, "io error", |world| {
                if world.random.one_in(16) {
                    world.cut_off = true;
                    world.connection.handle_io_error(world.now());
                }
            }),
        ];
        let mut at = self.random.below(operations.iter().map(|(weight, ..)| weight).sum());
        for (weight, name, operation) in operations {
            if at < weight {
                self.log.push(name);
                operation(self);
                return self.check();
            }
            at -= weight;
        }
    }

    fn receive(&mut self) {
        if self.end_of_stream {
            return;
        }
        if self.unsent.is_empty() && self.random.one_in(3) {
            self.unsent = input::bytes(&mut self.random);
        }
        let most = [1, 5, 100, 10_000, 200_000][self.random.below(5)].min(self.unsent.len());
        let wanted = self.connection.wants_recv();
        let taken = self.connection.receive(&self.unsent[..most], now(self.millis));
        assert_eq!(taken > 0, wanted && most > 0);
        self.unsent.drain(..taken);
    }

    fn poll(&mut self) {
        for round in 0.. {
            assert!(round < 100_000, "events without end");
            let Some(event) = self.connection.poll_event() else { return };
            assert!(self.closed.is_none(), "{event:?} after the end");
            if matches!(event, Event::Data(_) | Event::End(_) | Event::Expect100) {
                assert!(self.connection.current_request().is_some(), "{event:?} of a request that is over");
            }
            match event {
                Event::Closed(reason) => self.closed = Some(reason),
                event if self.upgraded => panic!("{event:?} after the stream was handed over"),
                Event::Request(_) => {
                    assert!(self.answers.last().is_none_or(|last| last.finished), "two requests at once");
                    assert!(self.connection.current_request().is_some());
                    self.answers.push(Answer::default());
                }
                Event::Data(data) => assert!(!data.is_empty()),
                Event::Expect100 if self.random.one_in(2) => drop(self.connection.send_continue()),
                Event::Upgraded => {
                    self.upgraded = true;
                    drop(self.connection.take_upgrade());
                }
                _ => {}
            }
            if self.random.one_in(4) {
                return;
            }
        }
    }

    /// Gives the head of an answer, or a whole one.
    fn answer(&mut self) {
        let Some(request) = self.connection.current_request().cloned() else {
            assert!(self.connection.respond(&ResponseHead::default(), BodyLen::Unknown).is_err());
            return;
        };
        let status = [200, 200, 200, 204, 304, 404, 101, 100][self.random.below(8)];
        let mut head = ResponseHead::new(status).unwrap();
        if self.random.one_in(8) {
            head.fields.push("Connection", "close").unwrap();
        }
        if status == 101 {
            head.fields.push("Upgrade", "x").unwrap();
        }
        let content = "r".repeat([0, 5, 3000, 100_000][self.random.below(4)]);
        let whole = self.random.one_in(2);
        let length = if self.random.one_in(2) { BodyLen::Known(content.len() as u64) } else { BodyLen::Unknown };
        let given = match whole {
            true => self.connection.respond_with(&head, content.clone()),
            false => self.connection.respond(&head, length),
        };
        if given.is_err() {
            return;
        }
        let answer = self.answers.last_mut().unwrap();
        let tunnel = request.method() == "CONNECT" && head.status.is_success();
        *answer = Answer {
            status,
            has_content: request.method() != "HEAD" && !matches!(status, 101 | 204 | 304) && !tunnel,
            finished: whole || status == 101 || tunnel,
            content: if whole { content.into_bytes() } else { vec![] },
        };
    }

    /// The seed's way.
    fn answer_by_calls(&mut self) {
        let Some(request) = self.connection.current_request().cloned() else { return };
        if request.method() == "CONNECT" {
            return;
        }
        let content = "s".repeat([0, 5, 3000][self.random.below(3)]);
        let mut reply = self.connection.reply();
        let given = reply
            .send_status(201)
            .and_then(|()| reply.send_headers([("X", "y")], false))
            .and_then(|()| reply.send(content.clone()));
        let finished = given.is_ok() && self.random.one_in(2) && reply.finish().is_ok();
        if given.is_ok() {
            let has_content = request.method() != "HEAD";
            *self.answers.last_mut().unwrap() =
                Answer { status: 201, has_content, finished, content: content.into_bytes() };
        }
    }

    /// Goes on with an answer that was begun.
    fn finish(&mut self) {
        let piece = "t".repeat([0, 7, 2500][self.random.below(3)]);
        match self.connection.send(piece.clone()) {
            Ok(()) => self.answers.last_mut().unwrap().content.extend_from_slice(piece.as_bytes()),
            Err(Misuse::TooMuchContent { due, .. }) => {
                self.connection.send(Bytes::from("u".repeat(due as usize))).unwrap();
                self.answers.last_mut().unwrap().content.extend(std::iter::repeat_n(b'u', due as usize));
            }
            Err(_) => return,
        }
        if self.random.one_in(2) {
            let mut trailers = FieldLines::new();
            trailers.push("X-Sum", "1").unwrap();
            let finished = match self.random.one_in(2) {
                true => self.connection.finish(),
                false => self.connection.finish_with_trailers(&trailers),
            };
            if finished.is_ok() {
                self.answers.last_mut().unwrap().finished = true;
            }
        }
    }

    fn transmit(&mut self) {
        let Some(transmit) = self.connection.poll_transmit() else { return };
        let Transmit::Bytes(slices) = transmit else { panic!("nobody sent a file") };
        let bytes: Vec<u8> = slices.flat_map(|slice| slice.to_vec()).collect();
        assert!(!bytes.is_empty());
        let most = if self.random.one_in(3) { self.random.below(bytes.len()) + 1 } else { bytes.len() };
        self.out.extend_from_slice(&bytes[..most]);
        let now = self.now();
        self.connection.handle_sent(most as u64, now);
    }

    /// The clock goes on: to a deadline, short of it or past it.
    fn time(&mut self) {
        let Some(deadline) = self.connection.poll_timeout() else {
            self.millis += self.random.below(100_000) as u64;
            let now = self.now();
            return self.connection.handle_timeout(now);
        };
        let at = deadline.at.as_millis() as u64;
        let early = self.random.below(3) > 0;
        self.millis = match self.random.below(3) {
            0 => self.millis.max(at.saturating_sub(1)),
            _ if early => self.millis + self.random.below(2000) as u64,
            1 => self.millis.max(at),
            _ => self.millis.max(at) + 1000,
        };
        self.cut_off |= deadline.why == Timer::Write && self.millis >= at;
        let (state, now) = (self.connection.state(), self.now());
        self.connection.handle_timeout(now);
        if now.mono < deadline.at {
            assert_eq!(self.connection.state(), state, "{deadline:?} came early");
        } else {
            assert_ne!(self.connection.poll_timeout(), Some(deadline), "a deadline that came stays");
        }
    }

    fn storage(&mut self) {
        match self.storage.take() {
            Some(storage) => self.storage = self.connection.lend(storage),
            None if self.connection.is_idle() => self.storage = self.connection.release(),
            None => self.storage = Some(Storage::new([16, 100, 8 << 10][self.random.below(3)])),
        }
    }

    /// What holds after every operation.
    fn check(&mut self) {
        let wants = self.connection.wants_recv();
        assert_eq!(!self.connection.recv_buf().is_empty(), wants, "wants_recv and recv_buf disagree");
        match self.connection.poll_close() {
            Some(Close::ShutdownWrite) => assert!(!std::mem::replace(&mut self.shutdown_told, true)),
            Some(_) => assert!(self.connection.poll_transmit().is_none() && !wants),
            None => {}
        }
        let state = self.connection.state();
        let timed = self.connection.poll_timeout();
        let to_send = self.connection.poll_transmit().is_some();
        let awaits_peer = match (state.recv, state.send) {
            (Receiving::Idle | Receiving::Head | Receiving::Drain, _) => !self.end_of_stream,
            (Receiving::Discard, Sending::Shut) => true,
            _ => to_send,
        };
        assert!(!awaits_peer || timed.is_some(), "nothing limits the time in {state:?}");
    }

    /// Nothing more is decided by chance: the application answers, the client sends and
    /// takes everything, time passes where nothing else happens. It must come to an end.
    fn run_out(&mut self) {
        self.connection.pause(false);
        for _ in 0..100_000 {
            self.random.0 |= 1;
            self.poll();
            if self.connection.state().send == Sending::Head {
                self.connection.set_max_request(1 << 30);
                let method = self.connection.current_request().unwrap().method().clone();
                let has_content = method != "HEAD" && method != "CONNECT";
                if self.connection.respond_with(&ResponseHead::default(), "last").is_ok() {
                    let request = self.answers.last_mut().unwrap();
                    *request = Answer { status: 200, content: b"last".to_vec(), has_content, finished: true };
                    continue;
                }
            }
            if self.connection.state().send == Sending::Content {
                self.finish();
                continue;
            }
            if self.connection.poll_transmit().is_some() {
                self.transmit();
                continue;
            }
            if self.upgraded || matches!(self.connection.poll_close(), Some(Close::Now | Close::Reset)) {
                return;
            }
            if self.connection.wants_recv() && !self.unsent.is_empty() && !self.end_of_stream {
                let taken = self.connection.receive(&self.unsent, now(self.millis));
                self.unsent.drain(..taken);
                continue;
            }
            if !self.end_of_stream {
                self.end_of_stream = true;
                let now = self.now();
                self.connection.handle_eof(now);
                continue;
            }
            let Some(deadline) = self.connection.poll_timeout() else {
                assert!(self.connection.poll_event().is_some(), "stuck in {:?}", self.connection.state());
                continue;
            };
            self.millis = self.millis.max(deadline.at.as_millis() as u64);
            let now = self.now();
            self.connection.handle_timeout(now);
        }
        panic!("no end in {:?}", self.connection.state());
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..world.random.below(200) {
        world.step();
    }
    world.run_out();
    let reset = world.connection.poll_close() == Some(Close::Reset);
    output::check(&world, reset);
    assert!(world.upgraded || world.closed.is_some(), "the end was not told");
}

#[test]
fn random_operations() {
    for seed in 1..=3000 {
        if let Err(panic) = std::panic::catch_unwind(|| run(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed))) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
