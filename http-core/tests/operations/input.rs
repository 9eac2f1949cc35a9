//! What clients send and servers are configured to, by chance.

use std::time::Duration;

use httpants_core::Config;

/// xorshift64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    pub(crate) fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

/// What a client sends: mostly requests, with something wrong now and then.
pub(crate) fn bytes(random: &mut Random) -> Vec<u8> {
    const HEADS: [&str; 12] = [
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
    ];
    let mut bytes = vec![];
    for _ in 0..random.below(6) + 1 {
        let expect = if random.one_in(4) { "Expect: 100-continue\r\n" } else { "" };
        let version = if random.one_in(5) { "1.0\r\nConnection: keep-alive" } else { "1.1" };
        match random.below(8) {
            0..=3 => {
                let most = if random.one_in(4) { HEADS.len() } else { 9 };
                bytes.extend_from_slice(HEADS[random.below(most)].as_bytes());
            }
            4 | 5 => {
                let length = [0, 1, 20, 3000, 100_000][random.below(5)];
                let head = format!("POST / HTTP/{version}\r\nHost: a\r\n{expect}Content-Length: {length}\r\n\r\n");
                bytes.extend_from_slice(head.as_bytes());
                bytes.resize(bytes.len() + length, b'c');
            }
            _ => {
                let head = format!("POST / HTTP/1.1\r\nHost: a\r\n{expect}Transfer-Encoding: chunked\r\n\r\n");
                bytes.extend_from_slice(head.as_bytes());
                for _ in 0..random.below(4) {
                    let length = [1, 20, 5000, 70_000][random.below(4)];
                    let chunk = format!("{length:x};e=1\r\n{}\r\n", "d".repeat(length));
                    bytes.extend_from_slice(chunk.as_bytes());
                }
                let ends = ["0\r\n\r\n", "0\r\nTrailer: t\r\n\r\n", "0\r\nTrailer: t\r\n\r\n", "z\r\n"];
                bytes.extend_from_slice(ends[random.below(ends.len())].as_bytes());
            }
        }
    }
    bytes
}

pub(crate) fn config(random: &mut Random) -> Config {
    let mut config = Config::default();
    if random.one_in(3) {
        let limits = &mut config.limits;
        let size = |random: &mut Random, usual: usize| [usual, usual, 0, 1, 100][random.below(5)];
        limits.head = [32 << 10, 100, 40, 0][random.below(4)];
        limits.fields = size(random, limits.fields);
        limits.target = size(random, limits.target);
        limits.chunk_overhead = size(random, limits.chunk_overhead);
        limits.send_backlog = size(random, limits.send_backlog);
        limits.recv_buffer = size(random, limits.recv_buffer);
        limits.body_buffer = size(random, limits.body_buffer);
        limits.max_request = [10 << 20, 4000, 0][random.below(3)];
        limits.drain = [64 << 10, 100, 0][random.below(3)];
        limits.linger = [256 << 10, 100, 0][random.below(3)];
        config.keep_alive = !random.one_in(8);
        config.requests_per_connection = [None, None, Some(0), Some(2)][random.below(4)];
        config.timeouts.handler = [None, Some(Duration::from_secs(5))][random.below(2)];
    }
    config
}
