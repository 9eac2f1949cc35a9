//! Tests of the documents: the tests that they name exist, their links have targets, and the book
//! is complete.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Returns the text of the Rust files in this folder and below it.
fn sources(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let texts = entries.map(|entry| entry.unwrap().path()).map(|path| match path.extension() {
        _ if path.is_dir() => sources(&path),
        Some(extension) if extension == "rs" => fs::read_to_string(&path).unwrap(),
        _ => String::new(),
    });
    texts.collect()
}

/// Returns the last cells of the tables whose last column has this heading.
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

/// Returns the names in a cell: `a`, `b`.
fn names(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(", ").map(move |name| {
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'));
        name.unwrap_or_else(|| panic!("{cell}: no name of a test"))
    })
}

/// Returns whether there is a test of this name, with any attributes.
fn has_test(sources: &str, name: &str) -> bool {
    let function = format!("\nfn {name}() {{");
    sources.match_indices(&function).any(|(at, _)| {
        let attributes = sources.get(..at).unwrap().rsplit("\n}\n").next().unwrap();
        attributes.rsplit("\n\n").next().unwrap().contains("#[test]")
    }) || sources.contains(&format!("#[test]\n    fn {name}() {{"))
        // Cases of the behaviour suite are run through sockets by every adapter.
        || sources.contains(&format!("\npub fn {name}<S: Stage>() {{"))
}

#[test]
fn pants_features_name_existing_tests() {
    let document = fs::read_to_string(at("docs/pants.md")).unwrap();
    let sources = sources(&at("demo/tests")) + &sources(&at("testkit/src/conformance/cases"));
    let proofs = last_cells(&document, "shown by");
    assert!(proofs.len() > 40, "the table is read");
    for proof in proofs.into_iter().filter(|proof| *proof != "not yet") {
        names(proof).for_each(|name| assert!(has_test(&sources, name), "there is no test {name}"));
    }
}

#[test]
fn guarantees_name_existing_tests_and_files() {
    let document = fs::read_to_string(at("docs/evidence/guarantees.md")).unwrap();
    let folders = ["http-core", "http-driver", "testkit", "adapter-tokio", "demo", "tests"];
    let sources: String = folders.iter().map(|folder| sources(&at(folder))).collect();
    let proofs = last_cells(&document, "checked by");
    assert!(proofs.len() > 50, "the tables are read");
    for name in proofs.into_iter().flat_map(names) {
        assert!(has_test(&sources, name) || name.contains('/') && at(name).exists(), "there is no {name}");
    }
}

#[test]
fn last_cells_of_rows_are_read() {
    let document =
        "text\n| a | shown by |\n|---|---|\n| `b` | `c`, `d` |\n| e | not yet |\n\n| a | b |\n|---|---|\n| c | d |\n";
    assert_eq!(last_cells(document, "shown by"), ["`c`, `d`", "not yet"]);
    assert_eq!(names("`c`, `d`").collect::<Vec<_>>(), ["c", "d"]);
}

#[test]
fn tests_are_distinguished_from_other_functions() {
    let sources = "\n#[test]\nfn a() {\n}\n\n/// b\n#[test]\n#[ignore = \"slow\"]\nfn b() {\n}\n\nfn c() {\n}\n    #[test]\n    fn d() {\n";
    assert_eq!(["a", "b", "c", "d", "e"].map(|name| has_test(sources, name)), [true, true, false, true, false]);
}

/// Returns the Markdown files of the project, without build output and fuzz corpora.
fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_source = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        // `book` is the output of mdBook.
        !name.starts_with('.') && !matches!(name.as_ref(), "target" | "corpus" | "found" | "book")
    };
    let documents = paths.filter(is_source).flat_map(|path| match path.extension() {
        _ if path.is_dir() => documents(&path),
        Some(extension) if extension == "md" => vec![path],
        _ => vec![],
    });
    documents.collect()
}

/// Returns the targets of the links of a document that are not URLs: the file, which is empty for
/// this document, and the anchor.
fn links(document: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let targets = document.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets
        .filter(|target| !target.contains("://") && !target.contains(char::is_whitespace))
        .map(|target| target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor))))
}

