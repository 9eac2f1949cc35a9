//! Tests of uploads that are larger than the allowed memory.

use std::net::TcpStream;

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::client::Client;
use crate::demo::{Demo, PATIENCE};
use crate::uploads::{hexadecimal, noise};

const FILE: u64 = 2 << 30;
const CHUNKED: u64 = 5 << 30;
const HEAD: &[u8] = b"--b\r\nContent-Disposition: form-data; name=film; filename=film.mp4\r\n\r\n";
const TAIL: &[u8] = b"\r\n--b--\r\n";
/// Maximum memory in bytes that the server may use in addition to its idle memory.
const ALLOWED: u64 = 64 << 20;

/// Returns a line of /proc/PID/status in bytes.
fn memory(demo: &Demo, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", demo.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
#[ignore = "needs 5 GiB in the folder of temporary files, and some minutes"]
fn chunked_upload_of_5_gib_arrives_intact_in_bounded_memory() {
    let demo = Demo::start(&["--max-request", "6000000000"]);
    let stream = TcpStream::connect(demo.address()).unwrap();
    stream.set_read_timeout(Some(20 * PATIENCE)).unwrap();
    let mut client = Client::new(stream);
    assert_eq!(client.get("/plaintext").status, 200);
    let idle = memory(&demo, "VmRSS");
    let block = noise(1_000_003);
    let mut body = Sha256::new();
    client.send("PUT /any HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut left = CHUNKED;
    while left > 0 {
        // More than 4 GiB, so that 32-bit counts would overflow, in chunks of many sizes.
        let length = block.len().min(usize::try_from(left).unwrap()).min(1 + left as usize % 70_001 * 20);
        let piece = &block[..length];
        client.send(format!("{length:x}\r\n"));
        client.send(piece);
        client.send("\r\n");
        body.update(piece);
        left -= length as u64;
    }
    client.send("0\r\nX-Sum: 1\r\n\r\n");
    let report = client.response().json();
    let raw = (&report["body_size"], &report["body_sha256"]);
    assert_eq!(raw, (&json!(CHUNKED), &json!(hexadecimal(&body.finalize()))));
    let taken = memory(&demo, "VmHWM") - idle;
    println!("{} KiB when idle, {} KiB more for 5 GiB", idle >> 10, taken >> 10);
    assert!(taken <= ALLOWED, "{taken} bytes above {idle}");
}

#[test]
#[ignore = "needs 5 GiB in the folder of temporary files, and up to a minute"]
fn upload_of_2_gib_arrives_intact_in_bounded_memory() {
    let demo = Demo::start(&["--max-request", "3000000000"]);
    let stream = TcpStream::connect(demo.address()).unwrap();
    // The response is sent after the server has read and hashed everything, twice.
    stream.set_read_timeout(Some(4 * PATIENCE)).unwrap();
    let mut client = Client::new(stream);
    assert_eq!(client.get("/plaintext").status, 200);
    let idle = memory(&demo, "VmRSS");
    // Not a divisor of the length, of a page or of a batch, so that a misplaced piece is detected.
    let block = noise(1_000_003);
    let (mut file, mut body) = (Sha256::new(), Sha256::new_with_prefix(HEAD));
    let length = HEAD.len() as u64 + FILE + TAIL.len() as u64;
    client.send(format!(
        "POST /any HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n"
    ));
    client.send(HEAD);
    let mut left = FILE;
    while left > 0 {
        let piece = &block[..block.len().min(usize::try_from(left).unwrap())];
        client.send(piece);
        file.update(piece);
        body.update(piece);
        left -= piece.len() as u64;
    }
    client.send(TAIL);
    body.update(TAIL);
    let report = client.response().json();
    let described = json!({"film": [{
        "filename": "film.mp4", "content_type": null, "size": FILE, "sha256": hexadecimal(&file.finalize()),
    }]});
    assert_eq!(report["files"], described);
    let raw = (&report["body_size"], &report["body_sha256"]);
    assert_eq!(raw, (&json!(length), &json!(hexadecimal(&body.finalize()))));
    let taken = memory(&demo, "VmHWM") - idle;
    println!("{} KiB when idle, {} KiB more for 2 GiB", idle >> 10, taken >> 10);
    assert!(taken <= ALLOWED, "{taken} bytes above {idle}");
}
