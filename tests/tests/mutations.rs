//! Tests of `tests/mutations`: each fault still applies, and its test exists. `tests/mutations.py`
//! applies the faults.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// One section of a document: a title, two lines about it, and a diff.
#[derive(Debug, PartialEq)]
struct Fault {
    title: String,
    file: String,
    caught_by: String,
    old: String,
    new: String,
}

impl Fault {
    fn parse(section: &str) -> Self {
        let (title, text) = section.split_once('\n').unwrap();
        let field = |name: &str| {
            let mut values = text.lines().filter_map(|line| line.strip_prefix(name));
            values.next().unwrap_or_else(|| panic!("{title} has no {name}")).to_owned()
        };
        let (_, diff) = text.split_once("```diff\n").unwrap_or_else(|| panic!("{title} has no diff"));
        let (diff, _) = diff.split_once("\n```").unwrap();
        let side = |sign| diff.lines().filter_map(|line| line.strip_prefix(sign)).collect::<Vec<_>>().join("\n");
        let (old, new) = (side('-'), side('+'));
        Self { title: title.to_owned(), file: field("file: "), caught_by: field("caught by: "), old, new }
    }

    /// Returns whether the test named for the fault exists: as a function, or as a family of wire
    /// fixtures.
    fn is_watched(&self) -> bool {
        let (suite, test) = self.caught_by.split_once(' ').unwrap();
        let (module, name) = test.rsplit_once("::").unwrap_or(("", test));
        let module = module.trim_end_matches("::tests").replace("::", "/");
        let places = match suite {
            "lib" => vec![format!("http-core/src/{module}.rs"), format!("http-core/src/{module}/tests.rs")],
            "attributes" | "connection" | "half_close" | "handshake" | "lent" | "memory" | "refusals"
            | "replaced_refusals" | "requests" | "response_writer" | "responses" => {
                vec![format!("http-core/tests/{suite}.rs")]
            }
            _ => vec![format!("tests/tests/{suite}.rs")],
        };
        let sources: String = places.iter().filter_map(|place| fs::read_to_string(at(place)).ok()).collect();
        sources.contains(&format!("fn {name}() {{")) || sources.contains(&format!("    {name} = \""))
    }
}

fn faults() -> Vec<Fault> {
    let documents = fs::read_dir(at("tests/mutations")).unwrap().map(|entry| entry.unwrap().path());
    let documents = documents.filter(|path| path.file_name().is_some_and(|name| name != "README.md"));
    let texts: Vec<_> = documents.map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.iter().flat_map(|text| text.split("\n## ").skip(1).map(Fault::parse)).collect()
}

#[test]
fn every_fault_matches_exactly_once() {
    let faults = faults();
    for Fault { title, file, old, new, .. } in &faults {
        assert!(!old.is_empty() && old != new, "{title} changes nothing");
        let count = read(file).matches(old).count();
        assert_eq!(count, 1, "{title}: its text occurs {count} times in {file}; see tests/mutations/README.md");
    }
    let titles: BTreeSet<_> = faults.iter().map(|fault| &fault.title).collect();
    assert_eq!(titles.len(), faults.len(), "duplicate title");
}

#[test]
fn every_fault_names_an_existing_test() {
    for fault in faults() {
        assert!(fault.is_watched(), "{}: there is no test {}", fault.title, fault.caught_by);
    }
}

#[test]
fn sections_are_parsed() {
    let section = "A title\n\nfile: a.rs\ncaught by: lib a::tests::b\n\n```diff\n-a - b\n-c\n+d\n```\n";
    let [title, file, caught_by, old, new] = ["A title", "a.rs", "lib a::tests::b", "a - b\nc", "d"].map(String::from);
    assert_eq!(Fault::parse(section), Fault { title, file, caught_by, old, new });
}
