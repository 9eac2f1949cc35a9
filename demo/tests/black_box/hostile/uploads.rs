//! Uploads that break off, and disks that take nothing.

use std::io::Write;
use std::time::Duration;

use super::{Attack, open, reset};
use crate::demo::Demo;
use crate::uploads::{MULTIPART, form, noise, part};

/// A form with a file that leaves memory, between two fields.
fn large_form() -> Vec<u8> {
    form(&[part("; name=a", "1"), part("; name=f; filename=x", noise(3_000_000)), part("; name=b", "2")])
}

fn request(fields: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{fields}\r\n", content.len());
    [head.as_bytes(), content].concat()
}

#[test]
fn an_upload_that_breaks_off_anywhere_leaves_nothing() {
    let demo = Demo::start(&[]);
    let attack = Attack::begin("uploads of 3 MB that break off at 60 places", &demo);
    let samples = demo.temporary_names();
    for fields in [MULTIPART, "Content-Type: image/x-noise\r\n"] {
        let bytes = request(fields, &large_form());
        let places = (0..24).map(|at| at * 10).chain((1..=6).map(|at| bytes.len() * at / 6 - at % 5));
        for (count, place) in places.enumerate() {
            let mut stream = open(&demo);
            stream.write_all(&bytes[..place]).unwrap();
            if count % 2 == 0 {
                reset(stream);
            }
        }
    }
    attack.end("no file, no descriptor", 12 << 10, Duration::from_secs(2));
    assert_eq!(demo.process().temporary_files(), 0);
    assert_eq!(demo.temporary_names(), samples);
}

/// Large uploads are refused where they cannot be stored, small ones are not.
fn cannot_store(name: &str, demo: &Demo, status: u16, spoil: impl FnOnce()) {
    let attack = Attack::begin(name, demo);
    spoil();
    for fields in [MULTIPART, "Content-Type: image/x-noise\r\n"] {
        let mut client = demo.connect();
        // It answers before all is sent.
        let _ = client.try_send(request(fields, &large_form()));
        let response = client.response();
        assert_eq!(response.status, status, "{}", response.text());
        assert!(client.try_response("GET").is_err() || client.is_at_end());
    }
    let small = form(&[part("; name=f; filename=x", "small")]);
    assert_eq!(demo.connect().request("POST", "/any", MULTIPART, small).status, 200);
    assert_eq!(demo.process().temporary_files(), 0);
    attack.end(&format!("{status} and a line in the log, small uploads go on"), 8 << 10, Duration::from_secs(3));
    assert!(demo.stderr().contains("ERROR"), "{}", demo.stderr());
}

#[test]
fn a_disk_that_is_full() {
    // 1,000 blocks of 512 bytes a file, and an error instead of a signal.
    let demo = Demo::limited("trap '' XFSZ; ulimit -f 1000", &["--file-root", "/"]);
    cannot_store("uploads of 3 MB to a disk that takes 0.5 MB", &demo, 507, || {});
}

#[test]
fn a_folder_that_is_gone() {
    let demo = Demo::start(&["--file-root", "/"]);
    let folder = demo.temporary().to_owned();
    cannot_store("uploads of 3 MB without a folder for them", &demo, 500, || std::fs::remove_dir(folder).unwrap());
}
