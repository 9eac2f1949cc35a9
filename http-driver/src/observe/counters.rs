//! Counters of a server.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use http::StatusCode;
use httpants_core::{CloseReason, ProtocolError, Timer};

use super::counts::{RefusalCounts, TimerCounts};

/// The counters of a server since it was created, from
/// [`Handle::counters`](crate::Handle::counters).
///
/// All numbers except [`connections_open`](Self::connections_open) only increase. They are read one
/// after the other while the server runs, so two of them may differ by a request; each single
/// number is exact. They are plain numbers, for any metrics exporter:
///
/// ```
/// use std::fmt::Write;
/// use httpants_driver::Counters;
///
/// /// The text format of Prometheus.
/// fn prometheus(counters: &Counters) -> String {
///     let mut text = String::new();
///     let mut line = |name: &str, value: u64| {
///         let _ = writeln!(text, "httpants_{name} {value}");
///     };
///     line("connections_accepted_total", counters.connections_accepted);
///     line("connections_open", counters.connections_open);
///     line("requests_total", counters.requests);
///     line("received_bytes_total", counters.bytes_received);
///     line("sent_bytes_total", counters.bytes_sent);
///     line("responses_total{class=\"2xx\"}", counters.responses.successful);
///     line("responses_total{class=\"4xx\"}", counters.responses.client_error);
///     line("responses_total{class=\"5xx\"}", counters.responses.server_error);
///     for (fault, count) in &counters.refusals {
///         let status = fault.status().as_u16();
///         line(&format!("refusals_total{{status=\"{status}\",reason=\"{}\"}}", fault.id()), count);
///     }
///     for (timer, count) in &counters.timeouts {
///         line(&format!("timeouts_total{{timer=\"{timer}\"}}"), count);
///     }
///     text
/// }
///
/// # use httpants_driver::{Request, Server};
/// # use httpants_testkit::memory::Memory;
/// # let memory = Memory::new();
/// let server = Server::with_runtime(memory.clone(), async |_: Request| "hello");
/// # let handle = memory.start(server);
/// # let client = memory.connect();
/// # client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n");
/// # memory.run();
/// let text = prometheus(&handle.counters());
/// assert!(text.contains("httpants_responses_total{class=\"2xx\"} 1\n"));
/// assert!(text.contains("httpants_refusals_total{status=\"400\",reason=\"missing-host\"} 1\n"));
/// ```
///
/// A handler gets them from [`Request::server_handle`](crate::Request::server_handle). To serve
/// metrics on a separate address, use a second server whose state is the handle of the first
/// ([`Server::with_state`](crate::Server::with_state)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Accepted connections.
    pub connections_accepted: u64,
    /// Connections that are open now.
    pub connections_open: u64,
    /// Number of times that accepting paused because
    /// [`max_connections`](crate::Server::max_connections) were open. Further connections wait,
    /// except with [`WhenFull::Refuse`](crate::WhenFull::Refuse).
    pub accept_pauses: u64,
    /// Number of times that accepting failed and paused because the process or the system was out
    /// of descriptors or memory.
    pub accept_errors: u64,
    /// Connections refused with 503 because of
    /// [`max_connections_per_address`](crate::Server::max_connections_per_address). `overloaded` of
    /// `closes` includes them.
    pub connections_over_address_limit: u64,
    /// Requests whose heads were accepted.
    pub requests: u64,
    /// Responses, by class of their status: sent completely, or aborted after the head. Includes
    /// responses to refused input.
    pub responses: ResponseCounts,
    /// Received bytes of heads, framing and bodies; over TLS, the decrypted bytes. Bytes after an
    /// upgrade are counted neither here nor in `bytes_sent`.
    pub bytes_received: u64,
    /// Bytes that the transport accepted.
    pub bytes_sent: u64,
    /// Connections handed over to another protocol.
    pub upgrades: u64,
    /// Refused connections, by protocol error.
    pub refusals: RefusalCounts,
    /// Requests that were refused without calling the handler because the body was not a valid form
    /// of its type, or exceeded a limit of [`forms`](crate::Server::forms). Bodies larger than
    /// [`max_body_size`](crate::Server::max_body_size) count as refusals.
    pub forms_refused: u64,
    /// CONNECT requests refused with 501 because the handler returned 2xx without an upgrade.
    pub tunnels_refused: u64,
    /// Expired timers.
    pub timeouts: TimerCounts,
    /// Ends of connections, by reason. Excludes connections dropped by
    /// [`Handle::close`](crate::Handle::close) and upgraded ones.
    pub closes: CloseCounts,
    /// Panics of handlers and of their response streams.
    pub handler_panics: u64,
    /// Temporary files created for bodies that were too large for memory.
    pub uploads_spilled: u64,
}

