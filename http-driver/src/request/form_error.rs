//! The error of a form that is read as it arrives.

use std::fmt;

use httpants_core::forms::ParseFormError;

use crate::exchange::BodyError;

/// The error of a form that is read part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormError {
    /// The form is malformed or exceeds a limit.
    Form(ParseFormError),
    /// The body is incomplete.
    Body(BodyError),
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
