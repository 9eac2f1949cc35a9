//! Test of the memory of decompression bombs. It runs alone in its process, because it measures the
//! process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use compression_codecs::brotli::params::EncoderParams;
use compression_codecs::core::Level;
use compression_codecs::core::util::{PartialBuffer, WriteBuffer};
use compression_codecs::{BrotliEncoder, EncodeV2, GzipEncoder};
use httpants_driver::{BodyError, BodyPolicy, Decompression, Request, Server};
use httpants_testkit::memory::Memory;

/// Decoded size of a block of a bomb, in bytes.
const BLOCK: usize = 8 << 20;
const DECODED: usize = 1 << 30;
/// Maximum memory in bytes: the window of brotli twice, because it is copied while it grows, and
/// buffers.
const ALLOWED: u64 = 48 << 20;

/// Returns the peak memory of the process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// Encodes a block of zeros repeatedly. All coded blocks except the first are equal, because each
/// refers to the previous one.
fn bomb(mut encoder: impl EncodeV2) -> Vec<u8> {
    let (zeros, mut room) = (vec![0; BLOCK], vec![0; 1 << 20]);
    let mut block = || {
        let mut output = WriteBuffer::new_initialized(&mut room);
        let mut input = PartialBuffer::new(&*zeros);
        while !input.unwritten().is_empty() {
            encoder.encode(&mut input, &mut output).unwrap();
        }
        assert!(encoder.flush(&mut output).unwrap());
        output.written().to_vec()
    };
    let (mut bomb, again) = (block(), block());
    bomb.extend(again.repeat(DECODED / BLOCK - 1));
    bomb
}

/// Reads a streamed body to its end or its error.
async fn read(mut request: Request) -> Result<String, BodyError> {
    let mut length = 0;
    while let Some(piece) = request.body_mut().next().await {
        let piece = piece?;
        assert!(piece.iter().all(|byte| *byte == 0));
        length += piece.len();
    }
    Ok(length.to_string())
}

/// Returns the current memory of the process in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

/// Requests whose handlers continue when they have read their bodies keep no window.
fn windows_are_freed_at_the_end_of_the_body() {
    const REQUESTS: usize = 8;
    let content = vec![0; BLOCK];
    let mut encoder = BrotliEncoder::new(EncoderParams::default().quality(Level::Precise(5)).window_size(24));
    let mut room = vec![0; 1 << 20];
    let mut output = WriteBuffer::new_initialized(&mut room);
    let mut input = PartialBuffer::new(&*content);
    while !input.unwritten().is_empty() {
        encoder.encode(&mut input, &mut output).unwrap();
    }
    assert!(encoder.finish(&mut output).unwrap());
    let handler = async |mut request: Request| {
        while let Some(piece) = request.body_mut().next().await {
            piece?;
        }
        assert_eq!(request.body_mut().remaining(), Some(0));
        std::future::pending::<Result<&str, BodyError>>().await
    };
    let memory = Memory::new();
    let server =
        Server::with_runtime(memory.clone(), handler).decompress_requests(Decompression::default().max_ratio(u64::MAX));
    memory.start(server.body_policy(|_| BodyPolicy::Stream).max_body_size(1 << 30));
    let before = resident();
    let mut clients = Vec::new();
    for _ in 0..REQUESTS {
        let client = memory.connect();
        let length = output.written().len();
        client.send(
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: br\r\nContent-Length: {length}\r\n\r\n")
                .as_bytes(),
        );
        client.send(output.written());
        memory.run();
        assert_eq!(client.take_received(), b"");
        clients.push(client);
    }
    let kept = resident().saturating_sub(before);
    assert!(kept < 24 << 20, "{kept} bytes are kept by {REQUESTS} requests");
}

#[test]
fn bombs_take_bounded_memory_and_are_413() {
    let gzip = bomb(GzipEncoder::new(Level::Best.into()));
    let brotli = bomb(BrotliEncoder::new(EncoderParams::default().quality(Level::Precise(5)).window_size(24)));
    assert!((1 << 19..2 << 20).contains(&gzip.len()) && brotli.len() < 10_000, "{} {}", gzip.len(), brotli.len());
    let before = peak();
    for decompression in [Decompression::default(), Decompression::default().max_ratio(u64::MAX)] {
        let memory = Memory::new();
        let server = Server::with_runtime(memory.clone(), read).decompress_requests(decompression);
        memory.start(server.body_policy(|head| match head.path() {
            "/stream" => BodyPolicy::StreamUpTo(64 << 20),
            _ => BodyPolicy::Buffer,
        }));
        for path in ["/", "/stream"] {
            for (coding, bomb) in [("gzip", &gzip), ("br", &brotli)] {
                let client = memory.connect();
                let length = bomb.len();
                let head = format!(
                    "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
                );
                client.send(head.as_bytes());
                client.send(bomb);
                memory.run();
                let response = String::from_utf8(client.take_received()).unwrap();
                assert!(response.starts_with("HTTP/1.1 413 "), "{path} {coding}: {response}");
            }
        }
    }
    let taken = peak() - before;
    assert!(taken < ALLOWED, "{taken} bytes");
    windows_are_freed_at_the_end_of_the_body();
}