/// Returns the anchors of the headings of a document, as generated by mdBook and others.
fn anchors(document: &str) -> Vec<String> {
    let mut is_code = false;
    let headings = document.lines().filter_map(|line| {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if is_code || heading.len() == line.len() { None } else { heading.strip_prefix(' ') }
    });
    let anchor = |heading: &str| {
        let kept = heading.chars().filter(|kept| kept.is_alphanumeric() || matches!(kept, ' ' | '-' | '_'));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(anchor).collect()
}

#[test]
fn relative_links_lead_to_existing_files_and_headings() {
    let documents = documents(&at("."));
    assert!(documents.len() > 20, "{documents:?}");
    let mut count = 0;
    for path in documents {
        let text = fs::read_to_string(&path).unwrap();
        for (file, anchor) in links(&text) {
            count += 1;
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: there is no {file}", path.display());
            if let Some(anchor) = anchor.filter(|_| target.extension().is_some_and(|extension| extension == "md")) {
                let anchors = anchors(&fs::read_to_string(&target).unwrap());
                assert!(anchors.iter().any(|known| known == anchor), "{}: {file} has no {anchor}", path.display());
            }
        }
    }
    assert!(count > 50, "{count} links were found");
}

/// Returns the pages of the book, with their paths below `docs`.
fn pages() -> Vec<(String, String)> {
    let folder = at("docs");
    let pages = documents(&folder).into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(&folder).unwrap().to_string_lossy().replace('\\', "/"), text)
    });
    pages.filter(|(path, _)| path != "SUMMARY.md").collect()
}

#[test]
fn each_page_is_listed_once_in_the_summary() {
    let summary = fs::read_to_string(at("docs/SUMMARY.md")).unwrap();
    let listed: Vec<_> = links(&summary).map(|(file, _)| file).collect();
    for (page, text) in pages() {
        assert_eq!(listed.iter().filter(|listed| **listed == page).count(), 1, "docs/SUMMARY.md and {page}");
        assert!(text.starts_with("# "), "{page} begins with its title");
    }
}

#[test]
fn each_program_in_the_book_is_compiled() {
    let compiled = fs::read_to_string(at("tests/src/book.rs")).unwrap();
    let mut count = 0;
    // The guide to runtimes quotes programs, which `http-driver/tests/polled.rs` compares.
    for (page, text) in pages().into_iter().filter(|(page, _)| page != "custom-runtime.md") {
        let fences = text.lines().filter_map(|line| line.trim_start().strip_prefix("```"));
        let programs: Vec<_> = fences.filter(|fence| fence.starts_with("rust")).collect();
        assert!(programs.iter().all(|fence| matches!(*fence, "rust" | "rust,no_run")), "{page}: {programs:?}");
        let is_listed = compiled.contains(&format!("\"{page}\""));
        assert_eq!(is_listed, !programs.is_empty(), "tests/src/book.rs and {page}");
        count += programs.len();
    }
    assert!(count > 30, "{count} programs were found");
}

#[test]
fn each_example_is_explained_in_the_book() {
    let book: String = pages().into_iter().map(|(_, text)| text).collect();
    for entry in fs::read_dir(at("examples/src/bin")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(book.contains(&format!("examples/src/bin/{})", name.display())), "no page links {}", name.display());
    }
}

#[test]
fn performance_figures_match_the_results() {
    let results = fs::read_to_string(at("bench/RESULTS.md")).unwrap();
    // The figures are searched from this text to the next heading: before it, the README has
    // version numbers.
    for (path, from, figures) in [("README.md", "![Server CPU", 3), ("docs/explanation/speed.md", "# ", 40)] {
        let text = fs::read_to_string(at(path)).unwrap();
        let text = text.split_once(from).unwrap().1.split("\n## ").next().unwrap();
        let numbers = text.split(|part: char| !part.is_ascii_digit() && part != '.' && part != ',');
        let is_figure = |number: &&str| {
            let parts = number.trim_matches(['.', ',']).split_once('.');
            parts.is_some_and(|(_, part)| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let found: Vec<_> = numbers.filter(is_figure).map(|number| number.trim_matches(['.', ','])).collect();
        assert!(found.len() >= figures, "{path}: {found:?}");
        for figure in found {
            assert!(results.contains(figure), "{path}: {figure} is not in bench/RESULTS.md");
        }
    }
}

#[test]
fn options_in_the_documents_are_listed_in_the_help() {
    let pages: String = pages().into_iter().map(|(_, text)| text).collect();
    let readme = fs::read_to_string(at("README.md")).unwrap() + &pages;
    let help = fs::read_to_string(at("demo/src/options.rs")).unwrap();
    let commands = readme.split('`').filter_map(|code| Some(code.split_once("cargo run --release -- ")?.1));
    let options: Vec<_> =
        commands.flat_map(str::split_whitespace).filter(|word| word.starts_with("--")).map(str::to_owned).collect();
    assert!(!options.is_empty(), "no option is mentioned");
    for option in options {
        assert!(help.contains(&format!("{option} ")) || help.contains(&format!("{option}\n")), "there is no {option}");
    }
}

#[test]
fn links_are_found_without_urls() {
    let document = "[a](b.md) [c](https://d) [e](#f) [g](h/i.md#j)";
    assert_eq!(links(document).collect::<Vec<_>>(), [("b.md", None), ("", Some("f")), ("h/i.md", Some("j"))]);
    assert_eq!(anchors("# A b\n```\n# c\n```\n## D: e-f, `g`\n"), ["a-b", "d-e-f-g"]);
}
