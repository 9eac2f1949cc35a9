//! One exchange: a connection between a scripted peer and a scripted application.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use httpants_core::{
    Close, CloseReason, Config, Connection, ConnectionInfo, Event, Headers, Now, Refusal, RequestHead, Timer, Transmit,
    TransmitQueue, UnixTime,
};

use crate::app::{App, Script};
use crate::ends::Ends;
use crate::expected::WALL;
use crate::log::Log;
use crate::steps::Step;

/// The way in which bytes pass between the transport and the connection, which must not change the
/// outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// True if bytes are passed to `receive`, instead of read into `recv_buf`.
    pub push: bool,
    /// True if the buffers are moved out of the connection while the transport uses them.
    pub taken: bool,
    /// Number of bytes that the transport accepts at once.
    pub write: usize,
}

impl Style {
    /// Reads into the lent buffer, writes whole.
    pub const LENT: Self = Self { push: false, taken: false, write: usize::MAX };
    /// Pushes, writes whole.
    pub const PUSHED: Self = Self { push: true, ..Self::LENT };
    /// Reads into the lent buffer, writes byte by byte.
    pub const TRICKLED: Self = Self { write: 1, ..Self::LENT };
    /// Reads into a buffer that was moved out, writes from a queue that was moved out.
    pub const TAKEN: Self = Self { taken: true, ..Self::LENT };
}

/// The state of the connection after all steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection is open.
    Open,
    /// The socket was closed.
    Closed,
    /// The stream belongs to another protocol.
    HandedOver,
}

/// The result of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The events, as text.
    pub events: Vec<String>,
    /// The bytes that the peer received.
    pub response: Vec<u8>,
    /// The state of the connection.
    pub end: End,
    /// The number of writes of the response.
    pub writes: usize,
    /// The number of the peer's bytes that the connection never accepted.
    pub unread: usize,
    /// The report of a refused peer.
    pub refusal: Option<String>,
}

/// A running exchange.
#[derive(Debug)]
pub struct Exchange {
    config: Arc<Config>,
    connection: Connection,
    app: App,
    log: Log,
    ends: Ends,
    refusal: Option<String>,
    queue: TransmitQueue,
    style: Style,
    now: Now,
    /// Bytes that the peer has sent and the connection has not accepted.
    socket: VecDeque<u8>,
    /// `Some` if the peer ended its stream: true if that was reported.
    eof: Option<bool>,
    blocked: bool,
    response: Vec<u8>,
    writes: usize,
    shut: bool,
    closed: Option<Close>,
    has_seen_closed: bool,
    upgraded: bool,
}

/// The time of accept on a monotonic clock with an arbitrary origin.
const ACCEPT: Duration = Duration::from_secs(1000);
/// More turns than this without input indicate an endless loop.
const MAX_TURNS: usize = 1 << 20;

impl Exchange {
    /// Creates a connection that was just accepted.
    #[must_use]
    pub fn new(config: Arc<Config>, script: Script, style: Style) -> Self {
        let now = Now::new(ACCEPT, UnixTime::from_secs(WALL));
        Self {
            connection: Connection::new(Arc::clone(&config), ConnectionInfo::default(), now),
            config,
            app: App::new(script),
            log: Log::default(),
            ends: Ends::default(),
            refusal: None,
            queue: TransmitQueue::default(),
            style,
            now,
            socket: VecDeque::new(),
            eof: None,
            blocked: false,
            response: Vec::new(),
            writes: 0,
            shut: false,
            closed: None,
            has_seen_closed: false,
            upgraded: false,
        }
    }

    /// Carries out all steps, with the bytes split at these offsets, and ends the exchange.
    #[must_use]
    pub fn run(mut self, steps: &[Step], cuts: &[usize]) -> Outcome {
        let mut cuts = cuts.iter().copied().peekable();
        let mut offset = 0;
        for step in steps {
            let Step::Bytes(mut rest) = step.clone() else {
                self.step(step);
                continue;
            };
            while let Some(cut) = cuts.next_if(|&cut| cut < offset + rest.len()) {
                let tail = rest.split_off(cut.saturating_sub(offset));
                offset += rest.len();
                self.deliver(&rest);
                rest = tail;
            }
            offset += rest.len();
            self.deliver(&rest);
        }
        self.finish()
    }

