//! Errors of reading a request body.

use std::fmt;
use std::io;

use http::StatusCode;
#[cfg(doc)]
use httpants_core::forms::FormLimits;
use httpants_core::{CloseReason, ProtocolError};

#[cfg(feature = "json")]
use super::JsonError;

/// The error of a request body that was not received or kept completely, or is not in the requested
/// format.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The connection ended first: the peer disconnected, was too slow, or was refused.
    Closed(CloseReason),
    /// The response to the request was finished before the body was read.
    ResponseFinished,
    /// The temporary file that stores the body could not be read.
    Storage(io::ErrorKind),
    /// The body is a multipart form larger than [`FormLimits::memory`], of which only the parts
    /// were kept, because [`FormLimits::keep_body`] is not set.
    NotKept,
    /// Pieces of the body were read before, so it cannot be returned as a whole.
    Taken,
    /// The Content-Type of the body is malformed, repeated, or not the expected one: 415.
    ContentType {
        /// The media type that was expected.
        expected: &'static str,
    },
    /// The Content-Type of the body names a charset that is not supported: 415.
    Charset,
    /// The body has a Content-Encoding other than identity: 415.
    ContentEncoding,
    /// The body is not valid in its Content-Encoding, or is incomplete: 400.
    Coding,
    /// The decoded body is larger than allowed, or larger than the received one by more than the
    /// allowed ratio: 413.
    DecodedTooLarge,
    /// The body is not valid in its charset: 400.
    InvalidText,
    /// The body is not JSON, or does not fit the requested type: 400.
    #[cfg(feature = "json")]
    Json(JsonError),
}

impl BodyError {
    /// Returns the status of the response to this error: that of
    /// [`protocol_error`](Self::protocol_error), 400 if the body was cut off, 415 or 400 if it is
    /// not in the requested format, and 500 if the application or the system failed.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Storage(_) | Self::NotKept | Self::Taken => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ContentType { .. } | Self::Charset | Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::InvalidText | Self::Coding => StatusCode::BAD_REQUEST,
            Self::DecodedTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            #[cfg(feature = "json")]
            Self::Json(_) => StatusCode::BAD_REQUEST,
            Self::Closed(_) | Self::ResponseFinished => {
                self.protocol_error().map_or(StatusCode::BAD_REQUEST, |fault| fault.status())
            }
        }
    }

    /// Returns the protocol error of the peer, if that is the cause.
    #[must_use]
    pub fn protocol_error(&self) -> Option<ProtocolError> {
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
            Self::Taken => f.write_str("a part of the body was read before, so it cannot be read as a whole"),
            Self::ContentType { expected } => {
                write!(f, "unsupported Content-Type: expected {expected} (RFC 9110 15.5.16)")
            }
            Self::Charset => f.write_str("unsupported charset: expected utf-8, us-ascii or iso-8859-1"),
            Self::ContentEncoding => f.write_str("unsupported Content-Encoding: expected none (RFC 9110 15.5.16)"),
            Self::Coding => f.write_str("the body is not valid in its Content-Encoding, or incomplete"),
            Self::DecodedTooLarge => f.write_str("the decoded body is too large (RFC 9110 15.5.14)"),
            Self::InvalidText => f.write_str("the body is not valid in its charset"),
            #[cfg(feature = "json")]
            Self::Json(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for BodyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "json")]
            Self::Json(error) => error.source(),
            _ => None,
        }
    }
}
