//! Every limit, timeout and policy of a connection, each with its default and its reason.

use core::time::Duration;

use crate::wire::fields::MOST_BYTES;
use crate::wire::limits::HeadLimits;
use crate::wire::span::FieldSpan;

/// The configuration of all connections of a server; shared between them in an `Arc`.
/// [`check`](Self::check) finds settings with which no request could be served.
///
/// ```
/// use httpants_core::Config;
///
/// let mut config = Config::default();
/// config.limits.max_body_size = 64 << 20;
/// config.keep_alive = false;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Config {
    /// Sizes and counts past which a request is refused.
    pub limits: Limits,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// Whether connections persist (`keep_alive` in Pants, default true). If not, every response
    /// carries `Connection: close`.
    pub keep_alive: bool,
    /// How many requests one connection serves before it is closed, at least 1; default no bound.
    pub requests_per_connection: Option<u64>,
    /// The value of the `Server` field where the application sets none; `None` sends no
    /// such field. Default `httpants/VERSION`.
    pub server: Option<&'static str>,
    /// Whether each connection begins with a PROXY protocol header, version 1 or 2, from a
    /// load balancer. It is required then, so enable it only where every peer sends one.
    /// Disabled by default.
    pub proxy_protocol: bool,
    /// What becomes of a request whose client ended its stream before it got the response.
    /// Default [`HalfClose::Serve`].
    pub half_close: HalfClose,
    /// Accept only the characters of RFC 3986 in the request target, and no `#`. Disabled
    /// by default, because browsers send `|`, `^`, `{` and `\` in queries.
    pub strict_target: bool,
    /// Read bytes over 0x7F in the request target as if they were percent-encoded. Disabled by
    /// default: they are refused. Some proxies send them, such as nginx with a variable in
    /// `proxy_pass http://backend$uri`, which has the path decoded. Path, query and
    /// [`url`](crate::RequestHead::url) show the encoded form, and its length is what
    /// [`Limits::target`] bounds; [`as_bytes`](crate::RequestHead::as_bytes) has the bytes as sent.
    /// A host in the target is never read so. [`strict_target`](Self::strict_target) wins over this
    /// option.
    pub non_ascii_target: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            keep_alive: true,
            requests_per_connection: None,
            server: Some(concat!("httpants/", env!("CARGO_PKG_VERSION"))),
            proxy_protocol: false,
            half_close: HalfClose::default(),
            strict_target: HeadLimits::DEFAULT.strict_target,
            non_ascii_target: HeadLimits::DEFAULT.non_ascii_target,
        }
    }
}

impl Config {
    /// What the parser of heads needs of it.
    pub(super) fn head_limits(&self) -> HeadLimits {
        let Limits { head, target, method, fields, .. } = self.limits;
        let Self { strict_target, non_ascii_target, .. } = *self;
        HeadLimits { head, target, method, fields, strict_target, non_ascii_target }
    }
}

/// The fate of a request whose client ended its stream, which may only be its sending half
/// (RFC 9112 section 9.6): clients, CDNs and load balancers do so and wait for the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HalfClose {
    /// Its response is sent, within [`Timeouts::half_closed`]. The default.
    #[default]
    Serve,
    /// The connection is dropped at once, and the response with it.
    Drop,
}

