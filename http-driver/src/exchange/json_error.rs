//! Why a body is not the JSON that was asked for.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why JSON was not what was asked for.
///
/// It shows where, which is safe to send to the client; [`source`](Error::source) is
/// serde_json's own error, which may quote what the client sent.
#[derive(Clone, Debug)]
pub struct JsonError(Arc<serde_json::Error>);

impl JsonError {
    pub(crate) fn new(error: serde_json::Error) -> Self {
        Self(error.into())
    }

    /// The line, from 1; 0 where it is not known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// The column, in bytes from 1; 0 at the end of a line.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column()
    }

    /// Whether it is JSON, but does not fit the type that was asked for.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.0.is_data()
    }
}

impl PartialEq for JsonError {
    fn eq(&self, other: &Self) -> bool {
        let parts = |error: &Self| (error.line(), error.column(), error.0.classify());
        parts(self) == parts(other)
    }
}

impl Eq for JsonError {}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_data() { "the JSON does not fit" } else { "invalid JSON" };
        write!(f, "{what}: line {}, column {}", self.line(), self.column())
    }
}

impl Error for JsonError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}
