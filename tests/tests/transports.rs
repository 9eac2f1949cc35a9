//! Runs every fixture of `tests/wire` over the transport of each adapter.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::Path;

use httpants_testkit::conformance::{InMemory, Sockets, Stage};
use httpants_tests::transport::{self, Tally};
use httpants_tests::{Fixture, fixture};

/// Returns all fixtures of a folder and those below it, in the order of their files.
fn fixtures(folder: &Path) -> Vec<Fixture> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let fixtures =
        entries.iter().filter(|entry| !entry.ends_with("README.md")).flat_map(|entry| match entry.is_dir() {
            true => fixtures(entry),
            false => fixture::parse(&std::fs::read_to_string(entry).unwrap()).unwrap(),
        });
    fixtures.collect()
}

fn run_fixtures<S: Stage>() {
    let mut tally = Tally::default();
    for fixture in fixtures(&Path::new(env!("CARGO_MANIFEST_DIR")).join("wire")) {
        transport::run_fixture::<S>(&fixture, &mut tally);
    }
    let Tally { inputs, skipped, failures } = &tally;
    println!("{inputs} inputs run; skipped: {skipped:#?}");
    assert!(failures.is_empty(), "{} fail\n\n{}", failures.len(), failures.join("\n\n"));
    let skipped: usize = skipped.values().sum();
    assert!(*inputs > 950 && skipped < inputs / 9, "{inputs} inputs run, {skipped} skipped");
}

#[test]
fn fixtures_pass_in_memory() {
    run_fixtures::<InMemory>();
}

#[test]
fn fixtures_pass_on_tokio() {
    run_fixtures::<Sockets<httpants_tokio::Tokio>>();
}

#[test]
fn fixtures_pass_on_smol() {
    run_fixtures::<Sockets<httpants_smol::Smol>>();
}

#[test]
fn fixtures_pass_on_async_std() {
    run_fixtures::<Sockets<httpants_async_std::AsyncStd>>();
}
