//! Test that the table of methods in the documentation of `Connection` lists each of them once.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "a test is not the core")]

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the public methods in the `impl Connection` blocks of a file.
fn methods(text: &str) -> Vec<&str> {
    let blocks = text.split("\nimpl Connection {\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("\n}\n").next().unwrap().lines());
    let signatures = lines.filter_map(|line| line.strip_prefix("    pub fn "));
    signatures.map(|signature| signature.split(['(', '<']).next().unwrap()).collect()
}

/// Returns the methods in the rows of the table.
fn named(text: &str) -> Vec<&str> {
    let rows = text.lines().filter(|line| line.starts_with("/// | "));
    rows.flat_map(|row| row.split("](Self::").skip(1)).map(|rest| rest.split(')').next().unwrap()).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn contract_lists_every_method_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connection");
    let mut files = vec![];
    sources(&folder, &mut files);
    let texts: Vec<_> = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut methods: Vec<_> = texts.iter().flat_map(|text| methods(text)).collect();
    let contract = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let mut named = named(&contract);
    assert!(methods.len() > 50, "the methods are elsewhere: {methods:?}");
    methods.sort_unstable();
    named.sort_unstable();
    assert_eq!(named, methods);
}

#[test]
fn getters_do_not_change_the_connection() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/connection");
    let contract = fs::read_to_string(folder.join("mod.rs")).unwrap();
    let getters = contract.lines().find(|line| line.starts_with("/// | getters |")).unwrap();
    let mut files = vec![];
    sources(&folder, &mut files);
    let texts: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    for getter in named(getters) {
        assert!(texts.contains(&format!("    pub fn {getter}(&self")), "{getter}");
    }
}
