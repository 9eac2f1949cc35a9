//! The timers of a connection.

use core::fmt;
use core::time::Duration;

use super::config::Timeouts;

/// The timer of a deadline, by which logs, counters and tests identify it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// The TLS handshake is not complete: the connection is closed.
    Handshake,
    /// No byte of a request since the connection was accepted or its handshake ended, or no
    /// complete PROXY header since it was accepted: the connection is closed.
    Accept,
    /// A request head is not complete: 408.
    Head,
    /// No new request on a persistent connection: the connection is closed.
    Idle,
    /// No byte of a body is received: 408.
    Body,
    /// A body is received at less than the minimum rate: 408.
    BodyRate,
    /// Nothing is sent, or less than the minimum rate: the connection is dropped.
    Write,
    /// The peer did not end its stream after the last response: the connection is closed.
    Linger,
    /// The application has not responded: 503.
    Handler,
    /// The peer ended its stream and accepts nothing more of its response: 503, or a reset.
    HalfClosed,
    /// The connection has reached its maximum age ([`expire_at`](crate::Connection::expire_at)): it
    /// closes after its current response.
    Age,
}

impl Timer {
    /// All timers, for example to build tables; each is at the index of its discriminant (`timer as
    /// usize`).
    pub const ALL: &'static [Self] = &[
        Self::Handshake,
        Self::Accept,
        Self::Head,
        Self::Idle,
        Self::Body,
        Self::BodyRate,
        Self::Write,
        Self::Linger,
        Self::Handler,
        Self::HalfClosed,
        Self::Age,
    ];
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handshake => "handshake",
            Self::Accept => "accept",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::Body => "body",
            Self::BodyRate => "body rate",
            Self::Write => "write",
            Self::Linger => "linger",
            Self::Handler => "handler",
            Self::HalfClosed => "half closed",
            Self::Age => "age",
        })
    }
}

/// The time at which to call [`handle_timeout`](crate::Connection::handle_timeout), and the timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadline {
    /// The time on the caller's monotonic clock ([`Now::mono`](crate::Now::mono)).
    pub at: Duration,
    /// The timer that expires at that time.
    pub timer: Timer,
}

/// The times from which deadlines are computed. A deadline is never stored: it is computed from the
/// state and from these times, so none can be forgotten or become stale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Time at which the connection was accepted, or at which the PROXY header or the handshake
    /// before the first request was complete.
    pub(crate) accepted: Duration,
    /// Time at which the connection became idle.
    pub(crate) idle: Duration,
    /// Time of the first byte of the head.
    pub(crate) head: Duration,
    /// Time at which the head was complete.
    pub(crate) request: Duration,
    /// Time of the last received byte, or at which reading continued after a pause.
    pub(crate) content: Duration,
    /// Start of the handler's time, advanced by the time that it waited for content.
    handler: Duration,
    /// Time at which reading the content began or continued.
    reading: Duration,
    /// Start of the time for the rate of the content, advanced by pauses.
    content_start: Duration,
    content_bytes: u64,
    /// Time at which the queue began to fill, advanced by the time that the bytes sent since may
    /// take, but not beyond the current time.
    pub(crate) progress: Duration,
    /// Number of bytes that counted as progress before they were reported as sent.
    pub(crate) ahead: u64,
    /// Time at which bytes were last sent.
    pub(crate) sent: Duration,
    /// Time at which the sending side was shut down.
    pub(crate) shut: Duration,
    /// Time at which the server began to shut down.
    pub(crate) shutdown: Option<Duration>,
}

impl Times {
    pub(crate) fn new(now: Duration) -> Self {
        Self {
            accepted: now,
            idle: now,
            head: now,
            request: now,
            content: now,
            handler: now,
            reading: now,
            content_start: now,
            content_bytes: 0,
            progress: now,
            ahead: 0,
            sent: now,
            shut: now,
            shutdown: None,
        }
    }

    pub(crate) fn received(&mut self, now: Duration, count: usize) {
        self.content = now;
        self.content_bytes = self.content_bytes.saturating_add(count as u64);
    }

    /// Records that `bytes` bytes were sent while others wait.
    pub(crate) fn progressed(&mut self, now: Duration, bytes: u64, timeouts: &Timeouts) {
        let counted = bytes.min(self.ahead);
        self.ahead -= counted;
        self.put_off(now, bytes - counted, timeouts);
    }

    /// Records progress by `bytes` bytes that are reported as sent later.
    pub(crate) fn progressed_ahead(&mut self, now: Duration, bytes: u64, timeouts: &Timeouts) {
        self.ahead = self.ahead.saturating_add(bytes);
        self.sent = now;
        self.put_off(now, bytes, timeouts);
    }

    /// Extends the deadline by the time that each byte may take at the minimum rate.
    fn put_off(&mut self, now: Duration, bytes: u64, timeouts: &Timeouts) {
        let rate = u64::from(timeouts.write_rate);
        let nanos = bytes.saturating_mul(1_000_000_000).checked_div(rate).unwrap_or(u64::MAX);
        self.progress = self.progress.saturating_add(Duration::from_nanos(nanos)).min(now);
    }