/// Responses by the class of their status (RFC 9110 section 15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResponseCounts {
    /// 101, the only final status of its class. `100 Continue` is not counted.
    pub informational: u64,
    /// 200 to 299.
    pub successful: u64,
    /// 300 to 399.
    pub redirection: u64,
    /// 400 to 499.
    pub client_error: u64,
    /// 500 to 599.
    pub server_error: u64,
    /// 600 to 999.
    pub other: u64,
}

/// Ends of connections by [`CloseReason`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseCounts {
    /// [`CloseReason::Finished`].
    pub finished: u64,
    /// [`CloseReason::PeerClosed`].
    pub peer_closed: u64,
    /// [`CloseReason::Truncated`].
    pub truncated: u64,
    /// [`CloseReason::Refused`]; [`Counters::refusals`] has the errors.
    pub refused: u64,
    /// [`CloseReason::TimedOut`]. Timeouts that lead to 408 count as refused.
    pub timed_out: u64,
    /// [`CloseReason::Shutdown`].
    pub shutdown: u64,
    /// [`CloseReason::Overloaded`] and [`CloseReason::AddressLimit`]: connections over a limit of
    /// the server or of their address, refused with 503.
    pub overloaded: u64,
    /// [`CloseReason::Aborted`].
    pub aborted: u64,
    /// [`CloseReason::IoError`].
    pub io_error: u64,
    /// [`CloseReason::HandshakeFailed`].
    pub handshake_failed: u64,
}

/// A counted event.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Count {
    Accepted,
    AcceptPause,
    AcceptError,
    Request,
    Received,
    Sent,
    Upgrade,
    FormRefused,
    Panic,
    Spilled,
    TunnelRefused,
    OverAddressLimit,
    Response(StatusCode),
    Close(CloseReason),
    Timeout(Timer),
    Refusal(ProtocolError),
}

const RESPONSES: usize = 12;
const CLOSES: usize = RESPONSES + 6;
const TIMEOUTS: usize = CLOSES + 10;
/// Returns the count of each element of `all`, in order.
fn counts<T: Copy, const N: usize>(all: &[T], count: impl Fn(T) -> u64) -> [u64; N] {
    let mut counts = [0; N];
    for (place, one) in counts.iter_mut().zip(all) {
        *place = count(*one);
    }
    counts
}

const REFUSALS: usize = TIMEOUTS + Timer::ALL.len();
const PLACES: usize = REFUSALS + ProtocolError::ALL.len();

impl Count {
    #[inline]
    const fn place(self) -> usize {
        match self {
            Self::Accepted => 0,
            Self::AcceptPause => 1,
            Self::AcceptError => 2,
            Self::Request => 3,
            Self::Received => 4,
            Self::Sent => 5,
            Self::Upgrade => 6,
            Self::FormRefused => 7,
            Self::Panic => 8,
            Self::Spilled => 9,
            Self::TunnelRefused => 10,
            Self::OverAddressLimit => 11,
            Self::Response(status) => match status.as_u16() / 100 {
                class @ 1..=5 => RESPONSES + class as usize - 1,
                _ => RESPONSES + 5,
            },
            Self::Close(reason) => CLOSES + reason_number(reason),
            Self::Timeout(timer) => TIMEOUTS + timer as usize,
            Self::Refusal(fault) => REFUSALS + fault as usize,
        }
    }
}

const fn reason_number(reason: CloseReason) -> usize {
    match reason {
        CloseReason::Finished => 0,
        CloseReason::PeerClosed => 1,
        CloseReason::Truncated => 2,
        CloseReason::Refused(_) => 3,
        CloseReason::TimedOut(_) => 4,
        CloseReason::Shutdown => 5,
        CloseReason::Aborted => 6,
        CloseReason::HandshakeFailed => 7,
        CloseReason::Overloaded | CloseReason::AddressLimit => 8,
        _ => 9,
    }
}

/// Number of shards: enough for one per thread on most machines.
const SHARDS: usize = 16;

/// A shard on its own cache lines, so that threads of different shards do not contend.
#[repr(align(128))]
struct Shard([AtomicU64; PLACES]);

/// The counters of a server, shared by all its connections. Each thread counts in one shard;
/// reading adds up the shards.
pub(crate) struct Metrics {
    shards: Box<[Shard]>,
    /// True if a refused tunnel was logged.
    tunnel_refused: AtomicBool,
}

impl Default for Metrics {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Shard([const { AtomicU64::new(0) }; PLACES])).collect();
        Self { shards, tunnel_refused: AtomicBool::new(false) }
    }
}

