//! Test that the core does no IO and uses neither clocks nor randomness, because its source
//! contains no names of such items.
#![cfg(test)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "a test is not the core")]

use std::fs;
use std::path::{Path, PathBuf};

/// Names that no line of the core may contain, except comments and tests. `clippy.toml` forbids the
/// same items under other names.
const IMPURE: [&str; 37] = [
    "std::fs",
    "std::io;",
    "std::io::{",
    "std::io::Read",
    "std::io::Write",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::sync::Condvar",
    "std::sync::mpsc",
    "std::task",
    "core::task",
    "std::future",
    "core::future",
    "TcpListener",
    "TcpStream",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "ToSocketAddrs",
    "Instant",
    "SystemTime::now",
    "elapsed()",
    "async fn",
    "async move",
    "Waker",
    "Poll<",
    "thread_local!",
    "RandomState",
    "HashMap",
    "HashSet",
    "println!",
    "dbg!",
    "unsafe ",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
        match path.is_dir() {
            _ if is_test => {}
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Returns the code of a file: its unit tests are at the end, after `#[cfg(test)]`.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

#[test]
fn core_uses_no_io_clock_or_randomness() {
    let mut files = vec![];
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 20, "the sources are elsewhere: {files:?}");
    let mut found = vec![];
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in code(&text) {
            for name in IMPURE.iter().filter(|name| line.contains(*name)) {
                found.push(format!("{}:{}: {name}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn search_skips_comments_and_tests() {
    let text = "// std::fs\nuse std::fs;\n#[cfg(test)]\nuse std::io;\n";
    let lines: Vec<_> = code(text).collect();
    assert_eq!(lines, [(1, "use std::fs;")]);
}
