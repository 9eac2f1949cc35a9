//! Tests of each timer in virtual time: when it starts, what restarts it, its effect, and its name.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use httpants_core::{
    BodyLen, Close, CloseReason, Config, Connection, ConnectionInfo, Event, Now, RequestId, ResponseHead, Timer,
    Transmit, UnixTime,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\n";

/// The caller chooses the origin of the monotonic clock; nothing may depend on it.
const ORIGIN: Duration = Duration::from_secs(77);

fn at(millis: u64) -> Now {
    Now::new(ORIGIN + Duration::from_millis(millis), UnixTime::from_secs(784_111_777 + millis / 1000))
}

/// A connection whose caller does the minimum that the documentation requires.
struct Caller {
    connection: Connection,
    closed: Option<CloseReason>,
    last: Option<RequestId>,
    timed_out: Vec<Timer>,
    response: Vec<u8>,
}

impl Caller {
    fn new(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        set(&mut config);
        Self {
            connection: Connection::new(Arc::new(config), ConnectionInfo::default(), at(0)),
            closed: None,
            last: None,
            timed_out: Vec::new(),
            response: Vec::new(),
        }
    }

    fn receive(&mut self, bytes: &[u8], now: u64) {
        assert_eq!(self.connection.receive(bytes, at(now)), bytes.len());
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Closed(reason) => self.closed = Some(reason),
                Event::Request(request) => self.last = Some(request.id()),
                Event::TimedOut(timer) => self.timed_out.push(timer),
                _ => {}
            }
        }
    }

    /// Transmits up to `most` bytes.
    fn send(&mut self, most: usize, now: u64) -> usize {
        let Some(Transmit::Bytes(slices)) = self.connection.poll_transmit() else { return 0 };
        let bytes: Vec<u8> = slices.flatten().copied().take(most).collect();
        self.connection.handle_sent(bytes.len() as u64, at(now));
        self.response.extend_from_slice(&bytes);
        self.poll();
        bytes.len()
    }

    fn respond(&mut self, length: usize, now: u64) {
        // Every input carries the time; a wake-up is an input.
        self.connection.handle_timeout(at(now));
        let head = ResponseHead::new(200).unwrap();
        let id = self.id();
        self.connection.respond(id, &head, BodyLen::Known(length as u64)).unwrap();
        self.connection.send(id, vec![b'x'; length]).unwrap();
        self.connection.finish(id).unwrap();
        self.poll();
    }

    fn response(&mut self, now: u64) {
        self.respond(2, now);
        while self.send(usize::MAX, now) > 0 {}
    }

    /// Returns the id of the current or last request.
    fn id(&self) -> RequestId {
        self.last.unwrap()
    }

    /// Returns the running timer and its deadline.
    fn running_timer(&self) -> Option<(Timer, u64)> {
        let deadline = self.connection.poll_timeout()?;
        Some((deadline.timer, u64::try_from((deadline.at - ORIGIN).as_millis()).unwrap()))
    }

    fn wake(&mut self, now: u64) {
        self.connection.handle_timeout(at(now));
        self.poll();
    }

    /// Checks that nothing happens a millisecond before the deadline, and that the timer fires at
    /// the deadline.
    fn assert_fires(&mut self, timer: Timer, due: u64) {
        assert_eq!(self.running_timer(), Some((timer, due)));
        self.wake(due - 1);
        assert_eq!((self.running_timer(), self.closed), (Some((timer, due)), None), "too early");
        assert_eq!(self.timed_out, []);
        self.wake(due);
        assert_eq!(self.timed_out, [timer]);
        assert_ne!(self.running_timer(), Some((timer, due)), "it fired, so it is not running_timer any more");
    }

    /// Checks that the connection waits for the end of the peer's stream until `due`.
    fn assert_lingers_until(&mut self, due: u64) {
        assert_eq!(self.running_timer(), Some((Timer::Linger, due)));
        self.wake(due - 1);
        assert_eq!(self.connection.poll_close(), None);
        self.wake(due);
        assert_eq!(self.connection.poll_close(), Some(Close::Now));
        assert_eq!(self.running_timer(), None);
    }

    fn responded(&mut self, status: &str, now: u64) {
        while self.send(usize::MAX, now) > 0 {}
        let response = String::from_utf8(std::mem::take(&mut self.response)).unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status}")), "{response}");
        assert!(response.contains("\r\nConnection: close\r\n"), "{response}");
    }

    fn closes_silently(&mut self, reason: CloseReason) {
        assert_eq!(self.closed, Some(reason));
        assert!(self.connection.poll_transmit().is_none());
        assert_eq!(self.connection.poll_close(), Some(Close::Now));
        assert_eq!(self.running_timer(), None);
    }
}