impl Metrics {
    #[inline]
    pub(crate) fn one(&self, count: Count) {
        self.add(count, 1);
    }

    #[inline]
    pub(crate) fn add(&self, count: Count, by: u64) {
        let shard = self.shards.get(shard_of_this_thread());
        if let Some(place) = shard.and_then(|shard| shard.0.get(count.place())) {
            // Relaxed, because counters do not depend on each other or on other memory.
            place.fetch_add(by, Ordering::Relaxed);
        }
    }

    /// Returns whether this is the first refused tunnel. Call it once for each.
    pub(crate) fn is_first_refused_tunnel(&self) -> bool {
        !self.tunnel_refused.swap(true, Ordering::Relaxed)
    }

    fn sum(&self, place: usize) -> u64 {
        let places = self.shards.iter().filter_map(|shard| shard.0.get(place));
        places.fold(0, |sum: u64, place| sum.wrapping_add(place.load(Ordering::Relaxed)))
    }

    pub(crate) fn read(&self, connections_open: u64) -> Counters {
        let of = |count: Count| self.sum(count.place());
        let class = |class| self.sum(RESPONSES + class);
        let close = |reason| of(Count::Close(reason));
        Counters {
            connections_accepted: of(Count::Accepted),
            connections_open,
            accept_pauses: of(Count::AcceptPause),
            accept_errors: of(Count::AcceptError),
            connections_over_address_limit: of(Count::OverAddressLimit),
            requests: of(Count::Request),
            responses: ResponseCounts {
                informational: class(0),
                successful: class(1),
                redirection: class(2),
                client_error: class(3),
                server_error: class(4),
                other: class(5),
            },
            bytes_received: of(Count::Received),
            bytes_sent: of(Count::Sent),
            upgrades: of(Count::Upgrade),
            refusals: RefusalCounts(counts(ProtocolError::ALL, |fault| of(Count::Refusal(fault)))),
            forms_refused: of(Count::FormRefused),
            timeouts: TimerCounts(counts(Timer::ALL, |timer| of(Count::Timeout(timer)))),
            closes: CloseCounts {
                finished: close(CloseReason::Finished),
                peer_closed: close(CloseReason::PeerClosed),
                truncated: close(CloseReason::Truncated),
                refused: self.sum(CLOSES + 3),
                timed_out: self.sum(CLOSES + 4),
                shutdown: close(CloseReason::Shutdown),
                overloaded: close(CloseReason::Overloaded),
                aborted: close(CloseReason::Aborted),
                io_error: close(CloseReason::IoError),
                handshake_failed: close(CloseReason::HandshakeFailed),
            },
            handler_panics: of(Count::Panic),
            uploads_spilled: of(Count::Spilled),
            tunnels_refused: of(Count::TunnelRefused),
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

fn shard_of_this_thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static SHARD: usize = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    }
    // A destructor of a thread-local value that runs after SHARD was destroyed counts in the first
    // shard.
    SHARD.try_with(|shard| *shard).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counter_has_its_own_index() {
        let reasons = [
            CloseReason::Finished,
            CloseReason::PeerClosed,
            CloseReason::Truncated,
            CloseReason::Refused(ProtocolError::Host),
            CloseReason::TimedOut(Timer::Idle),
            CloseReason::Shutdown,
            CloseReason::Aborted,
            CloseReason::HandshakeFailed,
            CloseReason::Overloaded,
            CloseReason::IoError,
        ];
        let mut places: Vec<usize> = [
            Count::Accepted,
            Count::AcceptPause,
            Count::AcceptError,
            Count::Request,
            Count::Received,
            Count::Sent,
            Count::Upgrade,
            Count::FormRefused,
            Count::Panic,
            Count::Spilled,
            Count::TunnelRefused,
            Count::OverAddressLimit,
        ]
        .into_iter()
        .chain([101, 200, 304, 404, 500, 600].map(|code| Count::Response(StatusCode::from_u16(code).unwrap())))
        .chain(reasons.map(Count::Close))
        .chain(Timer::ALL.iter().copied().map(Count::Timeout))
        .chain(ProtocolError::ALL.iter().copied().map(Count::Refusal))
        .map(Count::place)
        .collect();
        places.sort_unstable();
        assert_eq!(places, (0..PLACES).collect::<Vec<_>>());
    }

    #[test]
    fn counts_of_threads_are_added_up() {
        let metrics = Metrics::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| (0..1000).for_each(|_| metrics.add(Count::Sent, 3)));
            }
        });
        assert_eq!(metrics.read(7), Counters { connections_open: 7, bytes_sent: 96_000, ..Counters::default() });
    }
}
