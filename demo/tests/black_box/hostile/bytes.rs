//! Tests of endless input.

use std::io::{Read, Write};
use std::time::Duration;

use super::{Attack, open};
use crate::demo::Demo;

/// Sends the beginning and then `again` repeatedly, up to `most` bytes or until the server stops
/// reading; returns the response and the number of bytes sent.
fn flood(demo: &Demo, beginning: &str, again: &[u8], most: usize) -> (String, usize) {
    let mut stream = open(demo);
    stream.write_all(beginning.as_bytes()).unwrap();
    let mut sent = 0;
    while sent < most && stream.write_all(again).is_ok() {
        sent += again.len();
    }
    let mut response = Vec::new();
    // A client that sends more than the server drains gets a reset.
    let _ = stream.read_to_end(&mut response);
    (String::from_utf8(response).unwrap(), sent)
}

const CHUNKED: &str = "POST /any HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const TEN_MEGABYTES: usize = 10_000_000;

/// Checks that input is refused at its limit. Further input is drained, so that a client that keeps
/// sending receives the refusal.
fn refused(name: &str, status: &str, beginning: &str, again: &[u8]) {
    let demo = Demo::start(&[]);
    let attack = Attack::begin(name, &demo);
    let (response, _) = flood(&demo, beginning, again, TEN_MEGABYTES);
    assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
    attack.end(&format!("{status}; the rest is discarded"), 1024, Duration::from_secs(2));
}

#[test]
fn field_value_of_10_mb_is_refused() {
    refused("10 MB of one field value", "431", "GET / HTTP/1.1\r\nHost: a\r\nX: ", &[b'y'; 50_000]);
}

#[test]
fn field_lines_of_10_mb_are_refused() {
    refused("10 MB of field lines", "431", "GET / HTTP/1.1\r\nHost: a\r\n", &b"X: y\r\n".repeat(8000));
}

#[test]
fn target_of_10_mb_is_refused() {
    refused("10 MB of a target", "414", "GET /", &[b'y'; 50_000]);
}

#[test]
fn chunk_extension_of_10_mb_is_refused() {
    refused("10 MB of a chunk extension", "400", &format!("{CHUNKED}5;a="), &[b'y'; 50_000]);
}

#[test]
fn chunk_extensions_of_10_mb_are_refused() {
    refused("10 MB of chunk extensions", "400", &format!("{CHUNKED}5"), &b";a=b".repeat(12_000));
}

#[test]
fn one_byte_chunks_with_extensions_are_refused() {
    refused("10 MB of chunks of one byte", "400", CHUNKED, &b"1;abcdefghijklmnopqrst\r\nx\r\n".repeat(2000));
}

#[test]
fn trailers_of_10_mb_are_refused() {
    refused("10 MB of trailers", "400", &format!("{CHUNKED}0\r\n"), &b"X: y\r\n".repeat(8000));
}

#[test]
fn empty_lines_of_10_mb_are_refused() {
    refused("10 MB of empty lines", "400", "", &b"\r\n".repeat(25_000));
}
