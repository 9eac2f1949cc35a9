//! The limits, timeouts and policies of a connection, each with its default and its reason.

use core::time::Duration;

use crate::wire::fields::MAX_SECTION;
use crate::wire::limits::HeadLimits;
use crate::wire::span::FieldSpan;

/// The configuration of all connections of a server, shared between them in an `Arc`.
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
    /// Maximum sizes and counts; requests that exceed them are refused.
    pub limits: Limits,
    /// Maximum duration of each phase.
    pub timeouts: Timeouts,
    /// True if connections persist (`keep_alive` in Pants). If false, every response carries
    /// `Connection: close`. Default true.
    pub keep_alive: bool,
    /// Maximum number of requests on one connection, at least 1. The connection is closed after the
    /// response to the last one. No limit by default.
    pub requests_per_connection: Option<u64>,
    /// Value of the `Server` field for responses in which the application sets none; `None` omits
    /// the field. Default `httpants/VERSION`.
    pub server: Option<&'static str>,
    /// True if each connection must begin with a PROXY protocol header, version 1 or 2, from a load
    /// balancer. Connections without it are refused, so enable it only if every peer sends one.
    /// Disabled by default.
    pub proxy_protocol: bool,
    /// Treatment of a request whose client ended its stream before it received the response.
    /// Default [`HalfClose::Serve`].
    pub half_close: HalfClose,
    /// True to accept only the characters of RFC 3986 in the request target, and no `#`. Disabled
    /// by default, because browsers send `|`, `^`, `{` and `\` in queries.
    pub strict_target: bool,
    /// True to percent-encode bytes above 0x7F in the request target. Disabled by default: they are
    /// refused. Some proxies send them, such as nginx with a variable in `proxy_pass
    /// http://backend$uri`, which contains the decoded path. Path, query and
    /// [`url`](crate::RequestHead::url) return the encoded form, to which [`Limits::target`]
    /// applies; [`as_bytes`](crate::RequestHead::as_bytes) returns the bytes as sent. Such bytes in
    /// the host of a target are always refused. [`strict_target`](Self::strict_target) overrides
    /// this option.
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
    /// Returns the settings that the parser of heads needs.
    pub(super) fn head_limits(&self) -> HeadLimits {
        let Limits { head, target, method, fields, .. } = self.limits;
        let Self { strict_target, non_ascii_target, .. } = *self;
        HeadLimits { head, target, method, fields, strict_target, non_ascii_target }
    }
}

/// The treatment of a request whose client ended its stream before it received the response. The
/// client may have closed only its sending side (RFC 9112 section 9.6): clients, CDNs and load
/// balancers do that and wait for the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HalfClose {
    /// The response is sent, within [`Timeouts::half_closed`]. The default.
    #[default]
    Serve,
    /// The connection and the response are dropped at once.
    Drop,
}

/// The maximum sizes, in bytes, and counts of a connection. Their enforcement never depends on how
/// the bytes are cut into packets. 0 allows nothing; it never means no limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Maximum size of a request head, from the first byte of the request line to the empty line,
    /// white space included. At least 18. Default 32 KiB: four times what browsers and proxies send
    /// with large cookies. Values over 65,535 count as 65,535, because the index has 16-bit
    /// offsets.
    pub head: usize,
    /// Maximum length of the request target. At least 1. Default 8 KiB, which RFC 9112 section 3
    /// recommends to support.
    pub target: usize,
    /// Maximum length of the method. At least 3. Default 64; the longest registered method has 17
    /// bytes.
    pub method: usize,
    /// Maximum number of field lines in a head or in a trailer section. At least 1. Default 100.
    pub fields: usize,
    /// Maximum number of empty lines that are skipped before a request line. Default 4 (RFC 9112
    /// section 2.2 requires at least one).
    pub empty_lines: usize,
    /// Maximum size of the content of a request, after chunked decoding (`max_request` in Pants).
    /// Default 10 MiB; 0 refuses every body.
    pub max_body_size: u64,
    /// Maximum number of bytes of chunk framing beyond a free allowance, plus the trailer lines, in
    /// one chunked message. The allowance of each chunk is `16 + 2 * data` bytes for size line,
    /// extensions and line ends, so that chunks of one byte are possible; framing beyond it adds
    /// up. Default 16 KiB, because extensions are not used in practice.
    pub chunk_overhead: usize,
    /// Maximum number of bytes of content that are read and dropped if the response was finished
    /// before the content was read, so that the connection can be reused. Default 64 KiB; if more
    /// content remains, the connection closes.
    pub drain: u64,
    /// Maximum number of bytes that are read and dropped after the last response, so that the peer
    /// receives that response and not a reset. Default 256 KiB. After a refusal,
    /// [`refusal_linger`](Self::refusal_linger) applies instead.
    pub linger: u64,
    /// Like [`linger`](Self::linger), after a refusal, and after the response to a request whose
    /// content was not read completely: most clients read the response only after they have sent
    /// all of the content. Default 64 MiB, read into one buffer of `recv_buffer` bytes;
    /// [`Timeouts::refusal_linger`] and [`Timeouts::refusal_linger_idle`] limit the time.
    pub refusal_linger: u64,
    /// Maximum number of bytes of responses that may wait to be sent. At this limit no further
    /// pipelined request is parsed, and [`poll_send_room`](crate::Connection::poll_send_room)
    /// returns 0. Each finished response among them counts as 40 additional bytes. Default 64 KiB;
    /// 0 counts as 1.
    pub send_backlog: usize,
    /// Size of the receive buffer for heads and small bodies. Default 8 KiB. Values below 16 bytes
    /// count as 16, those over 16 MiB as 16 MiB.
    pub recv_buffer: usize,
    /// Size of the receive buffer for bodies larger than `recv_buffer`. Default 64 KiB; beyond it,
    /// fewer system calls bring no further gain. At least `recv_buffer`, at most 16 MiB.
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
    /// Returns the maximum memory in bytes that a connection allocates, whatever its peer sends and
    /// however slowly it reads: 391 KiB with the defaults. An idle connection allocates less than 1
    /// KiB.
    ///
    /// Content that was handed out as [`Event::Data`](crate::Event::Data), and content that the
    /// application provided to be sent, are not included. Heads of responses are included, assuming
    /// at most 4 KiB each.
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
        // Heads and trailer sections stay in the receive buffer until they are complete. It grows
        // to the next power of two, and the previous buffer still exists while it is copied.
        let trailers = self.chunk_overhead.saturating_add(2);
        let whole = self.head_size().max(trailers).saturating_add(1);
        let received = whole.checked_next_power_of_two().unwrap_or(usize::MAX).max(self.body_size()).saturating_mul(2);
        // A copy of the head, a copy of the trailers, and the indexes of their lines.
        let copied = self.head_size().saturating_add(trailers);
        let indexed = self.fields.saturating_mul(2 * size_of::<FieldSpan>()).saturating_mul(2);
        // Responses are gathered up to the backlog, the last one may begin just below it, and the
        // buffer doubles when it grows.
        let sent = self.backlog().saturating_add(RESPONSE_HEAD).saturating_mul(3);
        [copied, indexed, sent, FIXED].into_iter().fold(received, usize::saturating_add)
    }

    /// Returns the maximum size of a head in bytes.
    pub(crate) fn head_size(&self) -> usize {
        self.head.min(MAX_SECTION)
    }

    /// Returns the size of a receive buffer for heads, between 16 bytes and 16 MiB.
    pub(crate) fn recv_size(&self) -> usize {
        self.recv_buffer.clamp(16, 16 << 20)
    }

    /// Returns the size of a receive buffer for large bodies, between `recv_size` and 16 MiB.
    pub(crate) fn body_size(&self) -> usize {
        self.body_buffer.clamp(self.recv_size(), 16 << 20)
    }

    /// Returns the number of waiting bytes from which on no further request is parsed.
    pub(crate) fn backlog(&self) -> usize {
        self.send_backlog.max(1)
    }
}

