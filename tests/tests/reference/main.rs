//! The pages of the book that are generated from the code. A test fails if a page differs;
//! `UPDATE_REFERENCE=1 cargo test -p httpants-tests --test reference` writes them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod debug;
mod errors;
mod settings;
mod source;
mod states;

use std::path::{Path, PathBuf};
use std::{env, fs};

fn at(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Compares a file with its generated text, or writes it.
fn check(path: &str, generated: &str) {
    let file = at(path);
    if env::var_os("UPDATE_REFERENCE").is_some() {
        fs::write(&file, generated).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    if written != generated {
        let lines = generated.lines().zip(written.lines());
        let differing = lines.filter(|(generated, written)| generated != written).take(3).collect::<Vec<_>>();
        panic!(
            "{path} differs from the code: run UPDATE_REFERENCE=1 cargo test -p httpants-tests --test reference\n\
             the first differences, generated and written: {differing:#?}"
        );
    }
}

/// Returns a table in Markdown; `|` in cells is escaped.
fn table(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&columns.iter().map(ToString::to_string).collect::<Vec<_>>());
    text += &format!("|{}\n", "---|".repeat(columns.len()));
    for row in rows {
        assert_eq!(row.len(), columns.len(), "{row:?}");
        text += &line(&row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>());
    }
    text
}

#[test]
fn settings_page_is_current() {
    check("docs/reference/settings.md", &settings::page());
}

#[test]
fn errors_page_is_current() {
    check("docs/reference/errors.md", &errors::page());
}

#[test]
fn options_page_is_current() {
    check("docs/reference/demo.md", &settings::demo_page());
}

#[test]
fn picture_of_states_is_current() {
    check("docs/explanation/states.svg", &states::picture());
    check("docs/reference/states.md", &states::page());
}
