//! The error of a WebSocket handshake.

use std::fmt;

use http::StatusCode;

/// The reason why a request is not a WebSocket handshake (RFC 6455 section 4.2.1). It converts into
/// a response, for which [`Server::on_error`](crate::Server::on_error) can create the body.
///
/// ```
/// use httpants_driver::Response;
/// use httpants_driver::websocket::WebSocketError;
///
/// assert_eq!(WebSocketError::Origin.status(), 403);
/// let response = Response::from(WebSocketError::Version);
/// assert_eq!(response.status(), 426);
/// assert_eq!(response.head().fields.get("Sec-WebSocket-Version"), Some(&b"13"[..]));
/// ```
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

impl WebSocketError {
    /// Returns the status of the response to this error.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Upgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key => StatusCode::BAD_REQUEST,
            Self::Origin => StatusCode::FORBIDDEN,
        }
    }
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
