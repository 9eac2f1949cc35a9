//! The error of a form that is read while it is received.

use std::fmt;

use http::StatusCode;
use httpants_core::forms::ParseFormError;

use crate::exchange::BodyError;

/// The error of a form that is read part by part. It converts into the response.
///
/// ```
/// use httpants_driver::{BodyError, FormError};
///
/// assert_eq!(FormError::from(BodyError::ContentEncoding).status(), 415);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// The form is malformed or exceeds a limit.
    Form(ParseFormError),
    /// The body is incomplete.
    Body(BodyError),
}

impl FormError {
    /// Returns the status of the response to this error, which is that of its cause.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Form(fault) => fault.status(),
            Self::Body(error) => error.status(),
        }
    }
}

impl fmt::Display for FormError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(fault) => fault.fmt(f),
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FormError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Form(fault) => fault.source(),
            Self::Body(error) => error.source(),
        }
    }
}

impl From<ParseFormError> for FormError {
    fn from(fault: ParseFormError) -> Self {
        Self::Form(fault)
    }
}

impl From<BodyError> for FormError {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}