    /// Records that the head is complete, and the number of bytes of content that arrived with it.
    pub(crate) fn request(&mut self, now: Duration, content: usize) {
        self.request = now;
        self.handler = now;
        self.reading = now;
        self.content = now;
        self.content_start = now;
        self.content_bytes = content as u64;
    }

    /// Records that reading continues after a pause by the application, which is not counted as
    /// time of the peer.
    pub(crate) fn resumed(&mut self, now: Duration, paused_at: Duration) {
        self.content_start = self.content_start.saturating_add(now.saturating_sub(paused_at));
        self.content = now;
        self.reading = now;
    }

    /// Records that the content is complete or was paused by the application. The time until now
    /// was spent waiting for the peer.
    pub(crate) fn read(&mut self, now: Duration) {
        self.handler = self.handler.saturating_add(now.saturating_sub(self.reading));
        self.reading = now;
    }

    /// Offers the deadline of the handler.
    pub(crate) fn offer_handler(&self, next: &mut Earliest, timeouts: &Timeouts) {
        next.offer(self.handler, timeouts.handler, Timer::Handler);
    }

    /// Offers the deadline for the end of the peer's stream. A refused peer gets time to finish
    /// sending, unless the server shuts down.
    pub(crate) fn offer_linger(&self, next: &mut Earliest, timeouts: &Timeouts, ordinary_end: bool) {
        let linger = Timer::Linger;
        if ordinary_end {
            return next.offer(self.shut, timeouts.linger, linger);
        }
        next.offer(self.shut, timeouts.refusal_linger, linger);
        next.offer(self.shut.max(self.content), timeouts.refusal_linger_idle, linger);
        if let Some(shutdown) = self.shutdown {
            next.offer(self.shut.max(shutdown), timeouts.linger, linger);
        }
    }

    /// Returns the time at which the rate of the content received so far falls below the minimum.
    pub(crate) fn slowest_content(&self, timeouts: &Timeouts) -> Option<Duration> {
        let rate = u64::from(timeouts.body_rate);
        // The first millisecond at which the rate is below, not at, the minimum.
        let millis = self.content_bytes.saturating_mul(1000).checked_div(rate)?.saturating_add(1);
        let allowed = timeouts.body_rate_grace.max(Duration::from_millis(millis));
        Some(self.content_start.saturating_add(allowed))
    }
}

/// Collects the earliest deadline.
#[derive(Debug, Default)]
pub(crate) struct Earliest(Option<Deadline>);

impl Earliest {
    pub(crate) fn offer(&mut self, since: Duration, span: Option<Duration>, timer: Timer) {
        self.offer_at(span.map(|span| since.saturating_add(span)), timer);
    }

    pub(crate) fn offer_at(&mut self, at: Option<Duration>, timer: Timer) {
        if let Some(at) = at
            && self.0.is_none_or(|earliest| at < earliest.at)
        {
            self.0 = Some(Deadline { at, timer });
        }
    }

    pub(crate) fn deadline(self) -> Option<Deadline> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that counted before they were reported as sent do not count again; later bytes do.
    #[test]
    fn progress_ahead_of_sent_bytes_counts_once() {
        let at = Duration::from_secs;
        let timeouts = Timeouts { write_rate: 1000, ..Timeouts::default() };
        let mut times = Times::new(at(0));
        times.progressed_ahead(at(100), 1500, &timeouts);
        assert_eq!(times.progress, Duration::from_millis(1500));
        times.progressed(at(100), 1000, &timeouts);
        times.progressed(at(100), 500, &timeouts);
        assert_eq!(times.progress, Duration::from_millis(1500));
        times.progressed(at(100), 1000, &timeouts);
        assert_eq!(times.progress, Duration::from_millis(2500));
        times.progressed_ahead(at(100), 100, &timeouts);
        times.progressed(at(100), 1000, &timeouts);
        assert_eq!(times.progress, Duration::from_millis(3500));
    }

    #[test]
    fn first_of_equal_deadlines_is_used() {
        let mut next = Earliest::default();
        for (at, timer) in [(2, Timer::Write), (2, Timer::Idle), (1, Timer::Head), (1, Timer::Body), (3, Timer::Age)] {
            next.offer(Duration::ZERO, Some(Duration::from_secs(at)), timer);
        }
        assert_eq!(next.deadline().map(|deadline| deadline.timer), Some(Timer::Head));
    }

    #[test]
    fn timers_are_listed_in_the_order_of_their_numbers() {
        let source = include_str!("timers.rs");
        let (variants, _) = source.split_once("pub enum Timer {").unwrap().1.split_once("\n}\n").unwrap();
        assert_eq!(variants.lines().filter(|line| line.ends_with(',')).count(), Timer::ALL.len());
        assert!(Timer::ALL.iter().enumerate().all(|(number, timer)| *timer as usize == number));
    }
}
