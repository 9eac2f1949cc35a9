//! The table of docs/deploy/README.md.

use std::fs;
use std::path::{Path, PathBuf};

/// Returns the path of a file of docs/deploy.
pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/deploy").join(name)
}

/// A file of docs/deploy whose ports and paths are replaced.
pub(super) struct Configuration(pub(super) String);

impl Configuration {
    pub(super) fn read(name: &str) -> Self {
        Self(fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}")))
    }

    /// Replaces each occurrence of a text, which must occur.
    pub(super) fn with(self, from: &str, to: &str) -> Self {
        assert!(self.0.contains(from), "{from} is not in the file:\n{}", self.0);
        Self(self.0.replace(from, to))
    }
}

/// Returns the rows of the table: the name of each, and the text of its cell in this column without
/// a remark in parentheses.
pub(super) fn column(name: &str) -> Vec<(String, String)> {
    let document = fs::read_to_string(path("README.md")).unwrap();
    let cells =
        |line: &str| -> Vec<String> { line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect() };
    let mut lines = document.lines().skip_while(|line| !line.starts_with("| measured |"));
    let at = cells(lines.next().unwrap()).iter().position(|known| known == name).unwrap();
    let rows = lines.skip(1).take_while(|line| line.starts_with('|')).map(cells);
    rows.map(|row| (row[0].clone(), row[at].split(" (").next().unwrap().to_owned())).collect()
}
