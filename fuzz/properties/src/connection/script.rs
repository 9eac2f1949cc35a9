//! The operations on a connection, as data that a fuzzer can generate.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use httpants_core::{Config, HalfClose};

/// The operations and the settings of a run.
#[derive(Debug)]
pub(super) struct Script {
    /// The configuration of the server.
    pub(super) settings: Settings,
    /// The operations, in order.
    pub(super) operations: Vec<Operation>,
}

impl<'a> Arbitrary<'a> for Script {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let settings = u.arbitrary()?;
        let mut operations = Vec::new();
        while !u.is_empty() && operations.len() < 400 {
            operations.push(u.arbitrary()?);
        }
        Ok(Self { settings, operations })
    }
}

/// The differences from the default configuration; small numbers choose from short lists.
#[derive(Clone, Copy, Debug, Default, Arbitrary)]
pub(super) struct Settings {
    unusual: bool,
    choices: [u8; 12],
    /// True if a PROXY header is expected.
    pub(super) proxy_protocol: bool,
}

impl Settings {
    /// Returns the configuration.
    #[must_use]
    pub(super) fn config(&self) -> Config {
        let mut config = Config::default();
        config.proxy_protocol = self.proxy_protocol;
        if !self.unusual {
            return config;
        }
        let choose = |at: usize, from: &[usize]| from[usize::from(self.choices[at]) % from.len()];
        let limits = &mut config.limits;
        limits.head = choose(0, &[32 << 10, 100, 40, 0]);
        limits.fields = choose(1, &[100, 0, 1, 3]);
        limits.target = choose(2, &[8 << 10, 0, 1, 100]);
        limits.chunk_overhead = choose(3, &[16 << 10, 0, 1, 100]);
        limits.send_backlog = choose(4, &[64 << 10, 0, 1, 100]);
        limits.recv_buffer = choose(5, &[8 << 10, 0, 1, 100]);
        limits.body_buffer = choose(6, &[64 << 10, 0, 1, 100]);
        limits.max_body_size = choose(7, &[10 << 20, 4000, 0]) as u64;
        limits.drain = choose(8, &[64 << 10, 100, 0]) as u64;
        limits.linger = choose(9, &[256 << 10, 100, 0]) as u64;
        limits.refusal_linger = choose(9, &[64 << 20, 200, 0]) as u64;
        config.keep_alive = choose(10, &[1, 1, 1, 0]) == 1;
        config.requests_per_connection = [None, None, Some(0), Some(2)][choose(11, &[0, 1, 2, 3])];
        config.timeouts.handler = [None, Some(Duration::from_secs(5))][choose(11, &[0, 0, 0, 0, 1, 1, 1, 1])];
        config.half_close = [HalfClose::Serve, HalfClose::Drop][choose(2, &[0, 0, 0, 0, 0, 0, 0, 1])];
        config.timeouts.half_closed =
            [Some(Duration::from_secs(30)), Some(Duration::from_secs(1)), None][choose(3, &[0, 0, 0, 0, 0, 0, 1, 2])];
        config.strict_target = choose(10, &[0, 1, 0, 1]) == 1;
        config
    }
}

/// The next bytes of the client.
#[derive(Clone, Debug)]
pub(super) enum Sent {
    /// A head without content, from a list.
    Head(u8),
    /// A request with content of a known length.
    Length { expect: bool, http_1_0: bool, length: u32 },
    /// A request with chunked content: the sizes of the chunks, and the kind of its end.
    Chunked { expect: bool, sizes: Vec<u16>, end: u8 },
    /// Arbitrary bytes.
    Raw(bytes::Bytes),
}

impl<'a> Arbitrary<'a> for Sent {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(match u.int_in_range(0..=9u8)? {
            0..=3 => Self::Head(u.arbitrary()?),
            4 | 5 => Self::Length {
                expect: u.ratio(1, 4)?,
                http_1_0: u.ratio(1, 5)?,
                length: *u.choose(&[0, 1, 20, 3000, 100_000])?,
            },
            6..=8 => {
                let count = u.int_in_range(0..=3u8)?;
                let sizes = (0..count).map(|_| u.choose(&[1, 20, 5000, 65_000]).copied()).collect::<Result<_>>()?;
                Self::Chunked { expect: u.ratio(1, 4)?, sizes, end: u.arbitrary()? }
            }
            _ => {
                let length = usize::from(u.arbitrary::<u8>()?).min(u.len());
                Self::Raw(u.bytes(length)?.to_vec().into())
            }
        })
    }
}

