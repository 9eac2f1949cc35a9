//! Parsing of the same input in other pieces.

use crate::report::Report;
use crate::run::parse;
use crate::settings::Settings;

/// A way to split an input that changes the result, which is an error of the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// The offsets at which the input was split.
    pub cuts: Vec<usize>,
    /// The result for these pieces.
    pub report: Report,
}

/// Parses the input split at each position, and byte by byte. Returns each split that changes the
/// result; there should be none.
#[must_use]
pub fn every_cut(input: &[u8], settings: &Settings, whole: &Report) -> Vec<Difference> {
    let single = (1..input.len()).map(|cut| vec![cut]);
    let bytes = (input.len() > 2).then(|| (1..input.len()).collect());
    let reports = single.chain(bytes).map(|cuts| Difference { report: parse(input, &cuts, settings), cuts });
    reports.filter(|other| other.report != *whole).collect()
}
