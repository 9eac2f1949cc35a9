//! The error of invalid secrets.

use core::fmt;

/// The error of secrets that cannot form a [`KeyRing`](super::KeyRing). It is an error of the
/// caller, never of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no secret.
    NoSecret,
    /// A secret is empty.
    EmptySecret,
    /// The secret in this line, counted from 1, has fewer than 32 characters.
    TooShort {
        /// The number of the line, from 1.
        line: usize,
    },
    /// The secret in this line, counted from 1, has bytes other than printable ASCII characters.
    NotText {
        /// The number of the line, from 1.
        line: usize,
    },
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const EXPECTED: &str =
            "expected at least 32 printable characters, such as the output of openssl rand -base64 32";
        match self {
            Self::NoSecret => f.write_str("a key ring needs at least one secret"),
            Self::EmptySecret => f.write_str("a cookie secret must not be empty; 32 random bytes are a good one"),
            Self::TooShort { line } => write!(f, "the cookie secret in line {line} is too short: {EXPECTED}"),
            Self::NotText { line } => write!(f, "the cookie secret in line {line} is not text: {EXPECTED}"),
        }
    }
}

impl core::error::Error for KeyError {}

/// Converts into an error of the kind `InvalidInput`, so that a `main` that returns
/// `std::io::Result` can use `?`.
impl From<KeyError> for std::io::Error {
    fn from(error: KeyError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}
