//! Test of the memory of a large upload. It runs alone in its process, because it measures the
//! process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may panic")]

use httpants_driver::protocol::forms;
use httpants_driver::{BodyPolicy, Request, Server};
use httpants_testkit::memory::Memory;

const HEAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
const TAIL: &[u8] = b"\r\n--b--\r\n";
const LENGTH: usize = 96 << 20;
/// Maximum memory in bytes: two batches, buffers, and the memory of the test itself.
const ALLOWED: u64 = 4 << 20;

/// Returns the peak memory of the process in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn large_upload_takes_bounded_memory() {
    let directory = tempfile::tempdir().unwrap();
    let memory = Memory::new();
    let server = Server::with_runtime(memory.clone(), async |request: Request| {
        let body = request.body_reader().map(|mut body| std::io::copy(&mut body, &mut std::io::sink()).unwrap());
        format!("{:?} {body:?}", request.files().get("f").map(|file| file.len()))
    });
    let server = server.body_policy(|head| {
        let mut limits = forms::FormLimits::default();
        limits.max_body_size = 1 << 30;
        limits.keep_body = head.path() == "/kept";
        BodyPolicy::BufferWith(Box::new(limits))
    });
    memory.start(server.upload_directory(directory.path()));
    let whole = HEAD.len() + LENGTH + TAIL.len();
    let piece = vec![b'x'; 64 << 10];
    for (path, content_type, expected) in [
        ("/", "multipart/form-data; boundary=b", format!("Some({LENGTH}) None")),
        ("/kept", "multipart/form-data; boundary=b", format!("Some({LENGTH}) Some({whole})")),
        ("/", "image/png", format!("None Some({whole})")),
    ] {
        let client = memory.connect();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {whole}\r\n\r\n"
        );
        client.send(head.as_bytes());
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
        let response = String::from_utf8(client.take_received()).unwrap();
        assert!(response.ends_with(&format!("\r\n\r\n{expected}")), "{response}");
        let taken = peak() - before;
        assert!(taken < ALLOWED, "{path} {content_type}: {taken} bytes");
    }
    assert_eq!(directory.path().read_dir().unwrap().count(), 0);
}