/// Sizes in bytes and counts. Each is enforced by what was parsed, never by how the bytes
/// were cut into packets. 0 allows nothing; it never means no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The head, from the first byte of the request line to its empty line, white space
    /// counted. At least 18. Default 32 KiB: four times what browsers and proxies send with large
    /// cookies. Values over 65,535 count as 65,535, because the index has 16-bit offsets.
    pub head: usize,
    /// The request target. At least 1. Default 8 KiB, which RFC 9112 section 3 recommends to
    /// support.
    pub target: usize,
    /// The method. At least 3. Default 64; the longest registered one has 17.
    pub method: usize,
    /// Field lines of a head or of a trailer section. At least 1. Default 100.
    pub fields: usize,
    /// Empty lines before a request line that are skipped. Default 4 (RFC 9112 section 2.2
    /// asks for one at least).
    pub empty_lines: usize,
    /// A request's content, after chunked decoding (`max_request` in Pants). Default 10 MiB; 0 refuses
    /// every body.
    pub max_body_size: u64,
    /// Framing of one chunked message in excess of what its chunks need, and its trailer
    /// lines, together. Of each chunk `16 + 2 * data` bytes of framing (size line, extensions,
    /// line ends) are free, so that chunks may be as small as one byte; what exceeds that adds
    /// up. Default 16 KiB, because extensions are not in use.
    pub chunk_overhead: usize,
    /// Content that is read and dropped when the response was finished before it was read, so
    /// that the connection can be used again. Default 64 KiB; what is longer closes.
    pub drain: u64,
    /// Bytes that are read and dropped behind the last response, so that the peer receives that
    /// response and not a reset. Default 256 KiB. Behind a refusal
    /// [`refusal_linger`](Self::refusal_linger) counts instead.
    pub linger: u64,
    /// The same behind a refusal, and behind the response to a request whose content was not read
    /// to its end: most clients read the response only once they have sent all of the content.
    /// Default 64 MiB, read into one buffer of `recv_buffer` bytes; [`Timeouts::refusal_linger`]
    /// and [`Timeouts::refusal_linger_idle`] bound the time.
    pub refusal_linger: u64,
    /// Bytes of responses that may wait to be sent: from there on no further pipelined request is
    /// parsed, and [`poll_send_room`](crate::Connection::poll_send_room) is 0. Each finished
    /// response among them counts for 40 more. Default 64 KiB; 0 counts as 1.
    pub send_backlog: usize,
    /// The size of a receive buffer for heads and small bodies. Default 8 KiB. Values below
    /// 16 bytes count as 16, those over 16 MiB as 16 MiB.
    pub recv_buffer: usize,
    /// The size of a receive buffer for bodies larger than that. Default 64 KiB: fewer system
    /// calls no longer pay beyond it. Bounded like `recv_buffer`.
    pub body_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: HeadLimits::DEFAULT.head,
            target: HeadLimits::DEFAULT.target,
            method: HeadLimits::DEFAULT.method,
            fields: HeadLimits::DEFAULT.fields,
            empty_lines: 4,
            max_body_size: 10 << 20,
            chunk_overhead: 16 << 10,
            drain: 64 << 10,
            linger: 256 << 10,
            refusal_linger: 64 << 20,
            send_backlog: 64 << 10,
            recv_buffer: 8 << 10,
            body_buffer: 64 << 10,
        }
    }
}

impl Limits {
    /// Returns the most that a connection takes from the allocator, in bytes, whatever its peer
    /// sends and however slowly it reads. With the defaults 391 KiB; a connection that is idle
    /// takes less than 1 KiB.
    ///
    /// Content that was handed out as [`Event::Data`](crate::Event::Data) is its holder's, and
    /// so is content that was given to be sent: of the application's own there are the heads
    /// of responses in it, with 4 KiB each at most.
    ///
    /// ```
    /// use httpants_core::Config;
    ///
    /// let mut limits = Config::default().limits;
    /// assert_eq!(limits.memory_bound(), 400_514);
    /// (limits.head, limits.send_backlog, limits.body_buffer) = (8 << 10, 8 << 10, 8 << 10);
    /// assert!(limits.memory_bound() < 200_000);
    /// ```
    #[must_use]
    pub fn memory_bound(&self) -> usize {
        // What must be complete before it is parsed is kept in the receive buffer, which doubles
        // to the next power of two beside the one before.
        let trailers = self.chunk_overhead.saturating_add(2);
        let whole = self.head_size().max(trailers).saturating_add(1);
        let received = whole.checked_next_power_of_two().unwrap_or(usize::MAX).max(self.body_size()).saturating_mul(2);
        // A copy of the head, one of the trailers, and the places of their lines.
        let copied = self.head_size().saturating_add(trailers);
        let indexed = self.fields.saturating_mul(2 * size_of::<FieldSpan>()).saturating_mul(2);
        // Responses are gathered below the backlog, the last one may begin right there, and
        // their buffer doubles.
        let sent = self.backlog().saturating_add(RESPONSE_HEAD).saturating_mul(3);
        [copied, indexed, sent, FIXED].into_iter().fold(received, usize::saturating_add)
    }

