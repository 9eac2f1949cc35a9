//! Tests of the rule ids in `docs/protocol.md`: they are the ids in the code, and each verdict
//! names the rules of its fixtures.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use httpants_core::ProtocolError;
use httpants_tests::{fixture, rows};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn document() -> String {
    fs::read_to_string(at("../docs/protocol.md")).unwrap()
}

/// Returns the cells of a row of a table; `\|` does not end a cell.
fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.strip_prefix("| ")?.strip_suffix(" |")?;
    Some(row.split(" | ").collect())
}

/// Returns the status and the rules of a verdict that begins like "400 `a`, `b`".
fn refusal(verdict: &str) -> Option<(u16, Vec<&str>)> {
    let (status, mut rest) = verdict.split_once(" `")?;
    let status = status.parse().ok()?;
    let mut ids = Vec::new();
    while let Some((id, tail)) = rest.split_once('`') {
        ids.push(id);
        let Some(next) = tail.strip_prefix(", `") else { break };
        rest = next;
    }
    Some((status, ids))
}

/// Returns the verdict of each row.
fn verdicts(document: &str) -> BTreeMap<&str, &str> {
    let rows = document.lines().filter_map(cells).filter(|cells| cells.len() == 4);
    let ids: BTreeSet<_> = rows::ids(document).into_iter().collect();
    rows.filter_map(|cells| Some((*ids.get(cells[0].trim_matches('`'))?, cells[2]))).collect()
}

/// Returns the rows of each fixture, and the rule for which it is refused, if any.
fn fixtures() -> Vec<(Vec<String>, Option<&'static str>)> {
    let folders = ["wire", "wire/smuggling"].map(|folder| fs::read_dir(at(folder)).unwrap());
    let paths = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = paths.filter(|path| path.extension().is_some_and(|e| e == "md") && !path.ends_with("README.md"));
    files.flat_map(|path| fixture::parse(&fs::read_to_string(path).unwrap()).unwrap()).map(shown).collect()
}

fn shown(fixture: fixture::Fixture) -> (Vec<String>, Option<&'static str>) {
    let fault = fixture.events.iter().find_map(|event| event.strip_prefix("closed refused: "));
    let rule = |fault: &str| ProtocolError::ALL.iter().find(|known| format!("{known:?}") == fault).unwrap().id();
    (fixture.rows, fault.map(rule))
}

#[test]
fn table_of_refusals_matches_the_code() {
    let document = document();
    let (_, table) = document.split_once("\n## Refusals\n").unwrap();
    let rows: Vec<_> = table.split("\n## ").next().unwrap().lines().filter_map(cells).skip(1).collect();
    let expected = ProtocolError::ALL.iter().map(|fault| {
        let has_response = *fault != ProtocolError::ProxyHeader;
        let status = if has_response { fault.status().as_str().to_owned() } else { "-".to_owned() };
        let section = fault.section().unwrap_or("RFC -");
        let text = fault.rule().strip_suffix(&format!(" ({section})")).unwrap_or(fault.rule());
        [status, format!("`{}`", fault.id()), text.to_owned(), section.replace("RFC ", "")]
    });
    assert_eq!(rows, expected.collect::<Vec<_>>());
}

#[test]
fn each_rule_is_used_by_a_verdict() {
    let document = document();
    let verdicts = verdicts(&document);
    let named: BTreeSet<_> =
        verdicts.values().filter_map(|verdict| refusal(verdict)).flat_map(|(_, ids)| ids).collect();
    // These errors occur before HTTP begins, which has no rows with ids.
    let before = [ProtocolError::ProxyHeader, ProtocolError::PlainRequest].map(ProtocolError::id);
    let all: BTreeSet<_> = ProtocolError::ALL.iter().map(|fault| fault.id()).collect();
    let missing: Vec<_> = all.difference(&named).filter(|id| !before.contains(id)).collect();
    let unknown: Vec<_> = named.difference(&all).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "not named: {missing:?}; unknown: {unknown:?}");
    assert!(before.iter().all(|id| document.matches(&format!("`{id}`")).count() > 1), "named beside the table");
}

#[test]
fn refusing_verdicts_list_the_rules_of_their_fixtures() {
    let document = document();
    let verdicts = verdicts(&document);
    let fixtures = fixtures();
    let statuses: BTreeSet<_> = ProtocolError::ALL.iter().map(|fault| fault.status().as_u16()).collect();
    let mut refusing = 0;
    for (row, verdict) in &verdicts {
        let first = verdict.split([' ', ',', ';']).next().unwrap().parse::<u16>();
        let Some((status, ids)) = refusal(verdict) else {
            assert!(first.is_err() || !statuses.contains(&first.unwrap()), "{row} names no rule: {verdict}");
            continue;
        };
        refusing += 1;
        let of_row = || fixtures.iter().filter(|(rows, _)| rows.iter().any(|name| name == row));
        for id in &ids {
            let fault = ProtocolError::ALL.iter().find(|fault| fault.id() == *id);
            assert_eq!(fault.map(|fault| fault.status().as_u16()), Some(status), "{row}: {id}");
            assert!(of_row().any(|(_, rule)| *rule == Some(*id)), "{row}: no fixture is refused for {id}");
        }
        let own = of_row().filter(|(rows, _)| rows.len() == 1).filter_map(|(_, rule)| *rule);
        own.for_each(|rule| assert!(ids.contains(&rule), "{row}: a fixture is refused for {rule}"));
    }
    assert!(refusing > 50, "{refusing} verdicts refuse");
}

#[test]
fn ids_are_read_from_verdicts() {
    assert_eq!(refusal("400 `a-b`, `c`; a `d`"), Some((400, vec!["a-b", "c"])));
    assert_eq!(refusal("413 `a`, before `b`"), Some((413, vec!["a"])));
    assert_eq!(refusal("as `upgrade-101`; 501 if"), None);
    assert_eq!(refusal("503"), None);
}