#[test]
fn accept_timer_runs_until_the_first_byte() {
    let mut idle = Caller::new(|_| {});
    idle.assert_fires(Timer::Accept, 15_000);
    idle.closes_silently(CloseReason::TimedOut(Timer::Accept));

    let mut busy = Caller::new(|_| {});
    busy.receive(b"G", 14_999);
    assert_eq!(busy.running_timer(), Some((Timer::Head, 14_999 + 15_000)));
}

#[test]
fn head_timer_starts_at_first_byte_and_is_not_extended() {
    let mut caller = Caller::new(|_| {});
    caller.receive(b"GET /", 5_000);
    assert_eq!(caller.running_timer(), Some((Timer::Head, 20_000)));
    caller.receive(b" HTTP/1.1\r\nHost:", 19_000);
    caller.assert_fires(Timer::Head, 20_000);
    assert!(matches!(caller.closed, Some(CloseReason::Refused(_))));
    caller.responded("408", 20_000);
}

#[test]
fn head_timer_runs_for_each_request() {
    let mut caller = Caller::new(|_| {});
    caller.receive(GET, 1_000);
    caller.response(2_000);
    caller.receive(b"G", 30_000);
    caller.assert_fires(Timer::Head, 45_000);
    caller.responded("200", 45_000);
}

#[test]
fn idle_timer_starts_after_each_response() {
    let mut caller = Caller::new(|_| {});
    for now in [1_000, 50_000, 100_000] {
        caller.receive(GET, now);
        assert_eq!(caller.running_timer(), None, "the handler has no deadline");
        caller.response(now + 500);
        assert_eq!(caller.running_timer(), Some((Timer::Idle, now + 500 + 75_000)));
    }
    caller.response.clear();
    caller.assert_fires(Timer::Idle, 175_500);
    caller.closes_silently(CloseReason::TimedOut(Timer::Idle));
}

#[test]
fn idle_timer_starts_at_the_last_byte_sent() {
    let mut caller = Caller::new(|_| {});
    caller.receive(GET, 0);
    caller.respond(2, 1_000);
    assert_eq!(caller.running_timer(), Some((Timer::Write, 31_000)));
    assert!(caller.send(usize::MAX, 9_000) > 0);
    assert_eq!(caller.running_timer(), Some((Timer::Idle, 84_000)));
}

#[test]
fn body_timer_restarts_with_each_byte() {
    let mut caller = Caller::new(|config| config.timeouts.body_rate = 0);
    caller.receive(POST, 1_000);
    for now in [20_000, 40_000, 69_999] {
        caller.receive(b"x", now);
        assert_eq!(caller.running_timer(), Some((Timer::Body, now + 30_000)));
    }
    caller.assert_fires(Timer::Body, 99_999);
    caller.responded("408", 99_999);
}

#[test]
fn body_rate_applies_to_the_whole_body() {
    let mut caller = Caller::new(|_| {});
    caller.receive(POST, 1_000);
    assert_eq!(caller.running_timer(), Some((Timer::BodyRate, 11_000)));
    caller.receive(&[b'x'; 2_000], 9_000);
    assert_eq!(caller.running_timer(), Some((Timer::BodyRate, 11_000)), "2,000 bytes are worth less than the grace");
    caller.receive(&[b'x'; 2_000], 10_000);
    caller.assert_fires(Timer::BodyRate, 1_000 + 4_000 * 1_000 / 256 + 1);
    assert!(matches!(caller.closed, Some(CloseReason::Refused(_))));
    caller.responded("408", 20_000);
}

#[test]
fn body_timers_stop_while_the_application_pauses() {
    let mut caller = Caller::new(|_| {});
    caller.receive(POST, 0);
    caller.connection.handle_timeout(at(5_000));
    caller.connection.pause(caller.id()).unwrap();
    assert_eq!(caller.running_timer(), None);
    caller.connection.handle_timeout(at(100_000));
    caller.connection.resume(caller.id()).unwrap();
    assert_eq!(caller.running_timer(), Some((Timer::BodyRate, 105_000)));
}

#[test]
fn write_timer_restarts_at_the_minimum_rate() {
    let mut caller = Caller::new(|config| config.timeouts.write_rate = 250);
    caller.receive(GET, 0);
    caller.respond(100_000, 1_000);
    for (bytes, now, due) in [(250, 20_000, 32_000), (1, 29_000, 32_004), (10_000, 32_000, 62_000)] {
        assert_eq!(caller.send(bytes, now), bytes);
        assert_eq!(caller.running_timer(), Some((Timer::Write, due)));
    }
    // An occasional byte does not extend it.
    for now in (42_000..62_000).step_by(10_000) {
        assert_eq!(caller.send(1, now), 1);
    }
    caller.assert_fires(Timer::Write, 62_008);
    caller.closes_silently(CloseReason::TimedOut(Timer::Write));
}

