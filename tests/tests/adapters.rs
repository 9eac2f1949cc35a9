//! Test that an adapter contains little code and no HTTP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

const ADAPTERS: [&str; 3] = ["adapter-tokio/src", "adapter-smol/src", "adapter-async-std/src"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the lines of a file that are neither blank nor comments.
fn lines(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.map(str::to_owned).collect()
}

/// Returns the code lines of the files in a folder, except those that are left out.
fn code(folder: &str, left_out: &[&str]) -> Vec<String> {
    let files = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| !left_out.iter().any(|name| file.ends_with(name)));
    files.flat_map(|file| lines(&file)).collect()
}

#[test]
fn adapters_are_small_and_contain_no_http() {
    for adapter in ADAPTERS {
        // Code for tests of applications is not part of the server.
        let server = code(adapter, &["tests.rs", "testing.rs"]).len();
        assert!((20..=350).contains(&server), "{adapter} has {server} lines of code");
        for line in &code(adapter, &["tests.rs"]) {
            let text = line.to_lowercase().replace("httpants", "");
            for word in ["http", "header", "request", "response", "method", "chunk", "cookie", "status"] {
                assert!(!text.contains(word), "{adapter}: {line}");
            }
        }
    }
}