impl Sent {
    /// Appends the bytes.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        const HEADS: [&str; 16] = [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /path?query HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n",
            "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
            "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
            "\r\nOPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "BREW / HTCPCP/1.0\r\n\r\n",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "\r\n\r\n\0\r\nQUIT\n\x21\x31\0\u{0}",
            "\r\n\r\n\r\n",
            "GET /|{ HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n",
        ];
        let expectation = |expect: bool| if expect { "Expect: 100-continue\r\n" } else { "" };
        match self {
            Self::Head(number) => out.extend_from_slice(HEADS[usize::from(*number) % HEADS.len()].as_bytes()),
            Self::Length { expect, http_1_0, length } => {
                let version = if *http_1_0 { "1.0\r\nConnection: keep-alive" } else { "1.1" };
                let expect = expectation(*expect);
                let head = format!("POST / HTTP/{version}\r\nHost: a\r\n{expect}Content-Length: {length}\r\n\r\n");
                out.extend_from_slice(head.as_bytes());
                out.extend((0..*length).map(|at| b'a' + (at % 23) as u8));
            }
            Self::Chunked { expect, sizes, end } => {
                let expect = expectation(*expect);
                let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{expect}Transfer-Encoding: chunked\r\n\r\n");
                out.extend_from_slice(head.as_bytes());
                for &size in sizes {
                    out.extend_from_slice(format!("{size:x};e=1\r\n").as_bytes());
                    out.extend((0..size).map(|at| b'a' + (at % 23) as u8));
                    out.extend_from_slice(b"\r\n");
                }
                const ENDS: [&str; 5] =
                    ["0\r\n\r\n", "0\r\nX: t\r\n\r\n", "0\r\nHost: t\r\nX: \t u\r\n\r\n", "z\r\n", "0\r\nX\r\n\r\n"];
                out.extend_from_slice(ENDS[usize::from(*end) % ENDS.len()].as_bytes());
            }
            Self::Raw(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// An operation.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    /// The client has more to send.
    Send(Sent),
    /// At most `most` bytes arrive, copied in or read into the lent buffer.
    Receive { most: u32, lend: bool },
    /// The application takes at most `most` events.
    Poll { most: u8, sends_continue: bool },
    /// The transport sends `most` bytes; 0 means all.
    Transmit { most: u16 },
    /// The application responds, if a request is outstanding.
    Respond(ResponsePlan),
    /// The application responds by the calls of Pants.
    RespondByCalls { length: u16, finish: bool },
    /// The application sends an interim response.
    Interim(u8),
    /// The application sends a piece of content, and possibly the end.
    Finish { length: u16, file: bool, end: u8 },
    /// Time passes: to the next deadline, to just before it, to after it, or by `millis`
    /// milliseconds.
    Time { how: u8, millis: u16 },
    /// The application pauses or resumes the body.
    Pause(bool),
    /// The application sets another maximum body size.
    MaxRequest(u8),
    /// The adapter supplies or releases storage.
    Storage(u8),
    /// The client ends its stream.
    Eof,
    /// The application aborts the response.
    Abort,
    /// The server shuts down.
    Shutdown,
    /// The transport fails.
    IoError,
    /// The receive buffer is moved out, or returned with at most `most` bytes.
    LendRecv { most: u32 },
    /// The bytes to send are moved out, and `most` of them are sent; 0 means all.
    TakeTransmit { most: u16 },
    /// The application holds or accepts requests.
    Hold(bool),
    /// The transport detects the end of the client's stream after unread bytes.
    PeerClosed,
    /// A command for a request that is not outstanding.
    Stale { command: u8, request: u8 },
    /// Calls without effect: 0 bytes, more bytes than were offered, a deadline in the future.
    Spurious(u8),
}

/// A response.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub(super) struct ResponsePlan {
    pub(super) status: u8,
    pub(super) length: u8,
    pub(super) whole: bool,
    pub(super) known: bool,
    pub(super) close: u8,
}

impl<'a> Arbitrary<'a> for Operation {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        // The weights of the operations. Those that end a connection are rare, so that others get a
        // chance.
        Ok(match u.int_in_range(0..=155u8)? {
            0..=11 => Self::Send(u.arbitrary()?),
            12..=33 => {
                Self::Receive { most: *u.choose(&[1, 2, 5, 17, 100, 1000, 10_000, 200_000])?, lend: u.arbitrary()? }
            }
            34..=60 => Self::Poll { most: u.int_in_range(1..=9)?, sends_continue: u.arbitrary()? },
            61..=78 => Self::Transmit { most: if u.ratio(2, 3)? { 0 } else { u.arbitrary()? } },
            79..=93 => Self::Respond(u.arbitrary()?),
            94 | 95 => Self::Interim(u.arbitrary()?),
            96..=100 => Self::RespondByCalls { length: *u.choose(&[0, 5, 3000])?, finish: u.arbitrary()? },
            101..=110 => Self::Finish { length: *u.choose(&[0, 7, 2500])?, file: u.ratio(1, 5)?, end: u.arbitrary()? },
            111..=115 => Self::Time { how: u.arbitrary()?, millis: u.arbitrary()? },
            116 | 117 => Self::Pause(u.arbitrary()?),
            118 | 119 => Self::MaxRequest(u.arbitrary()?),
            120..=122 => Self::Storage(u.arbitrary()?),
            123..=125 => Self::Spurious(u.arbitrary()?),
            132..=139 => Self::LendRecv { most: *u.choose(&[0, 1, 2, 17, 100, 1000, 10_000, 200_000])? },
            140..=147 => Self::TakeTransmit { most: if u.ratio(1, 2)? { 0 } else { u.arbitrary()? } },
            148..=150 => Self::Hold(u.ratio(1, 3)?),
            151..=154 => Self::Stale { command: u.arbitrary()?, request: u.arbitrary()? },
            155 => Self::PeerClosed,
            _ if !u.ratio(1, 4)? => Self::Poll { most: 9, sends_continue: true },
            126 | 127 => Self::Eof,
            128 => Self::Abort,
            129 => Self::Shutdown,
            _ if u.ratio(1, 4)? => Self::IoError,
            _ => Self::Eof,
        })
    }
}
