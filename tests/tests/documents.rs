//! What `docs/pants.md` and `docs/guarantees.md` name as a proof is there.

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

/// The last cells of the tables whose last column has this heading.
fn last_cells<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let mut cells = Vec::new();
    let mut column = "";
    for line in document.lines() {
        let Some(row) = line.strip_prefix('|') else {
            column = "";
            continue;
        };
        let cell = row.trim_end_matches('|').rsplit('|').next().unwrap().trim();
        match column {
            "" => column = cell,
            _ if column == heading && !cell.starts_with("--") => cells.push(cell),
            _ => {}
        }
    }
    cells
}

/// The names in a cell: `a`, `b`.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(", ").map(move |name| {
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        name.unwrap_or_else(|| panic!("{cell}: no name of a test"))
    })
}

/// Whether there is a test of this name, whatever else is said between `#[test]` and it.
fn has_test(sources: &str, name: &str) -> bool {
    let function = format!("\nfn {name}() {{");
    sources.match_indices(&function).any(|(at, _)| {
        let attributes = sources.get(..at).unwrap().rsplit("\n}\n").next().unwrap();
        attributes.rsplit("\n\n").next().unwrap().contains("#[test]")
    }) || sources.contains(&format!("#[test]\n    fn {name}() {{"))
        // The cases of the suite are run through sockets by every adapter.
        || sources.contains(&format!("\npub fn {name}<S: Stage>() {{"))
}

#[test]
fn every_promise_is_shown_by_a_test_that_exists_or_said_to_be_not_yet() {
    let document = fs::read_to_string(at("docs/pants.md")).unwrap();
    let sources = sources(&at("demo/tests")) + &sources(&at("testkit/src/conformance/cases"));
    let proofs = last_cells(&document, "shown by");
    assert!(proofs.len() > 40, "the table is read");
    for proof in proofs.into_iter().filter(|proof| *proof != "not yet") {
        names(proof).for_each(|name| assert!(has_test(&sources, name), "there is no test {name}"));
    }
}

#[test]
fn every_guarantee_is_checked_by_something_that_exists() {
    let document = fs::read_to_string(at("docs/guarantees.md")).unwrap();
    let folders = ["http-core", "http-driver", "testkit", "adapter-tokio", "demo", "tests"];
    let sources: String = folders.iter().map(|folder| sources(&at(folder))).collect();
    let proofs = last_cells(&document, "checked by");
    assert!(proofs.len() > 50, "the tables are read");
    for name in proofs.into_iter().flat_map(names) {
        assert!(has_test(&sources, name) || name.contains('/') && at(name).exists(), "there is no {name}");
    }
}

#[test]
fn the_end_of_each_row_is_read() {
    let document =
        "text\n| a | shown by |\n|---|---|\n| `b` | `c`, `d` |\n| e | not yet |\n\n| a | b |\n|---|---|\n| c | d |\n";
    assert_eq!(last_cells(document, "shown by"), ["`c`, `d`", "not yet"]);
    assert_eq!(names("`c`, `d`").collect::<Vec<_>>(), ["c", "d"]);
}

#[test]
fn tests_are_told_from_other_functions() {
    let sources = "\n#[test]\nfn a() {\n}\n\n/// b\n#[test]\n#[ignore = \"slow\"]\nfn b() {\n}\n\nfn c() {\n}\n    #[test]\n    fn d() {\n";
    assert_eq!(["a", "b", "c", "d", "e"].map(|name| has_test(sources, name)), [true, true, false, true, false]);
}
