//! Tests of forms: urlencoded, and multipart with files.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::client::Response;
use crate::demo::Demo;
use crate::process::wait_until;

pub(crate) const MULTIPART: &str = "Content-Type: multipart/form-data; boundary=b\r\n";
const URLENCODED: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// Returns the SHA-256 as the inspector shows it.
pub(crate) fn sha256(content: &[u8]) -> String {
    hexadecimal(&Sha256::digest(content))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns one part with this text after `form-data` in its disposition.
pub(crate) fn part(disposition: &str, content: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data{disposition}\r\n\r\n");
    [head.as_bytes(), content.as_ref(), b"\r\n"].concat()
}

pub(crate) fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [&parts.concat()[..], b"--b--\r\n"].concat()
}

fn post(demo: &Demo, path: &str, fields: &str, content: impl AsRef<[u8]>) -> Response {
    demo.connect().request("POST", path, fields, content)
}

pub(crate) fn noise(length: u32) -> Vec<u8> {
    (0..length).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[test]
fn upload_counts_parts_and_bytes() {
    let demo = Demo::start(&[]);
    let mut client = demo.connect();
    let large = noise(5_000_000);
    for (content, counted) in [
        (form(&[part("; name=a", "12"), part("; name=f; filename=x", b"3\0\r\n")]), "2 6"),
        (form(&[]), "0 0"),
        (form(&[part("; name=f; filename=\"\"", "")]), "1 0"),
        (form(&[part("; name=f; filename=x", &large), part("; name=a", "")]), "2 5000000"),
    ] {
        let response = client.request("POST", "/upload", MULTIPART, &content);
        assert_eq!((response.status, response.text()), (200, counted));
    }
    // The same in chunks of one byte.
    client.send(format!("POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{MULTIPART}\r\n"));
    for byte in form(&[part("; name=f; filename=x", "1234")]) {
        client.send([b"1\r\n", &[byte][..], b"\r\n"].concat());
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response().text(), "1 4");
}

#[test]
fn invalid_form_is_refused_buffered_and_streamed() {
    let demo = Demo::start(&[]);
    let good = form(&[part("; name=a", "1")]);
    for (fields, content) in [
        (MULTIPART, &good[..good.len() - 6]),
        (MULTIPART, b"nonsense"),
        (MULTIPART, &form(&[part("", "1")])),
        (MULTIPART, &form(&[part("; name=a; name=b", "1")])),
        (MULTIPART, &form(&[part("; name=a; filename=x; filename=y", "1")])),
        (MULTIPART, b"--b\r\n\r\n1\r\n--b--\r\n"),
        ("Content-Type: multipart/form-data\r\n", &good),
        ("Content-Type: multipart/form-data; boundary=b; boundary=c\r\n", &good),
    ] {
        for path in ["/upload", "/any"] {
            let response = post(&demo, path, fields, content);
            assert_eq!(response.status, 400, "{path} {fields} {}", String::from_utf8_lossy(content));
            assert!(!response.text().is_empty());
        }
    }
    assert_eq!(post(&demo, "/upload", URLENCODED, "a=1").status, 400);
    let many = vec!["a=1"; 1001].join("&");
    assert_eq!(post(&demo, "/any", URLENCODED, many).status, 413);
    assert_eq!(demo.get("/plaintext").status, 200);
}

#[test]
fn form_that_is_too_large_is_413() {
    let demo = Demo::start(&["--max-request", "1000"]);
    for size in [500, 2000] {
        let content = form(&[part("; name=f; filename=x", noise(size))]);
        for path in ["/upload", "/any"] {
            let status = if size < 1000 { 200 } else { 413 };
            assert_eq!(post(&demo, path, MULTIPART, &content).status, status, "{path}");
            let mut client = demo.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{MULTIPART}\r\n"));
            client.send([format!("{:x}\r\n", content.len()).as_bytes(), &content, b"\r\n0\r\n\r\n"].concat());
            assert_eq!(client.response().status, status, "{path}, chunked");
        }
    }
}

#[test]
fn variables_and_files_are_grouped_by_field() {
    let demo = Demo::start(&[]);
    let large = noise(2_000_000);
    let content = form(&[
        part("; name=\"b\"", "2"),
        part("; name=\"a\"", "x y+%21"),
        part("; name=\"b\"", "3"),
        part("; name=\"f\"; filename=\"C:\\dir\\\u{fc}ber %22.bin\"\r\nContent-Type: image/x-noise", &large),
        part("; name=\"f\"; filename=\"../../etc/passwd\"", "small"),
        part("; name=\"none\"; filename=\"\"", ""),
    ]);
    for method in ["POST", "PUT"] {
        let report = demo.connect().request(method, "/any", MULTIPART, &content).json();
        assert_eq!(report["post"], json!({"b": ["2", "3"], "a": ["x y+%21"]}));
        let described = json!({
            "f": [
                {"filename": "\u{fc}ber \".bin", "content_type": "image/x-noise", "size": 2_000_000, "sha256": sha256(&large)},
                {"filename": "passwd", "content_type": null, "size": 5, "sha256": sha256(b"small")},
            ],
            "none": [{"filename": null, "content_type": null, "size": 0, "sha256": sha256(b"")}],
        });
        assert_eq!(report["files"], described);
        let raw = (&report["body_size"], &report["body_sha256"]);
        assert_eq!(raw, (&json!(content.len()), &json!(sha256(&content))));
    }
    let report = demo.connect().request("PATCH", "/any", MULTIPART, &content).json();
    assert_eq!((&report["post"], &report["files"]), (&json!({}), &json!({})));
    assert_eq!((&report["body_size"], &report["body_sha256"]), (&json!(content.len()), &json!(sha256(&content))));
}

#[test]
fn urlencoded_form_is_parsed_and_its_body_kept() {
    let demo = Demo::start(&[]);
    let content = "b=2&a=x+y%21&b=3&blank=&%C3%BC=%E2%82%AC";
    let report = post(&demo, "/any?a=get", URLENCODED, content).json();
    assert_eq!(report["post"], json!({"b": ["2", "3"], "a": ["x y!"], "\u{fc}": ["\u{20ac}"]}));
    assert_eq!(report["get"], json!({"a": ["get"]}));
    assert_eq!(
        (&report["body_size"], &report["body_sha256"]),
        (&json!(content.len()), &json!(sha256(content.as_bytes())))
    );
    let report = demo.connect().request("DELETE", "/any", URLENCODED, content).json();
    assert_eq!(report["post"], json!({}));
}

#[test]
fn body_larger_than_memory_is_readable() {
    let demo = Demo::start(&[]);
    let content = noise(3_000_000);
    let report = post(&demo, "/any", "", &content).json();
    assert_eq!((&report["body_size"], &report["body_sha256"]), (&json!(3_000_000), &json!(sha256(&content))));
    wait_until("nothing is left", || demo.process().temporary_files() == 0);
}

#[test]
fn raw_form_body_of_any_size_is_kept() {
    let demo = Demo::start(&[]);
    for size in [0, 1, 100_000, 256 << 10, 3_000_000] {
        let content = form(&[part("; name=a", "1"), part("; name=f; filename=x", noise(size))]);
        let mut client = demo.connect();
        client.send(format!("POST /any HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{MULTIPART}\r\n"));
        client.send([format!("{:x}\r\n", content.len()).as_bytes(), &content, b"\r\n0\r\n\r\n"].concat());
        for report in [client.response().json(), post(&demo, "/any", MULTIPART, &content).json()] {
            assert_eq!(report["files"]["f"][0]["size"], size);
            let raw = (&report["body_size"], &report["body_sha256"]);
            assert_eq!(raw, (&json!(content.len()), &json!(sha256(&content))));
        }
    }
    wait_until("nothing is left", || demo.process().temporary_files() == 0);
}

#[test]
fn aborted_upload_leaves_no_file_and_no_descriptor() {
    let demo = Demo::start(&[]);
    assert_eq!(demo.get("/plaintext").status, 200);
    let process = demo.process();
    wait_until("the connection is closed", || !process.descriptors().iter().any(|link| link.contains("(deleted)")));
    let (before, samples) = (process.descriptors().len(), demo.temporary_names());
    for path in ["/any", "/upload"] {
        for fields in [MULTIPART, "Content-Type: image/x-noise\r\n"] {
            let content = part("; name=f; filename=x", noise(3_000_000));
            let mut client = demo.connect();
            client.send(format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n{fields}\r\n"));
            if path == "/upload" && fields != MULTIPART {
                // The request is refused because of its type.
                let _ = client.try_send(&content);
            } else {
                client.send(&content);
            }
            if path == "/any" {
                // A multipart form has two files: the part and the raw body.
                let files = if fields == MULTIPART { 2 } else { 1 };
                wait_until("there are temporary files", || process.temporary_files() == files);
            }
            assert_eq!(demo.temporary_names(), samples, "it has no name");
            drop(client);
            wait_until("nothing is left", || process.temporary_files() == 0 && process.descriptors().len() <= before);
        }
    }
    let whole = form(&[part("; name=f; filename=x", noise(3_000_000))]);
    let report: Value = post(&demo, "/any", MULTIPART, whole).json();
    assert_eq!(report["files"]["f"][0]["size"], 3_000_000);
    wait_until("nothing is left", || process.temporary_files() == 0 && process.descriptors().len() <= before);
    assert_eq!(demo.temporary_names(), samples);
}

#[test]
#[cfg(target_os = "linux")]
fn connection_after_an_upload_has_one_descriptor() {
    let demo = Demo::start(&[]);
    let process = demo.process();
    let watches = || process.descriptors().iter().filter(|link| link.ends_with("[eventpoll]")).count();
    // A first request, so that the runtime has opened its own descriptors.
    demo.connect().get("/");
    let before = watches();
    let content = noise(4_000_000);
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let mut client = demo.connect();
            client.send("POST /echo-len HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n");
            client.send(&content);
            assert_eq!(client.response().body, b"4000000");
            client
        })
        .collect();
    wait_until("no peer is watched", || watches() == before);
    drop(clients);
}
