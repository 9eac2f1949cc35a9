//! What an adapter may hold: little code, and nothing of the protocol.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

const ADAPTERS: [&str; 3] = ["adapter-tokio", "adapter-smol", "adapter-async-std"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The lines that are neither blank nor comments, without tests.
fn code(folder: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for file in fs::read_dir(root().join(folder).join("src")).unwrap().map(|entry| entry.unwrap().path()) {
        if !file.ends_with("tests.rs") {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
            lines.extend(code.map(str::to_owned));
        }
    }
    lines
}

#[test]
fn adapters_are_small_and_know_no_protocol() {
    for adapter in ADAPTERS {
        let code = code(adapter);
        assert!((20..=300).contains(&code.len()), "{adapter} has {} lines of code", code.len());
        for line in &code {
            let text = line.to_lowercase().replace("httpants", "");
            for word in ["http", "header", "request", "response", "method", "chunk", "cookie", "status"] {
                assert!(!text.contains(word), "{adapter}: {line}");
            }
        }
    }
}

#[test]
fn the_readme_says_how_many_lines_there_are() {
    let counts = ADAPTERS.map(|adapter| code(adapter).len().to_string()).join(" | ");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains(&format!("| lines of code | {counts} |")), "they are {counts}");
}