    /// The most bytes that a head has.
    pub(crate) fn head_size(&self) -> usize {
        self.head.min(MOST_BYTES)
    }

    /// The size of a receive buffer for heads, within what makes sense.
    pub(crate) fn recv_size(&self) -> usize {
        self.recv_buffer.clamp(16, 16 << 20)
    }

    /// The size of a receive buffer for large bodies.
    pub(crate) fn body_size(&self) -> usize {
        self.body_buffer.clamp(self.recv_size(), 16 << 20)
    }

    /// From how many waiting bytes on no further request is parsed.
    pub(crate) fn backlog(&self) -> usize {
        self.send_backlog.max(1)
    }
}

/// The head of a response, as far as [`Limits::memory_bound`] goes.
const RESPONSE_HEAD: usize = 4 << 10;
/// The connection itself, the request, and the queues of events and of segments to send.
const FIXED: usize = 8 << 10;

/// The time that each phase of a connection may take; `None` disables a timer. 0 is an error of
/// [`Config::check`], except for lingering, where it is none at all.
/// [`Timer`](crate::Timer) names them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// From accepting a connection that is to be secured to the end of its handshake (TLS),
    /// or from its PROXY header where there is one; then it is closed. Default 10 s.
    pub handshake: Option<Duration>,
    /// From accepting the connection, or from the end of its handshake, to its first byte;
    /// also until its PROXY header is complete; then it is closed. Default 15 s.
    pub accept: Option<Duration>,
    /// From the first byte of a head to its end; then 408. Default 15 s.
    pub head: Option<Duration>,
    /// Between requests on a connection kept alive; then it is closed. Default 75 s, above the 60 s
    /// after which common load balancers give their own connections up: of two ends that close, a
    /// balancer should be the first, or it sends a request into a connection that is closing.
    pub idle: Option<Duration>,
    /// Without a byte of a body that is being read; then 408. Default 30 s.
    pub body: Option<Duration>,
    /// The slowest body, in bytes per second, judged from `body_rate_grace` on; then 408.
    /// Default 256; 0 disables it.
    pub body_rate: u32,
    /// How long a body may be slower than `body_rate`; not 0. Default 10 s.
    pub body_rate_grace: Duration,
    /// Without progress in sending; then the connection is dropped. Default 30 s.
    pub write: Option<Duration>,
    /// The least progress in sending, in bytes per second: each byte that the transport takes
    /// puts the end of `write` off by no more than its time at this rate. Default 256; 0 disables
    /// it, and any byte is progress.
    pub write_rate: u32,
    /// How long the end of the peer's stream is awaited behind the last response. Default 2 s.
    pub linger: Option<Duration>,
    /// The same behind a refusal, and behind the response to a request whose content was not read
    /// to its end, where the peer goes on sending. Default 30 s. From a shutdown of the server on
    /// `linger` counts there, too.
    pub refusal_linger: Option<Duration>,
    /// How long the next byte is awaited then. Default 5 s.
    pub refusal_linger_idle: Option<Duration>,
    /// From the head of a request to the head of its response, without the time in which its
    /// content is awaited; then 503. Disabled by default.
    pub handler: Option<Duration>,
    /// After the client ended its stream, or from the head of a request that was accepted behind
    /// that, without a byte that it accepts; then 503 where no head has left, else a reset. Default
    /// 30 s; `None` serves without limit.
    ///
    /// Every byte that it accepts starts this time anew: of the response, which heartbeats of
    /// server-sent events are part of, and of interim responses. So a client that only shut its
    /// sending half and goes on reading is served as long as there is something to read, and an
    /// application that wants to end an endless stream with the client's half asks whether the peer
    /// has closed. One that is gone resets the connection or accepts nothing.
    pub half_closed: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = |s| Some(Duration::from_secs(s));
        Self {
            handshake: seconds(10),
            accept: seconds(15),
            head: seconds(15),
            idle: seconds(75),
            body: seconds(30),
            body_rate: 256,
            body_rate_grace: Duration::from_secs(10),
            write: seconds(30),
            write_rate: 256,
            linger: seconds(2),
            refusal_linger: seconds(30),
            refusal_linger_idle: seconds(5),
            handler: None,
            half_closed: seconds(30),
        }
    }
}
