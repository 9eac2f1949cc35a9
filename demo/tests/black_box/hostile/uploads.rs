//! Tests of aborted uploads.

use std::io::Write;
use std::time::Duration;

use super::{Attack, open, reset};
use crate::demo::Demo;
use crate::uploads::{MULTIPART, form, noise, part};

/// Returns a form with a file that does not stay in memory, between two fields.
pub(super) fn large_form() -> Vec<u8> {
    form(&[part("; name=a", "1"), part("; name=f; filename=x", noise(3_000_000)), part("; name=b", "2")])
}

pub(super) fn request(fields: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("POST /any HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n{fields}\r\n", content.len());
    [head.as_bytes(), content].concat()
}

#[test]
fn upload_aborted_anywhere_leaves_no_file() {
    let demo = Demo::start(&[]);
    let attack = Attack::begin("uploads of 3 MB aborted at 60 positions", &demo);
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

/// Files over the memory limit of a form are stored in temporary files, however small they are.
#[test]
fn files_of_forms_leave_descriptors_for_others() {
    let demo = Demo::limited("ulimit -n 64", &["--max-request", "100000000"]);
    let large = vec![b'x'; 256 << 10];
    let files = |count| {
        let content = |number| if number < 40 { &large[..] } else { b"x" };
        form(&(0..count).map(|number| part("; name=f; filename=x", content(number))).collect::<Vec<_>>())
    };
    // This upload has 12 temporary files, and does not end.
    let waiting = request(MULTIPART, &files(52));
    let mut first = open(&demo);
    first.write_all(&waiting[..waiting.len() - 1]).unwrap();
    assert_eq!(demo.connect().request("POST", "/any", MULTIPART, files(200)).status, 507);
    assert_eq!(demo.connect().request("POST", "/any", MULTIPART, large_form()).status, 200);
    assert!(!demo.stderr().contains("Too many open files"), "{}", demo.stderr());
}
