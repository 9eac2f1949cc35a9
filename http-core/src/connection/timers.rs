//! The named timers.

use core::fmt;
use core::time::Duration;

use super::config::Timeouts;

/// The reason of a deadline, so that logs, counters and tests can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Timer {
    /// The handshake that secures the transport is not complete: it is closed.
    Handshake,
    /// No byte, or no complete PROXY header, since the connection was accepted: it is closed.
    Accept,
    /// A head is not complete in time: 408.
    Head,
    /// No new request on a connection kept alive: it is closed.
    Idle,
    /// No byte of a body: 408.
    Body,
    /// A body slower than the lowest rate: 408.
    BodyRate,
    /// Nothing leaves, or too little: the connection is dropped.
    Write,
    /// The peer did not end its stream after the last response: the connection is closed.
    Linger,
    /// The application has not responded in time: 503.
    Handler,
    /// The peer ended its stream and accepts nothing more of its response: 503, or a reset.
    HalfClosed,
    /// The connection is as old as it may become
    /// ([`expire_at`](crate::Connection::expire_at)): it closes after its current response.
    Age,
}

impl Timer {
    /// Every timer, for tables of them; each is at the index of its discriminant (`timer as
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

/// The moment to call [`handle_timeout`](crate::Connection::handle_timeout), and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Deadline {
    /// The moment, on the caller's monotonic clock ([`Now::mono`](crate::Now::mono)).
    pub at: Duration,
    /// What happens then.
    pub timer: Timer,
}

/// The moments that deadlines are counted from. A deadline is never stored: it follows from
/// the state and from these, so none can be forgotten or left behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// The connection was accepted, or what comes before its first request was over.
    pub(crate) accepted: Duration,
    /// When the connection became idle.
    pub(crate) idle: Duration,
    /// The first byte of the head.
    pub(crate) head: Duration,
    /// The head was complete.
    pub(crate) request: Duration,
    /// The last byte that came, or when reading it went on after a pause.
    pub(crate) content: Duration,
    /// The time from which on the handler's time counts, later by the time that it waited for
    /// content.
    handler: Duration,
    /// When reading the content began, or went on.
    reading: Duration,
    /// From when the rate of the content counts, pauses left out.
    content_start: Duration,
    content_bytes: u64,
    /// When the queue began to fill, later by the time that what has left since may take, but not
    /// later than now.
    pub(crate) progress: Duration,
    /// Bytes that counted as progress before they were reported as sent.
    pub(crate) ahead: u64,
    /// The last time that something left.
    pub(crate) sent: Duration,
    /// The sending side was shut down.
    pub(crate) shut: Duration,
    /// The server began to shut down.
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

    /// Records that `bytes` were sent, and others wait.
    pub(crate) fn progressed(&mut self, now: Duration, bytes: u64, timeouts: &Timeouts) {
        let counted = bytes.min(self.ahead);
        self.ahead -= counted;
        self.put_off(now, bytes - counted, timeouts);
    }

    /// Records that `bytes` have left which are reported as sent later.
    pub(crate) fn progressed_ahead(&mut self, now: Duration, bytes: u64, timeouts: &Timeouts) {
        self.ahead = self.ahead.saturating_add(bytes);
        self.sent = now;
        self.put_off(now, bytes, timeouts);
    }

    /// Each byte buys the time that it may take at the lowest rate.
    fn put_off(&mut self, now: Duration, bytes: u64, timeouts: &Timeouts) {
        let rate = u64::from(timeouts.write_rate);
        let nanos = bytes.saturating_mul(1_000_000_000).checked_div(rate).unwrap_or(u64::MAX);
        self.progress = self.progress.saturating_add(Duration::from_nanos(nanos)).min(now);
    }

    /// Records that the head is complete, and how many bytes of content came with it.
    pub(crate) fn request(&mut self, now: Duration, content: usize) {
        self.request = now;
        self.handler = now;
        self.reading = now;
        self.content = now;
        self.content_start = now;
        self.content_bytes = content as u64;
    }

    /// Reading goes on after the application paused it: the peer is not to blame for that.
    pub(crate) fn resumed(&mut self, now: Duration, paused_at: Duration) {
        self.content_start = self.content_start.saturating_add(now.saturating_sub(paused_at));
        self.content = now;
        self.reading = now;
    }

    /// The content is complete, or the application paused it: it was the peer that was awaited
    /// until now.
    pub(crate) fn read(&mut self, now: Duration) {
        self.handler = self.handler.saturating_add(now.saturating_sub(self.reading));
        self.reading = now;
    }

    /// The handler must have responded then.
    pub(crate) fn offer_handler(&self, next: &mut Earliest, timeouts: &Timeouts) {
        next.offer(self.handler, timeouts.handler, Timer::Handler);
    }

    /// How long the peer's end is awaited. A peer that was refused gets the time to send what
    /// it is sending, unless the server shuts down.
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

    /// When the content that came so far is too little for the time it took.
    pub(crate) fn slowest_content(&self, timeouts: &Timeouts) -> Option<Duration> {
        let rate = u64::from(timeouts.body_rate);
        // The first millisecond at which the rate is below, not at, the lowest one allowed.
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

    /// What counted before it was reported as sent does not count again, and later bytes do.
    #[test]
    fn progress_counts_once() {
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
    fn the_first_of_equal_deadlines_counts() {
        let mut next = Earliest::default();
        for (at, timer) in [(2, Timer::Write), (2, Timer::Idle), (1, Timer::Head), (1, Timer::Body), (3, Timer::Age)] {
            next.offer(Duration::ZERO, Some(Duration::from_secs(at)), timer);
        }
        assert_eq!(next.deadline().map(|deadline| deadline.timer), Some(Timer::Head));
    }

    #[test]
    fn all_timers_are_listed_at_their_numbers() {
        let source = include_str!("timers.rs");
        let (variants, _) = source.split_once("pub enum Timer {").unwrap().1.split_once("\n}\n").unwrap();
        assert_eq!(variants.lines().filter(|line| line.ends_with(',')).count(), Timer::ALL.len());
        assert!(Timer::ALL.iter().enumerate().all(|(number, timer)| *timer as usize == number));
    }
}