#[test]
fn write_timer_without_a_rate_restarts_with_each_byte() {
    let mut caller = Caller::new(|config| config.timeouts.write_rate = 0);
    caller.receive(GET, 0);
    caller.respond(100, 1_000);
    for now in [20_000, 40_000, 60_000] {
        assert_eq!(caller.send(1, now), 1);
        assert_eq!(caller.running_timer(), Some((Timer::Write, now + 30_000)));
    }
    caller.assert_fires(Timer::Write, 90_000);
    caller.closes_silently(CloseReason::TimedOut(Timer::Write));
}

#[test]
fn write_timer_is_off_without_pending_bytes() {
    let mut caller = Caller::new(|_| {});
    caller.receive(GET, 0);
    caller.connection.respond(caller.id(), &ResponseHead::new(200).unwrap(), BodyLen::Known(10)).unwrap();
    assert_eq!(caller.running_timer(), Some((Timer::Write, 30_000)));
    while caller.send(usize::MAX, 500) > 0 {}
    assert_eq!(caller.running_timer(), None, "the application streams as slowly as it likes");
}

#[test]
fn linger_timer_starts_at_shutdown_and_is_not_extended() {
    let mut caller = Caller::new(|config| config.keep_alive = false);
    caller.receive(GET, 1_000);
    caller.response(3_000);
    assert_eq!(caller.connection.poll_close(), Some(Close::ShutdownWrite));
    assert_eq!(caller.connection.poll_close(), None, "it is reported once");
    caller.receive(b"more", 4_000);
    caller.assert_lingers_until(5_000);
}

#[test]
fn refusal_linger_restarts_with_each_byte_for_30_s() {
    let refused = || {
        let mut caller = Caller::new(|_| {});
        caller.receive(b"\n", 1_000);
        assert_eq!(caller.running_timer().map(|(timer, _)| timer), Some(Timer::Write));
        caller.responded("400", 3_000);
        assert_eq!(caller.connection.poll_close(), Some(Close::ShutdownWrite));
        caller
    };
    refused().assert_lingers_until(8_000);
    let mut sends = refused();
    for second in 4..33 {
        assert_eq!(sends.connection.poll_close(), None);
        sends.receive(b"more", second * 1000);
    }
    sends.assert_lingers_until(33_000);
    let mut stops = refused();
    stops.receive(b"more", 7_000);
    stops.assert_lingers_until(12_000);
    let mut drained = refused();
    drained.receive(b"more", 4_000);
    drained.connection.handle_shutdown(at(4_500));
    drained.connection.handle_shutdown(at(5_000));
    drained.assert_lingers_until(6_500);
}

/// For the client, a response before the body was read is like a refusal.
#[test]
fn refusal_linger_follows_an_early_response() {
    type Cut = fn(&mut Caller);
    let cuts: [Cut; 3] = [
        |caller| caller.response(1_000),
        |caller| caller.connection.abort(caller.id()).unwrap(),
        |caller| {
            caller.receive(&[b'x'; 1000], 1_000);
            caller.response(1_000);
        },
    ];
    for cut in cuts {
        let mut caller = Caller::new(|config| config.limits.drain = 100);
        caller.receive(POST, 0);
        cut(&mut caller);
        caller.connection.handle_timeout(at(1_000));
        assert_eq!(caller.connection.poll_close(), Some(Close::ShutdownWrite));
        assert_eq!(caller.running_timer().map(|(timer, _)| timer), Some(Timer::Linger));
        caller.receive(b"more", 5_000);
        caller.assert_lingers_until(10_000);
    }
    let mut idle = Caller::new(|_| {});
    idle.connection.handle_shutdown(at(1_000));
    assert_eq!(idle.connection.poll_close(), Some(Close::ShutdownWrite));
    idle.receive(b"more", 2_000);
    idle.assert_lingers_until(3_000);
}

