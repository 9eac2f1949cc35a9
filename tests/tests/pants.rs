//! `docs/pants.md`: each test that it names exists, among those that talk through real sockets.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// The text of the Rust files in this folder and below it.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let texts = entries.map(|entry| entry.unwrap().path()).map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).unwrap(),
        _ => String::new(),
    });
    texts.collect()
}

/// What the document says at the end of each row: a name, or that there is none yet.
fn proofs(document: &str) -> Vec<&str> {
    let rows = document.lines().filter(|line| line.starts_with('|'));
    let last = rows.map(|row| row.trim_end_matches('|').rsplit('|').next().unwrap().trim());
    last.filter(|cell| *cell != "shown by" && !cell.starts_with("--")).collect()
}

#[test]
fn every_promise_is_shown_by_a_test_that_exists_or_said_to_be_not_yet() {
    let document = fs::read_to_string(at("docs/pants.md")).unwrap();
    // The cases of the suite are run through sockets by every adapter.
    let sources = sources(&at("demo/tests")) + &sources(&at("http-driver/src/conformance/cases"));
    let proofs = proofs(&document);
    assert!(proofs.len() > 40, "the table is read");
    for proof in proofs {
        if proof != "not yet" {
            let name = proof.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
            let name = name.unwrap_or_else(|| panic!("{proof} is no name of a test"));
            let (before, _) = sources.split_once(&format!("\nfn {name}() {{")).unwrap_or_default();
            let is_case = sources.contains(&format!("\npub fn {name}<S: Stage>() {{"));
            // A test that needs another program is ignored, and run by .ci/run.
            let mut attributes = before.lines().rev().take_while(|line| line.starts_with("#["));
            assert!(is_case || attributes.any(|attribute| attribute == "#[test]"), "there is no test {name}");
        }
    }
}

#[test]
fn the_end_of_each_row_is_read() {
    let document = "text\n| a | shown by |\n|---|---|\n| `b` | `c` |\n| d | not yet |\n";
    assert_eq!(proofs(document), ["`c`", "not yet"]);
}
