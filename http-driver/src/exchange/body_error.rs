//! Why the body of a request is not there.

use std::fmt;
use std::io;

#[cfg(doc)]
use httpants_core::forms::Limits;
use httpants_core::{CloseReason, ProtocolError};

/// Why the content of a request did not come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended first: the peer left, was too slow, or was refused.
    Closed(CloseReason),
    /// The response to the request was finished before the body was read.
    ResponseFinished,
    /// The temporary file that it is in could not be read.
    Storage(io::ErrorKind),
    /// It was that of a multipart form larger than [`Limits::memory`], of which the parts
    /// alone were kept, because [`Limits::keep_body`] did not ask for it.
    NotKept,
}

impl BodyError {
    /// What the peer did wrong, where that is the reason.
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
            Self::Closed(reason) => write!(f, "the content is incomplete: {reason}"),
            Self::ResponseFinished => f.write_str("the response was finished before the body was read"),
            Self::NotKept => f.write_str("of the form only the parts were kept, and not its raw content"),
            Self::Storage(kind) => write!(f, "the temporary file of the content could not be read: {kind}"),
        }
    }
}

impl std::error::Error for BodyError {}
