//! Errors of requests to a test server.

use std::fmt;
use std::io;

/// The reason why a request to a [`TestServer`](super::TestServer) has no complete response.
#[derive(Debug)]
#[non_exhaustive]
pub enum TestError {
    /// The request is invalid and cannot be sent.
    Request(String),
    /// The server closed the connection before the head of the final response was complete.
    NoResponse,
    /// The server closed the connection within the body, after this many of its bytes.
    Incomplete(usize),
    /// The response is not valid HTTP/1.1.
    Malformed(String),
    /// The connection failed, such as by a reset.
    Connection(io::Error),
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(reason) => write!(f, "invalid test request: {reason}"),
            Self::NoResponse => f.write_str("the server closed the connection without a response"),
            Self::Incomplete(received) => {
                write!(f, "the server closed the connection after {received} bytes of an incomplete body")
            }
            Self::Malformed(reason) => write!(f, "malformed response: {reason}"),
            Self::Connection(error) => write!(f, "the connection failed: {error}"),
        }
    }
}

impl std::error::Error for TestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connection(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for TestError {
    fn from(error: io::Error) -> Self {
        Self::Connection(error)
    }
}