#[test]
fn handler_timer_runs_until_the_response_head() {
    let seconds = |config: &mut Config| config.timeouts.handler = Some(Duration::from_secs(5));
    let mut late = Caller::new(seconds);
    late.receive(GET, 1_000);
    late.assert_fires(Timer::Handler, 6_000);
    assert_eq!(late.closed, Some(CloseReason::TimedOut(Timer::Handler)));
    assert!(late.connection.respond(late.id(), &ResponseHead::new(200).unwrap(), BodyLen::Known(0)).is_err());
    late.responded("503", 6_000);

    let mut early = Caller::new(seconds);
    for now in [1_000, 10_000] {
        early.receive(GET, now);
        assert_eq!(early.running_timer(), Some((Timer::Handler, now + 5_000)), "it runs for each request");
        early.connection.respond(early.id(), &ResponseHead::new(200).unwrap(), BodyLen::Known(0)).unwrap();
        while early.send(usize::MAX, now) > 0 {}
        assert_eq!(early.running_timer(), None, "the body may take longer");
        early.connection.finish(early.id()).unwrap();
        early.poll();
    }
}

#[test]
fn handler_timer_stops_while_the_body_is_awaited() {
    let mut caller = Caller::new(|config| {
        config.timeouts.handler = Some(Duration::from_secs(5));
        config.timeouts.body_rate = 0;
    });
    caller.receive(POST, 0);
    assert_eq!(caller.running_timer(), Some((Timer::Body, 30_000)));
    caller.receive(&[b'x'; 5_000], 20_000);
    // The application is busy for 3 s.
    caller.connection.pause(caller.id()).unwrap();
    assert_eq!(caller.running_timer(), Some((Timer::Handler, 25_000)));
    caller.connection.handle_time(at(23_000));
    caller.connection.resume(caller.id()).unwrap();
    assert_eq!(caller.running_timer(), Some((Timer::Body, 53_000)));
    caller.receive(&[b'x'; 5_000], 50_000);
    caller.assert_fires(Timer::Handler, 52_000);
    caller.responded("503", 52_000);
}

#[test]
fn handler_timer_runs_until_the_body_is_asked_for() {
    let mut caller = Caller::new(|config| config.timeouts.handler = Some(Duration::from_secs(5)));
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    caller.receive(head, 0);
    assert_eq!(caller.running_timer(), Some((Timer::Handler, 5_000)));
    caller.connection.handle_time(at(4_000));
    caller.connection.send_continue(caller.id()).unwrap();
    assert!(caller.send(usize::MAX, 4_000) > 0);
    assert_eq!(caller.running_timer().map(|(timer, _)| timer), Some(Timer::BodyRate));
    caller.receive(b"ab", 10_000);
    caller.assert_fires(Timer::Handler, 11_000);
}

#[test]
fn each_timer_can_be_switched_off() {
    let mut caller = Caller::new(|config| {
        let timeouts = &mut config.timeouts;
        (timeouts.accept, timeouts.head, timeouts.idle, timeouts.body) = (None, None, None, None);
        (timeouts.write, timeouts.body_rate, timeouts.linger) = (None, 0, None);
        (timeouts.refusal_linger, timeouts.refusal_linger_idle) = (None, None);
    });
    assert_eq!(caller.running_timer(), None);
    caller.receive(b"GET / ", 0);
    assert_eq!(caller.running_timer(), None);
    caller.receive(b"HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    caller.respond(2, 0);
    assert_eq!(caller.running_timer(), None);
    while caller.send(usize::MAX, 0) > 0 {}
    assert_eq!(caller.running_timer(), None);
    caller.receive(POST, 0);
    assert_eq!(caller.running_timer(), None);
    caller.wake(u64::from(u32::MAX));
    assert_eq!(caller.closed, None);
}

#[test]
fn late_wake_up_has_the_same_effect() {
    let mut caller = Caller::new(|_| {});
    caller.wake(1_000_000);
    caller.closes_silently(CloseReason::TimedOut(Timer::Accept));
}

#[test]
fn clock_stepping_back_moves_no_deadline() {
    let mut caller = Caller::new(|_| {});
    caller.receive(b"G", 10_000);
    caller.wake(2_000);
    caller.receive(b"E", 1_000);
    assert_eq!(caller.running_timer(), Some((Timer::Head, 25_000)));
    caller.receive(b"T / HTTP/1.1\r\nHost: a\r\n\r\n", 3_000);
    caller.response(4_000);
    assert_eq!(caller.running_timer(), Some((Timer::Idle, 85_000)));
}

#[test]
fn timers_have_their_names() {
    let timers = [
        (Timer::Handshake, "handshake"),
        (Timer::Accept, "accept"),
        (Timer::Head, "head"),
        (Timer::Idle, "idle"),
        (Timer::Body, "body"),
        (Timer::BodyRate, "body rate"),
        (Timer::Write, "write"),
        (Timer::Linger, "linger"),
        (Timer::Handler, "handler"),
        (Timer::HalfClosed, "half closed"),
    ];
    for (timer, name) in timers {
        assert_eq!(timer.to_string(), name);
    }
}