/// The size of a response head that [`Limits::memory_bound`] assumes.
const RESPONSE_HEAD: usize = 4 << 10;
/// Memory of the connection itself, the request, and the queues of events and of segments to send.
const FIXED: usize = 8 << 10;

/// The maximum duration of each phase of a connection; `None` disables a timer. 0 is an error in
/// [`Config::check`], except for lingering, where 0 means not to linger. [`Timer`](crate::Timer)
/// names the timers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Maximum time from accepting a TLS connection, or from the end of its PROXY header, to the
    /// end of its handshake; then the connection is closed. Default 10 s.
    pub handshake: Option<Duration>,
    /// Maximum time from accepting the connection, or from the end of its handshake, to the first
    /// byte of its first request; then the connection is closed. A PROXY header must be complete
    /// within this time from accepting. Default 15 s.
    pub accept: Option<Duration>,
    /// Maximum time from the first byte of a request head to its end; then the response is 408.
    /// Default 15 s.
    pub head: Option<Duration>,
    /// Maximum time between requests on a persistent connection; then it is closed. Default 75 s,
    /// longer than the 60 s after which common load balancers close idle connections: the load
    /// balancer should close first, otherwise it may send a request on a connection that the server
    /// is closing.
    pub idle: Option<Duration>,
    /// Maximum time without a byte of a body that is being read; then the response is 408. Default
    /// 30 s.
    pub body: Option<Duration>,
    /// Minimum average rate of a body in bytes per second, checked from `body_rate_grace` on; if it
    /// is lower, the response is 408. Default 256; 0 disables the check.
    pub body_rate: u32,
    /// Time from the start of a body during which `body_rate` is not checked; more than 0. Default
    /// 10 s.
    pub body_rate_grace: Duration,
    /// Maximum time without progress in sending, as defined by `write_rate`; then the connection is
    /// dropped. Default 30 s.
    pub write: Option<Duration>,
    /// Minimum rate of sending in bytes per second: each byte that the transport accepts extends
    /// the `write` timeout by at most the time that it takes at this rate. Default 256; with 0, any
    /// byte restarts the timeout.
    pub write_rate: u32,
    /// Maximum time to wait for the end of the peer's stream after the last response; then the
    /// connection is closed. Default 2 s.
    pub linger: Option<Duration>,
    /// Like `linger`, after a refusal, and after the response to a request whose content was not
    /// read completely, while the peer continues to send. Default 30 s. Once the server shuts down,
    /// `linger` also applies, counted from the shutdown.
    pub refusal_linger: Option<Duration>,
    /// Maximum time to wait for the next byte during `refusal_linger`; then the connection is
    /// closed. Default 5 s.
    pub refusal_linger_idle: Option<Duration>,
    /// Maximum time from the head of a request to the head of its response, not counting the time
    /// spent waiting for content from the peer; then the response is 503. Disabled by default.
    pub handler: Option<Duration>,
    /// Maximum time without a byte that the client accepts, counted from the end of its stream, or
    /// from the head of a request that was accepted after that; then the response is 503, or the
    /// connection is reset if the head of the response was sent. Default 30 s; `None` serves
    /// without limit.
    ///
    /// Every byte that the client accepts restarts this timeout: bytes of the response, including
    /// heartbeats of server-sent events, and of interim responses. A client that closed only its
    /// sending side and continues to read is therefore served as long as there is something to
    /// send; an application that wants to end an endless stream in this case must check whether the
    /// peer has closed. A client that is gone resets the connection or accepts nothing.
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
