//! Errors of the opening handshake.

use std::fmt;

use crate::response::Response;

/// The reason why a request is not a WebSocket handshake (RFC 6455 section 4.2.1). It converts into
/// the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebSocketError {
    /// The method is not GET: 405.
    Method,
    /// The request does not offer to switch to `websocket`: 426.
    Upgrade,
    /// The version is not 13: 426.
    Version,
    /// Sec-WebSocket-Key is not one field with 16 bytes in base64: 400.
    Key,
    /// The Origin field names a page of another host: 403.
    Origin,
}

impl fmt::Display for WebSocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Method => "a WebSocket handshake has the method GET",
            Self::Upgrade => "expected a WebSocket handshake",
            Self::Version => "unsupported WebSocket version: expected 13",
            Self::Key => "invalid Sec-WebSocket-Key: expected 16 bytes in base64",
            Self::Origin => "WebSockets from pages of this origin are not allowed",
        })
    }
}

impl std::error::Error for WebSocketError {}

impl From<WebSocketError> for Response {
    fn from(error: WebSocketError) -> Self {
        let response = match error {
            WebSocketError::Method => return Self::method_not_allowed(["GET"]),
            WebSocketError::Upgrade => Self::text(format!("{error}\n")).with_status(426),
            WebSocketError::Version => {
                Self::text(format!("{error}\n")).with_status(426).with_header("Sec-WebSocket-Version", "13")
            }
            WebSocketError::Key => return Self::text(format!("{error}\n")).with_status(400),
            WebSocketError::Origin => return Self::text(format!("{error}\n")).with_status(403),
        };
        response.with_header("Upgrade", "websocket")
    }
}
