//! What is wrong with secrets.

use core::fmt;

/// Secrets that make no [`KeyRing`](super::KeyRing). It is the caller's fault, never the peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// There is no secret.
    NoSecret,
    /// A secret is empty.
    EmptySecret,
    /// The secret in this line, from 1, has fewer than 32 characters.
    TooShort {
        /// The line.
        line: usize,
    },
    /// The secret in this line, from 1, has bytes that are no printable ASCII characters.
    NotText {
        /// The line.
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

/// Is of the kind `InvalidInput`, so that a `main` that returns `std::io::Result` can use `?`.
impl From<KeyError> for std::io::Error {
    fn from(error: KeyError) -> Self {
        Self::new(std::io::ErrorKind::InvalidInput, error)
    }
}
