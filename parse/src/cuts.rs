//! The same input in other pieces.

use crate::report::Report;
use crate::run::parse;
use crate::settings::Settings;

/// A way to split an input that changes what is found in it: an error of the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// Where the input was split.
    pub cuts: Vec<usize>,
    /// What was found then.
    pub report: Report,
}

/// Parses the input split at each position, and byte by byte; returns each split that changes what
/// is found. There should be none.
#[must_use]
pub fn every_cut(input: &[u8], settings: &Settings, whole: &Report) -> Vec<Difference> {
    let single = (1..input.len()).map(|cut| vec![cut]);
    let bytes = (input.len() > 2).then(|| (1..input.len()).collect());
    let reports = single.chain(bytes).map(|cuts| Difference { report: parse(input, &cuts, settings), cuts });
    reports.filter(|other| other.report != *whole).collect()
}
