//! Tests of `corpus/cases.json`, which contains the published inputs of `tests/wire/smuggling` with
//! the verdict of the core on each, at every split. `WRITE_CORPUS=1 cargo test -p httpants-tests
//! --test published` writes it.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use httpants_parse::{Application, Event, Report, Settings, Verdict, every_cut, parse};
use httpants_tests::app::{self, Instruction};
use httpants_tests::{Fixture, Step, fixture};
use serde_json::{Value, json};

const DESCRIPTION: &str = "Published inputs of HTTP request smuggling, with their sources and the verdict of httpants. Each case is the \
    input of one connection; bytes is base64. Generated from tests/wire/smuggling; README.md has the format.";

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Returns each input with its id and its fixture, in order.
fn inputs() -> Vec<(String, String, Fixture, Vec<u8>)> {
    let entries = fs::read_dir(at("wire/smuggling")).unwrap();
    let paths: BTreeMap<_, _> = entries.map(|entry| entry.unwrap().path()).map(|path| (path.clone(), path)).collect();
    let mut inputs = Vec::new();
    for path in paths.into_values() {
        let family = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut counts = BTreeMap::new();
        for fixture in fixture::parse(&fs::read_to_string(&path).unwrap()).unwrap() {
            assert!(!fixture.configured, "{}: a case has the default configuration", fixture.title);
            for steps in &fixture.inputs {
                let bytes =
                    steps.iter().flat_map(|step| if let Step::Bytes(bytes) = step { bytes.clone() } else { vec![] });
                // Different titles may have the same slug.
                let count = counts.entry(slug(&fixture.title)).and_modify(|count| *count += 1).or_insert(1);
                let id = format!("{family}/{}/{count}", slug(&fixture.title));
                inputs.push((id, family.clone(), fixture.clone(), bytes.collect()));
            }
        }
    }
    inputs
}

/// Returns the letters and digits of a title, joined by hyphens.
fn slug(title: &str) -> String {
    let title = title.to_ascii_lowercase();
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn application(fixture: &Fixture) -> (Application, &'static str) {
    match fixture.script.as_slice() {
        [Instruction::RespondWithLine] => (Application::RespondsEarly, "responds-early"),
        script if script.iter().any(|step| matches!(step, Instruction::Upgrade(_))) => {
            (Application::Upgrades, "upgrades")
        }
        script => {
            let usual = *script == app::parse(app::DEFAULT).unwrap();
            assert!(
                usual || script.contains(&Instruction::Respond(403, httpants_core::BodyLen::Known(0))),
                "{script:?}"
            );
            (Application::Reads, "reads")
        }
    }
}

/// Compares the report with the expectations of the fixture, which are written by hand.
fn check(id: &str, fixture: &Fixture, report: &Report) {
    let refused = fixture.events.iter().find_map(|event| event.strip_prefix("closed refused: "));
    let found = report.refusal.as_ref().map(|refusal| format!("{:?}", refusal.error));
    assert_eq!(found.as_deref(), refused, "{id}");
    let requests = fixture.events.iter().filter(|event| event.starts_with("request ")).count() as u64;
    assert_eq!(report.requests, requests, "{id}");
    let line = |window: &&[u8]| window.starts_with(b"HTTP/1.") && window[8] == b' ' && window[9].is_ascii_digit();
    let responses = fixture.response.windows(13).filter(line).count();
    let interim = fixture.response.windows(12).filter(|line| *line == b"HTTP/1.1 100").count();
    assert_eq!(report.responses.len(), responses - interim, "{id}");
}

fn case(id: &str, family: &str, fixture: &Fixture, bytes: &[u8]) -> Value {
    let mut settings = Settings::default();
    let (kind, name) = application(fixture);
    settings.application = kind;
    let report = parse(bytes, &[], &settings);
    check(id, fixture, &report);
    // `tests/tests/wire.rs` tries every split of the larger inputs.
    if bytes.len() < 1000 {
        assert_eq!(every_cut(bytes, &settings, &report), [], "{id}");
    }
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let requests = report.events.iter().filter_map(|event| match event {
        Event::Request { line: [method, target, _], .. } => {
            Some(json!({ "method": text(method), "target": text(target) }))
        }
        _ => None,
    });
    let refusal = report.refusal.as_ref();
    json!({
        "id": id, "family": family, "title": fixture.title, "sources": fixture.sources, "rows": fixture.rows,
        "application": name, "bytes": STANDARD.encode(bytes), "requests": requests.collect::<Value>(),
        "verdict": report.verdict.name(), "rule": refusal.map(|refusal| refusal.error.id()),
        "status": refusal.map(|refusal| refusal.error.status().as_u16()), "offset": refusal.map(|refusal| refusal.offset),
        "responses": report.responses,
    })
}

/// Returns the file with one case in each line.
fn file() -> String {
    let cases: Vec<_> =
        inputs().iter().map(|(id, family, fixture, bytes)| case(id, family, fixture, bytes).to_string()).collect();
    format!("{{\"description\": {:?},\n\"cases\": [\n{}\n]}}\n", DESCRIPTION, cases.join(",\n"))
}

#[test]
fn corpus_matches_the_fixtures() {
    let path = at("../corpus/cases.json");
    let expected = file();
    if std::env::var_os("WRITE_CORPUS").is_some() {
        return fs::write(path, expected).unwrap();
    }
    let actual = fs::read_to_string(path).unwrap();
    for (count, (actual, expected)) in (1..).zip(actual.lines().zip(expected.lines())) {
        assert_eq!(actual, expected, "line {count} of corpus/cases.json: run this test with WRITE_CORPUS=1");
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "run this test with WRITE_CORPUS=1");
}

#[test]
fn rust_api_has_the_same_cases() {
    let inputs = inputs();
    let cases = httpants_corpus::cases();
    assert_eq!(cases.len(), inputs.len());
    for (case, (id, _, _, bytes)) in cases.iter().zip(&inputs) {
        assert_eq!((&case.id, &case.bytes), (id, bytes));
    }
}

#[test]
fn wrong_expectations_are_detected() {
    let (id, _, fixture, bytes) = inputs().into_iter().find(|(_, _, fixture, _)| fixture.events.len() == 1).unwrap();
    let mut report = parse(&bytes, &[], &Settings::default());
    assert_eq!(report.verdict, Verdict::Refused);
    report.refusal = None;
    assert!(std::panic::catch_unwind(|| check(&id, &fixture, &report)).is_err());
}
