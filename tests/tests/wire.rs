//! Runs every fixture of `tests/wire` in every style and split, none of which may change the
//! outcome.

// A failing test panics.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use httpants_tests::{
    End, Exchange, Fixture, Outcome, Script, Step, Style, app, cuts, expected, fixture, rows, steps, text,
};

/// One test per file, so that the test runner shows the family and runs them in parallel.
macro_rules! families {
    ($($name:ident = $file:literal;)*) => {
        const FILES: &[&str] = &[$($file),*];
        $(#[test] fn $name() { check($file) })*
    };
}

families! {
    chunk_extensions = "chunk-extensions.md";
    chunked = "chunked.md";
    content_length = "content-length.md";
    drain = "drain.md";
    end_of_stream = "end-of-stream.md";
    expect = "expect.md";
    fields = "fields.md";
    host = "host.md";
    misuse = "misuse.md";
    persistence = "persistence.md";
    pipelining = "pipelining.md";
    request_line = "request-line.md";
    responses = "responses.md";
    target = "target.md";
    time = "time.md";
    trailers = "trailers.md";
    transfer_encoding = "transfer-encoding.md";
    upgrade = "upgrade.md";
    smuggling_0_cl = "smuggling/0-cl.md";
    smuggling_chunk_extensions = "smuggling/chunk-extensions.md";
    smuggling_chunk_sizes = "smuggling/chunk-sizes.md";
    smuggling_cl_0 = "smuggling/cl-0.md";
    smuggling_cl_te = "smuggling/cl-te.md";
    smuggling_early_responses = "smuggling/early-responses.md";
    smuggling_expect = "smuggling/expect.md";
    smuggling_header_bytes = "smuggling/header-bytes.md";
    smuggling_host = "smuggling/host.md";
    smuggling_line_ends = "smuggling/line-ends.md";
    smuggling_pipelining = "smuggling/pipelining.md";
    smuggling_targets = "smuggling/targets.md";
    smuggling_te_0 = "smuggling/te-0.md";
    smuggling_te_cl = "smuggling/te-cl.md";
    smuggling_te_te = "smuggling/te-te.md";
    smuggling_trailers = "smuggling/trailers.md";
    smuggling_upgrade = "smuggling/upgrade.md";
    smuggling_versions = "smuggling/versions.md";
}

const BEFORE: &[u8] = b"GET /before HTTP/1.1\r\nHost: a\r\n\r\n";
const AFTER: &[u8] = b"GET /after HTTP/1.1\r\nHost: a\r\n\r\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wire")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn load(file: &str) -> Vec<Fixture> {
    fixture::parse(&read(&folder().join(file))).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Runs the fixtures of a file; reports all that fail, each with the first run that differs.
fn check(file: &str) {
    let failures: Vec<_> = load(file)
        .iter()
        .flat_map(|fixture| {
            let cases = fixture.inputs.iter().enumerate();
            let errors = cases.filter_map(|(count, steps)| Case { fixture, steps }.check(count == 0).err());
            errors
                .map(|error| format!("tests/wire/{file}:{} {}\n{error}", fixture.line, fixture.title))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(failures.is_empty(), "{} fail\n\n{}", failures.len(), failures.join("\n\n"));
}

/// Other tests try only pairs of nearby splits.
#[test]
#[ignore = "takes some minutes"]
fn verdicts_are_the_same_at_every_pair_of_cuts() {
    let fixtures: Vec<_> =
        FILES.iter().flat_map(|file| load(file).into_iter().map(move |fixture| (file, fixture))).collect();
    let next = AtomicUsize::new(0);
    let try_some = || {
        let mut runs = 0;
        while let Some((file, fixture)) = fixtures.get(next.fetch_add(1, Ordering::Relaxed)) {
            runs += check_every_pair_of_cuts(file, fixture);
        }
        runs
    };
    let runs: usize = thread::scope(|scope| {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let threads: Vec<_> = (0..count).map(|_| scope.spawn(try_some)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert!(runs > 100_000, "{runs} runs");
}

/// Tries all pairs of splits of a fixture; returns their number.
fn check_every_pair_of_cuts(file: &str, fixture: &Fixture) -> usize {
    let mut runs = 0;
    for steps in &fixture.inputs {
        let case = Case { fixture, steps };
        for cut in cuts::every_pair(&case.bytes()) {
            let outcome = case.run(steps, Style::LENT, &cut);
            let same = case.compare(&outcome, &fixture.events, &fixture.response, &describe_run(Style::LENT, &cut));
            same.unwrap_or_else(|error| panic!("tests/wire/{file}:{} {}\n{error}", fixture.line, fixture.title));
            runs += 1;
        }
    }
    runs
}

/// One input of a fixture.
struct Case<'a> {
    fixture: &'a Fixture,
    steps: &'a [Step],
}

impl Case<'_> {
    fn check(&self, pairs: bool) -> Result<(), String> {
        let whole = self.run(self.steps, Style::LENT, &[]);
        self.compare(&whole, &self.fixture.events, &self.fixture.response, "whole")?;
        if let Some(writes) = self.fixture.writes
            && whole.writes != writes
        {
            return Err(format!("sent in {} writes instead of {writes}", whole.writes));
        }
        self.check_cuts(pairs, whole.refusal.as_deref())?;
        self.check_neighbours(whole.end)
    }

    /// Returns all bytes that the peer sends.
    fn bytes(&self) -> Vec<u8> {
        self.steps.iter().flat_map(|step| if let Step::Bytes(b) = step { b } else { &[][..] }).copied().collect()
    }

    /// Checks every split, and every way to pass bytes. Pairs of splits are tried only with the
    /// first input of a fixture, because the others are similar.
    fn check_cuts(&self, pairs: bool, refusal: Option<&str>) -> Result<(), String> {
        let bytes = self.bytes();
        for (count, cut) in cuts::all(&bytes, pairs).iter().enumerate() {
            let styles: &[Style] = match count {
                // Whole, then byte by byte.
                0 => &[Style::LENT, Style::PUSHED, Style::TRICKLED, Style::TAKEN],
                1 => &[Style::LENT, Style::PUSHED, Style::TAKEN],
                _ if count % 3 == 0 => &[Style::LENT],
                _ if count % 3 == 1 => &[Style::PUSHED],
                _ => &[Style::TAKEN],
            };
            for &style in styles {
                let outcome = self.run(self.steps, style, cut);
                self.compare(&outcome, &self.fixture.events, &self.fixture.response, &describe_run(style, cut))?;
                if outcome.refusal.as_deref() != refusal {
                    return Err(format!(
                        "run {}: {:?} was reported, not {refusal:?}",
                        describe_run(style, cut),
                        outcome.refusal
                    ));
                }
            }
        }
        Ok(())
    }

    /// Checks requests before and after the fixture: each gets its response, unless the connection
    /// has ended.
    fn check_neighbours(&self, end: End) -> Result<(), String> {
        let fixture = self.fixture;
        if fixture.alone || end == End::HandedOver {
            return Ok(());
        }
        let age = steps::elapsed(self.steps);
        let ok = |target, age| expected::ok(target, None, age, &fixture.config);
        let events = |target: &str| [format!("request GET {target} HTTP/1.1"), "  Host: a".into(), "end".into()];

        let mut with_next = self.steps.to_vec();
        with_next.push(Step::Bytes(AFTER.to_vec()));
        let (mut next_events, mut next_response) = (fixture.events.clone(), fixture.response.clone());
        if end == End::Open {
            next_events.extend(events("/after"));
            next_response.extend(ok("/after", age));
        }
        self.check_list(&joined(&with_next), &next_events, &next_response, "with a request after it")?;

        if !fixture.configured {
            let with_first: Vec<_> = [Step::Bytes(BEFORE.to_vec())].into_iter().chain(self.steps.to_vec()).collect();
            let first_events: Vec<_> = events("/before").into_iter().chain(fixture.events.clone()).collect();
            let first_response = [ok("/before", Default::default()), fixture.response.clone()].concat();
            self.check_list(&joined(&with_first), &first_events, &first_response, "with a request before it")?;
        }
        Ok(())
    }

    fn check_list(&self, steps: &[Step], events: &[String], response: &[u8], name: &str) -> Result<(), String> {
        let every: Vec<_> = (1..steps::length(steps)).collect();
        let mut numbers = cuts::Numbers::new(7);
        let mut ways = vec![vec![], every];
        ways.extend((0..8).map(|_| vec![1 + numbers.below(steps::length(steps))]));
        for cut in ways {
            let outcome = self.run(steps, Style::LENT, &cut);
            self.compare(&outcome, events, response, &format!("{name}, {}", describe_run(Style::LENT, &cut)))?;
        }
        Ok(())
    }

    fn run(&self, steps: &[Step], style: Style, cuts: &[usize]) -> Outcome {
        let script: Script = self.fixture.script.clone();
        Exchange::new(Arc::clone(&self.fixture.config), script, style).run(steps, cuts)
    }

    fn compare(&self, outcome: &Outcome, events: &[String], response: &[u8], how: &str) -> Result<(), String> {
        if outcome.events == events && outcome.response == response {
            return Ok(());
        }
        let input: Vec<_> = self.steps.iter().map(show).collect();
        let expected = format!("{}\n--- response\n{}", events.join("\n"), text::display(response));
        let actual = format!("{}\n--- response\n{}", outcome.events.join("\n"), text::display(&outcome.response));
        Err(format!(
            "run {how}\n--- input\n{}\n--- expected events\n{expected}\n--- actual events\n{actual}",
            input.join("\n")
        ))
    }
}

/// Joins adjacent bytes to one step, like the parser of fixtures.
fn joined(steps: &[Step]) -> Vec<Step> {
    let mut list: Vec<Step> = Vec::new();
    for step in steps {
        match (list.last_mut(), step) {
            (Some(Step::Bytes(before)), Step::Bytes(bytes)) => before.extend(bytes),
            _ => list.push(step.clone()),
        }
    }
    list
}

fn show(step: &Step) -> String {
    if let Step::Bytes(bytes) = step { text::display(bytes) } else { format!("{step:?}") }
}

fn describe_run(style: Style, cut: &[usize]) -> String {
    let style = match style {
        Style::LENT => "",
        Style::PUSHED => ", pushed",
        Style::TAKEN => ", in buffers that were taken out",
        _ => ", written byte by byte",
    };
    match cut {
        [] => format!("whole{style}"),
        [1, 2, .., _] => format!("byte by byte{style}"),
        few => format!("cut at {few:?}{style}"),
    }
}

#[test]
fn every_file_is_run() {
    let names = |folder: &str| -> Vec<_> {
        let entries = std::fs::read_dir(self::folder().join(folder)).unwrap();
        entries.map(|entry| format!("{folder}{}", entry.unwrap().file_name().into_string().unwrap())).collect()
    };
    let files = [names(""), names(CORPUS)].concat();
    let files: BTreeSet<_> = files.into_iter().filter(|file| file != "README.md" && file != "smuggling").collect();
    assert_eq!(files, FILES.iter().map(|&file| file.to_owned()).collect());
}

#[test]
fn every_row_has_a_fixture_and_every_fixture_a_row() {
    let document = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md"));
    let ids = rows::ids(&document);
    let rows: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(rows.len(), ids.len(), "duplicate id");
    let fixtures: Vec<_> = FILES.iter().flat_map(|file| load(file)).collect();
    let shown: BTreeSet<_> = fixtures.iter().flat_map(|fixture| &fixture.rows).map(String::as_str).collect();
    let missing: Vec<_> = rows.difference(&shown).collect();
    let unknown: Vec<_> = shown.difference(&rows).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "rows without a fixture: {missing:?}; unknown rows: {unknown:?}");
}

/// The folder of published inputs, each with its source.
const CORPUS: &str = "smuggling/";

#[test]
fn every_published_input_has_a_source() {
    let research = read(&folder().join("README.md"));
    let advisories = read(&folder().join("../../docs/evidence/advisories.md"));
    let listed: BTreeSet<_> = advisories.lines().filter_map(advisory).collect();
    let mut named = BTreeSet::new();
    let mut count = 0;
    for file in FILES.iter().filter(|file| file.starts_with(CORPUS)) {
        for fixture in load(file) {
            let is_source = |source: &str| match source.strip_prefix("RFC ") {
                Some(section) => section.split_once(' ').is_some_and(|(number, _)| number.len() == 4),
                None if source.starts_with('"') => research.contains(&format!("\n- {source}, ")),
                None => listed.contains(source),
            };
            let wrong: Vec<_> = fixture.sources.iter().filter(|source| !is_source(source)).collect();
            assert!(!fixture.sources.is_empty() && wrong.is_empty(), "{file}: {}: {wrong:?}", fixture.title);
            count += fixture.inputs.len();
            named.extend(fixture.sources);
        }
    }
    let unnamed: Vec<_> = listed.iter().filter(|&&id| !named.contains(id)).collect();
    assert!(unnamed.is_empty(), "advisories that no input names: {unnamed:?}");
    assert!(count >= 500, "{count} inputs");
}

/// Returns the id in a line of the table of advisories.
fn advisory(line: &str) -> Option<&str> {
    let (id, _) = line.strip_prefix("| ")?.split_once(" | ")?;
    id.contains(|character: char| character.is_ascii_digit()).then_some(id)
}

#[test]
fn titles_are_unique() {
    for file in FILES {
        let fixtures = load(file);
        let titles: BTreeSet<_> = fixtures.iter().map(|fixture| &fixture.title).collect();
        assert_eq!(titles.len(), fixtures.len(), "{file}");
    }
}

/// The harness must detect a run that differs; otherwise it proves nothing.
#[test]
fn differences_are_detected() {
    let fence = "```";
    let section = |events: &str, response: &str| {
        format!(
            "## A\nrow: a\n{fence}input\nGET / HTTP/1.1\\r\\n\nHost: a\\r\\n\n\\r\\n\n{fence}\n{fence}events\n{events}\n{fence}\n{fence}response\n{response}\n{fence}\n"
        )
    };
    let passes = |events: &str, response: &str| {
        let fixtures = fixture::parse(&section(events, response)).unwrap();
        fixtures[0].inputs.iter().all(|steps| Case { fixture: &fixtures[0], steps }.check(true).is_ok())
    };
    let events = "request GET / HTTP/1.1\n  Host: a\nend";
    assert!(passes(events, "{200 \"GET /\"}"));
    assert!(!passes(events, "{200 \"GET /x\"}"));
    assert!(!passes(events, "{200 close \"GET /\"}"));
    assert!(!passes("request GET / HTTP/1.1\n  Host: a", "{200 \"GET /\"}"));
    assert!(!passes(&format!("{events}\nclosed finished"), "{200 \"GET /\"}"));
    assert!(app::parse(app::DEFAULT).is_ok());
}
