//! Errors of reading a request body.

use std::fmt;
use std::io;

#[cfg(doc)]
use httpants_core::forms::Limits;
use httpants_core::{CloseReason, ProtocolError};

/// The error of a request body that was not received or kept completely.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended first: the peer left, was too slow, or was refused.
    Closed(CloseReason),
    /// The response to the request was finished before the body was read.
    ResponseFinished,
    /// The temporary file that stores it could not be read.
    Storage(io::ErrorKind),
    /// It belongs to a multipart form larger than [`Limits::memory`], of which only the parts were
    /// kept, because [`Limits::keep_body`] is not set.
    NotKept,
}

impl BodyError {
    /// Returns the protocol error of the peer, if that is the cause.
    #[must_use]
    pub fn fault(&self) -> Option<ProtocolError> {
        match self {
            Self::Closed(CloseReason::Refused(fault)) => Some(*fault),
            _ => None,
        }
    }
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => write!(f, "incomplete body: {reason}"),
            Self::ResponseFinished => f.write_str("the response was finished before the body was read"),
            Self::NotKept => f.write_str("the raw body of the form was not kept: set keep_body to read it"),
            Self::Storage(kind) => write!(f, "cannot read the temporary file of the body: {kind}"),
        }
    }
}

impl std::error::Error for BodyError {}
