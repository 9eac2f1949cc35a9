//! Published inputs of HTTP request smuggling, each with its sources and with the verdict of
//! [httpants](https://docs.rs/httpants-core): for tests of other parsers, proxies and servers.
//!
//! The inputs were written for httpants from published advisories, research and the RFCs. Most of
//! them contain a request `GET /hidden` that only a parser with a different interpretation of the
//! bytes would find. The file `cases.json` of this package contains the same cases for other
//! languages; see the README for its format.
//!
//! ```
//! let case = httpants_corpus::cases().iter().find(|case| case.rule.as_deref() == Some("field-name")).unwrap();
//! assert_eq!((case.verdict, case.status), (httpants_corpus::Verdict::Refused, Some(400)));
//! assert!(case.bytes.windows(11).any(|part| part == b"GET /hidden"));
//! assert!(case.advisories().next().is_some());
//! ```

use std::collections::BTreeSet;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer};

/// The JSON file: an object with a description and the list `cases`.
pub const JSON: &str = include_str!("../cases.json");

/// An input and its expected result.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Case {
    /// The name of the case, which stays the same between versions unless the input changes, such
    /// as `te-te/white-space-before-the-colon/1`.
    pub id: String,
    /// The family of request smuggling, such as `cl-te`.
    pub family: String,
    /// A description of the input.
    pub title: String,
    /// The publications about such inputs: advisories (`CVE-`, `GHSA-`, `VSV`), RFC sections that
    /// determine the verdict, and titles of research in quotation marks.
    pub sources: Vec<String>,
    /// The rows of httpants' `docs/protocol.md` that the case demonstrates.
    pub rows: Vec<String>,
    /// The behaviour of the application, which may affect the result.
    pub application: Application,
    /// All bytes that the client sends.
    #[serde(deserialize_with = "base64")]
    pub bytes: Vec<u8>,
    /// The requests that are accepted, in order. The body of the last one may be refused.
    pub requests: Vec<Request>,
    /// The verdict on the whole input.
    pub verdict: Verdict,
    /// The id of the broken rule, if the input is refused.
    pub rule: Option<String>,
    /// The status of the response for that rule.
    pub status: Option<u16>,
    /// Offset in `bytes` of the refused element, if the input is refused.
    pub offset: Option<u64>,
    /// The statuses of all responses. The last one is that of the refusal, unless the response to
    /// the request had been sent.
    pub responses: Vec<u16>,
}

/// The behaviour of the application for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Application {
    /// Reads the body, then responds with 200, and to CONNECT with 405.
    Reads,
    /// Responds at once without reading the body.
    RespondsEarly,
    /// Reads the body and accepts each offer to switch protocols with 101.
    Upgrades,
}

/// The verdict on an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Verdict {
    /// The whole input consists of requests, or the connection ended normally after one of them.
    Accepted,
    /// A part of the input breaks a rule.
    Refused,
    /// The input ends inside a request.
    Incomplete,
}

/// A request that is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target as sent.
    pub target: String,
}

impl Case {
    /// Returns the advisories among its sources.
    pub fn advisories(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(String::as_str).filter(|source| is_advisory(source))
    }
}

fn is_advisory(source: &str) -> bool {
    ["CVE-", "GHSA-", "VSV"].iter().any(|prefix| source.starts_with(prefix))
}

#[derive(Deserialize)]
struct Corpus {
    cases: Vec<Case>,
}

fn base64<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    STANDARD.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

#[allow(clippy::expect_used, reason = "the file is part of this package, and tested")]
static CASES: LazyLock<Vec<Case>> =
    LazyLock::new(|| serde_json::from_str::<Corpus>(JSON).expect("cases.json is valid").cases);

/// Returns all cases.
#[must_use]
pub fn cases() -> &'static [Case] {
    &CASES
}

/// Returns the advisories on inputs that break this rule, that is, about other servers that accept
/// inputs which httpants refuses by it. Empty for an unknown id.
///
/// ```
/// assert!(httpants_corpus::advisories("content-length").contains("CVE-2021-32715"));
/// ```
#[must_use]
pub fn advisories(rule: &str) -> BTreeSet<&'static str> {
    let refused = cases().iter().filter(|case| case.rule.as_deref() == Some(rule));
    refused.flat_map(Case::advisories).collect()
}

/// Compiles and runs the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_parsed() {
        let ids: BTreeSet<_> = cases().iter().map(|case| &case.id).collect();
        assert_eq!(ids.len(), cases().len(), "ids are unique");
        assert!(cases().len() >= 789, "{}", cases().len());
        assert!(cases().iter().all(|case| !case.sources.is_empty() && !case.bytes.is_empty()));
        for case in cases() {
            let refused = case.verdict == Verdict::Refused;
            let facts = [case.rule.is_some(), case.status.is_some(), case.offset.is_some()];
            assert_eq!(facts, [refused; 3], "{}", case.id);
        }
        assert!(advisories("no-such-rule").is_empty());
    }
}
