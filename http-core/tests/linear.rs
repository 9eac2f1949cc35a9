//! Test that the cost of a head in pieces is linear: twice the bytes take twice the instructions.
#![cfg(test)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test is not the core")]

mod common;

use std::process::Command;

use common::Server;
use httpants_core::Config;

const SIZE: &str = "HTTPANTS_HEAD_SIZE";

/// Returns a head of this size in bytes, with this number of lines.
fn head(size: usize, lines: usize) -> String {
    let start = "GET / HTTP/1.1\r\nHost: a\r\n";
    let each = (size - start.len() - 2) / lines - "X: \r\n".len();
    format!("{start}{}\r\n", format!("X: {}\r\n", "v".repeat(each)).repeat(lines))
}

/// Receives heads of the size that the environment sets, one byte at a time; the test below counts
/// its instructions. Without a size it asserts that such heads get responses.
#[test]
fn heads_received_in_single_bytes_get_responses() {
    let size = std::env::var(SIZE).map_or(1000, |size| size.parse().unwrap());
    let mut config = Config::default();
    config.limits.head = 65_535;
    let mut server = Server::with(config);
    for lines in [1, 90] {
        head(size, lines).bytes().for_each(|byte| server.exchange(&[byte]));
    }
    assert_eq!(server.responses, 2);
}

fn instructions(size: usize) -> u64 {
    let run = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "heads_received_in_single_bytes_get_responses"])
        .env(SIZE, size.to_string())
        .output()
        .expect("valgrind runs (Debian package valgrind)");
    let report = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(run.status.success(), "{report}");
    let count = report.split("Collected : ").nth(1).and_then(|rest| rest.split_whitespace().next());
    count.and_then(|count| count.parse().ok()).expect("callgrind says what it counted")
}

#[test]
#[ignore = "needs the Debian package valgrind"]
fn head_received_in_single_bytes_takes_linear_time() {
    let [zero, small, middle, large] = [1_000, 16_000, 31_000, 61_000].map(instructions);
    let each = (small - zero) / 15;
    for (counted, kilobytes) in [(middle - zero, 30), (large - zero, 60)] {
        assert!(counted < each * kilobytes * 11 / 10, "{counted} for {kilobytes} kB where one costs {each}");
    }
}