    /// Carries out one step.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Bytes(bytes) => return self.deliver(bytes),
            Step::Wait(time) => return self.wait(*time),
            Step::Eof => {
                self.eof.get_or_insert(false);
            }
            Step::PeerClosed => self.connection.handle_peer_closed(self.now),
            Step::Go => self.app.continue_after_hold(&mut self.connection, &mut self.log),
            Step::Block => self.blocked = true,
            Step::Unblock => self.blocked = false,
            Step::Shutdown => self.connection.handle_shutdown(self.now),
            Step::IoError => self.connection.handle_io_error(self.now),
        }
        self.drive();
    }

    /// Delivers bytes of the peer.
    pub fn deliver(&mut self, bytes: &[u8]) {
        self.socket.extend(bytes);
        self.drive();
    }

    /// Returns the connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns the time since accept.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now.mono.saturating_sub(ACCEPT)
    }

    /// Advances the time; handles each deadline when it expires.
    pub fn wait(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(deadline) = self.connection.poll_timeout().filter(|deadline| deadline.at <= end.mono) {
            // First slightly before the deadline, which must have no effect.
            let early = deadline.at.saturating_sub(Duration::from_millis(1)).max(self.now.mono);
            self.advance(early);
            self.connection.handle_timeout(self.now);
            self.drive();
            if self.connection.poll_timeout() != Some(deadline) {
                return self.log.line(format!("a wake-up too early moves the deadline: {deadline:?}"));
            }
            self.advance(deadline.at);
            self.connection.handle_timeout(self.now);
            self.drive();
            if self.connection.poll_timeout() == Some(deadline) {
                return self.log.line(format!("the deadline stays: {deadline:?}"));
            }
        }
        self.advance(end.mono);
        self.connection.handle_timeout(self.now);
        self.drive();
    }

    fn advance(&mut self, mono: Duration) {
        self.now = self.now.after(mono.saturating_sub(self.now.mono));
    }

    /// Does the work of the caller of a connection after an input.
    fn drive(&mut self) {
        for _ in 0..MAX_TURNS {
            let received = self.receive();
            self.poll_events();
            let sent = self.transmit();
            if let Some(close) = self.connection.poll_close() {
                match close {
                    Close::ShutdownWrite => self.shut = true,
                    close => self.closed = Some(close),
                }
            }
            if !received && !sent {
                return;
            }
        }
        self.log.line("the connection is in an endless loop".into());
    }

    /// Passes bytes to the connection until it accepts no more.
    fn receive(&mut self) -> bool {
        if self.closed.is_some() || !self.connection.wants_recv() {
            return false;
        }
        let bytes = self.socket.make_contiguous();
        if bytes.is_empty() {
            let due = self.eof == Some(false);
            if due {
                self.eof = Some(true);
                self.connection.handle_eof(self.now);
            }
            return due;
        }
        let taken = if self.style.push {
            self.connection.receive(bytes, self.now)
        } else if let Some(mut buffer) = self.style.taken.then(|| self.connection.lend_recv_buf()).flatten() {
            let count = copy(bytes, buffer.room());
            self.connection.return_recv_buf(buffer, count, self.now);
            count
        } else {
            let count = copy(bytes, self.connection.recv_buf());
            self.connection.handle_recv(count, self.now);
            count
        };
        self.socket.drain(..taken);
        taken > 0
    }

    fn poll_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            if self.has_seen_closed && !may_follow_closed(&event) {
                self.log.line(format!("after closed: {event:?}"));
            }
            match event {
                Event::Request(request) => self.request(&request),
                Event::Expect100(_) => {
                    self.log.line("expect 100".into());
                    self.app.expect_continue(&mut self.connection, &mut self.log);
                }
                Event::Data(_, piece) => self.log.data(&piece),
                Event::End(_, trailers) => self.end(&trailers),
                Event::Writable(_) => {}
                Event::PeerClosed(_) => self.log.line("peer closed".into()),
                Event::Upgraded(_) => {
                    self.upgraded = true;
                    let before = self.connection.take_upgrade();
                    before.iter().rev().for_each(|&byte| self.socket.push_front(byte));
                }
                Event::ResponseEnd(stats) => self.ends.response(stats),
                Event::TimedOut(timer) => self.ends.announce(CloseReason::TimedOut(timer)),
                Event::Refused(refusal) => {
                    self.ends.announce(CloseReason::Refused(refusal.error()));
                    self.refusal = Some(show(&refusal));
                }
                Event::Closed(reason) => {
                    self.has_seen_closed = true;
                    self.ends.closed(reason);
                    self.log.closed(reason);
                }
                other => self.log.line(format!("{other:?}")),
            }
        }
    }

    fn request(&mut self, request: &RequestHead) {
        self.ends.request(request);
        self.log.request(request);
        self.app.request(request, &mut self.connection, &mut self.log);
        // The request is complete, like one with a body at its end.
        if !request.has_body() && !self.connection.response_state(request.id()).is_over() {
            self.end(&Headers::default());
        }
    }

    fn end(&mut self, trailers: &Headers) {
        self.log.end(trailers);
        self.app.end(&mut self.connection, &mut self.log);
    }

    fn transmit(&mut self) -> bool {
        let mut sent = false;
        while !self.blocked && self.closed.is_none() {
            if self.style.taken {
                self.connection.take_transmit(&mut self.queue);
            }
            let mut room = self.style.write;
            let before = self.response.len();
            let transmit = if self.style.taken { self.queue.poll() } else { self.connection.poll_transmit() };
            match transmit {
                Some(Transmit::Bytes(slices)) => {
                    for slice in slices {
                        let taken = slice.get(..room).unwrap_or(slice);
                        self.response.extend_from_slice(taken);
                        room -= taken.len();
                    }
                }
                Some(other) => {
                    let other = format!("{other:?}");
                    self.log.line(other);
                    return sent;
                }
                None => break,
            }
            let count = (self.response.len() - before) as u64;
            if self.style.taken {
                let sent = self.queue.advance(count);
                self.connection.handle_transmitted(&mut self.queue, sent, self.now);
            } else {
                self.connection.handle_sent(count, self.now);
            }
            self.writes += 1;
            sent = true;
        }
        sent
    }

    /// Reports that the peer ended its stream after the end of the response; then nothing may be
    /// left.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        if self.upgraded {
            let rest: Vec<u8> = self.socket.drain(..).collect();
            self.log.line(format!("upgraded \"{}\"", crate::text::escape(&rest, true)));
        } else if self.has_seen_closed || self.shut || self.closed.is_some() {
            self.step(&Step::Eof);
            self.check_closed();
        } else if self.is_untimed() {
            self.log.line("the connection waits forever".into());
        }
        if self.closed == Some(Close::Reset) {
            self.log.line("reset".into());
        }
        if let Err(error) = self.ends.check(&self.response, self.upgraded || self.closed.is_some()) {
            self.log.line(error);
        }
        let end = match self.closed {
            _ if self.upgraded => End::HandedOver,
            Some(_) => End::Closed,
            None => End::Open,
        };
        Outcome {
            events: self.log.finish(),
            response: self.response,
            end,
            writes: self.writes,
            unread: self.socket.len(),
            refusal: self.refusal,
        }
    }

    /// Checks that nothing happens on a closed connection.
    fn check_closed(&mut self) {
        if self.closed.is_none() {
            return self.log.line("the connection does not close".into());
        }
        let (connection, now) = (&mut self.connection, self.now);
        let took = connection.receive(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", now);
        connection.handle_eof(now);
        connection.handle_sent(1, now);
        connection.handle_timeout(now);
        connection.handle_shutdown(now);
        connection.handle_io_error(now);
        let quiet = took == 0
            && !connection.wants_recv()
            && connection.poll_event().is_none()
            && connection.poll_transmit().is_none()
            && connection.poll_timeout().is_none()
            && connection.poll_close() == self.closed;
        if !quiet {
            self.log.line("the closed connection continues".into());
        }
    }

    /// Returns whether no timer is running, although every timer for peers is enabled.
    fn is_untimed(&self) -> bool {
        let timeouts = &self.config.timeouts;
        let all = [timeouts.accept, timeouts.head, timeouts.idle, timeouts.body, timeouts.write, timeouts.linger];
        all.iter().all(Option::is_some) && self.connection.poll_timeout().is_none() && !self.app.is_busy()
    }
}

/// Copies as much as fits.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let count = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..count), to.get_mut(..count)) {
        to.copy_from_slice(from);
    }
    count
}

fn may_follow_closed(event: &Event) -> bool {
    matches!(event, Event::ResponseEnd(_) | Event::TimedOut(Timer::Write | Timer::Linger))
}

fn show(refusal: &Refusal) -> String {
    let line = crate::text::escape(refusal.request_line(), false);
    let fields: Vec<_> = refusal.fields().map(|(name, value)| [name, b": ", value].concat()).collect();
    let fields = crate::text::escape(&fields.join(&b'\n'), false);
    format!("{:?} of {:?} at {}: {line} {fields}", refusal.error(), refusal.request(), refusal.offset())
}
