//! The error of a body that is not the expected JSON.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// The error of a body that is not the expected JSON.
///
/// Its text contains only the position, which is safe to send to the client;
/// [`source`](Error::source) is the error of serde_json, which may quote the body.
#[derive(Clone, Debug)]
pub struct JsonError(Arc<serde_json::Error>);

impl JsonError {
    pub(crate) fn new(error: serde_json::Error) -> Self {
        Self(error.into())
    }

    /// Returns the line, from 1; 0 if it is not known.
    #[must_use]
    pub fn line(&self) -> usize {
        self.0.line()
    }

    /// Returns the column, in bytes from 1; 0 at the end of a line.
    #[must_use]
    pub fn column(&self) -> usize {
        self.0.column()
    }

    /// Returns whether the body is valid JSON that does not fit the expected type.
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
