//! A large upload takes little memory. Alone in its process, because it looks at that.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use httpants_driver::memory::Memory;
use httpants_driver::{Request, Server};

const HEAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
const TAIL: &[u8] = b"\r\n--b--\r\n";
const LENGTH: usize = 96 << 20;
/// Two batches, buffers, and what the test itself takes.
const ALLOWED: u64 = 4 << 20;

/// The most memory that the process had so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_large_upload_takes_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), async |request: Request| {
        let (files, body) =
            (request.files(), request.body_reader().map(|mut body| std::io::copy(&mut body, &mut std::io::sink())));
        format!("{} {}", files.get("f").map_or(0, |file| file.len()), body.unwrap().unwrap())
    });
    let (_handle, serving) = server.max_request(1 << 30).upload_directory(directory.path()).attach();
    memory.serve(serving);
    let piece = vec![b'x'; 64 << 10];
    for (content_type, expected) in [
        ("multipart/form-data; boundary=b", format!("{LENGTH} 0")),
        ("image/png", format!("0 {}", HEAD.len() + LENGTH + TAIL.len())),
    ] {
        let client = memory.connect();
        let length = HEAD.len() + LENGTH + TAIL.len();
        client.send(
            format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n")
                .as_bytes(),
        );
        client.send(HEAD);
        client.send(&piece);
        memory.run();
        let before = peak();
        for _ in 1..LENGTH / piece.len() {
            client.send(&piece);
            memory.run();
        }
        client.send(TAIL);
        memory.run();
        let answer = String::from_utf8(client.take_received()).unwrap();
        assert!(answer.ends_with(&format!("\r\n\r\n{expected}")), "{answer}");
        let taken = peak() - before;
        assert!(taken < ALLOWED, "{content_type}: {taken} bytes");
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}
