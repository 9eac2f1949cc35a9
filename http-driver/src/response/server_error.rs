//! Errors to which the server itself responds.

use std::fmt;

use http::StatusCode;
#[cfg(feature = "files")]
use httpants_core::files::FileError;
use httpants_core::forms::ParseFormError;
use httpants_core::{CloseReason, Misuse, ProtocolError, Refusal, RefusalResponse, Timer};

use crate::exchange::BodyError;
#[cfg(feature = "websocket")]
use crate::request::WebSocketError;

/// An error to which the server itself responds, for [`Server::on_error`](crate::Server::on_error).
///
/// Its text (`Display`) is that of the default response, if that has one. It contains no input of
/// the client and no data of the application, so it can be sent and logged unchanged.
#[derive(Clone, Debug)]
pub struct ServerError {
    status: StatusCode,
    kind: ServerErrorKind,
    refusal: Option<Refusal>,
}

/// The cause of a [`ServerError`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerErrorKind {
    /// The request broke a rule of the protocol or exceeded a limit, or was too slow: 400, 408, 413,
    /// 414, 417, 431, 501, 505.
    Protocol(ProtocolError),
    /// The handler was too late ([`Timer::Handler`], [`Timer::HalfClosed`]): 503.
    Timeout(Timer),
    /// The server has too many connections ([`WhenFull::Refuse`](crate::WhenFull::Refuse)): 503.
    Overloaded,
    /// The address of the client has too many connections
    /// ([`Server::max_connections_per_address`](crate::Server::max_connections_per_address)): 503.
    AddressLimit,
    /// The handler, its body policy or its stream panicked: 500.
    Panic,
    /// The response of the handler cannot be sent: 500.
    Misuse(Misuse),
    /// The handler failed without a response, such as a service or stream that returned an error,
    /// or returned before its responder finished: 500.
    Failure,
    /// The handler returned 2xx to CONNECT without opening a tunnel: 501.
    Tunnel,
    /// The body is not an acceptable form, before the handler or as an error that it returned: 400,
    /// 413, 415.
    Form(ParseFormError),
    /// The handler returned the error of reading the body: 400, 413, 415, 500.
    Body(BodyError),
    /// The request is not a WebSocket handshake, or its Origin is not allowed: 400, 403, 405, 426.
    #[cfg(feature = "websocket")]
    WebSocket(WebSocketError),
    /// The body has a `Content-Encoding` that the server does not decode
    /// (`Server::decompress_requests`): 415.
    ContentEncoding,
    /// The body could not be stored in a temporary file: 500, or 507 if the disk is full or the files of
    /// forms take up a quarter of the process's descriptors.
    Storage,
    /// A file does not exist, may not be read or could not be read
    /// ([`NamedFile`](crate::NamedFile)): 404, 403, 500.
    #[cfg(feature = "files")]
    File(FileError),
    /// A file exists, but the request cannot be fulfilled: 405 for another method than GET and
    /// HEAD, 412, 416.
    #[cfg(feature = "files")]
    FileRequest,
}

impl ServerError {
    /// Creates the error of a kind that determines the status.
    pub(crate) fn new(kind: ServerErrorKind) -> Self {
        let status = match &kind {
            ServerErrorKind::Protocol(error) => error.status(),
            ServerErrorKind::Timeout(_) | ServerErrorKind::Overloaded | ServerErrorKind::AddressLimit => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            ServerErrorKind::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ServerErrorKind::Tunnel => StatusCode::NOT_IMPLEMENTED,
            ServerErrorKind::Form(error) => error.status(),
            ServerErrorKind::Body(error) => error.status(),
            #[cfg(feature = "websocket")]
            ServerErrorKind::WebSocket(error) => error.status(),
            #[cfg(feature = "files")]
            ServerErrorKind::File(error) => error.status(),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, kind, refusal: None }
    }

    pub(crate) fn with_status(kind: ServerErrorKind, status: StatusCode) -> Self {
        Self { status, kind, refusal: None }
    }

    /// Returns the status of the response, also of one created by the application.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the cause.
    #[must_use]
    pub fn kind(&self) -> &ServerErrorKind {
        &self.kind
    }

    /// Returns what was read of a request that was refused by the protocol. If its head was not
    /// accepted, nothing else is known about the request. The refusal contains raw bytes of the
    /// client: escape them.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }
}

/// Converts the response of a core to a refused peer.
impl From<&RefusalResponse> for ServerError {
    fn from(response: &RefusalResponse) -> Self {
        let kind = match response.reason() {
            CloseReason::Refused(error) => ServerErrorKind::Protocol(error),
            CloseReason::TimedOut(timer) => ServerErrorKind::Timeout(timer),
            CloseReason::Overloaded => ServerErrorKind::Overloaded,
            CloseReason::AddressLimit => ServerErrorKind::AddressLimit,
            _ => ServerErrorKind::Failure,
        };
        Self { status: response.status(), kind, refusal: response.refusal().cloned() }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ServerErrorKind::Protocol(error) => error.fmt(f),
            ServerErrorKind::Timeout(_) => f.write_str("the application did not respond in time (RFC 9110 15.6.4)"),
            ServerErrorKind::Overloaded => f.write_str("the server has too many connections (RFC 9110 15.6.4)"),
            ServerErrorKind::AddressLimit => f.write_str("too many connections from this address (RFC 9110 15.6.4)"),
            ServerErrorKind::ContentEncoding => f.write_str("unsupported Content-Encoding (RFC 9110 15.5.16)"),
            ServerErrorKind::Form(error) => error.fmt(f),
            ServerErrorKind::Body(error) if self.status != StatusCode::INTERNAL_SERVER_ERROR => error.fmt(f),
            #[cfg(feature = "websocket")]
            ServerErrorKind::WebSocket(error) => error.fmt(f),
            ServerErrorKind::Storage if self.status == StatusCode::INSUFFICIENT_STORAGE => {
                f.write_str("not enough space to store the body (RFC 4918 11.5)")
            }
            ServerErrorKind::Storage => f.write_str("cannot store the body"),
            _ => f.write_str(self.status.canonical_reason().unwrap_or("error")),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            ServerErrorKind::Protocol(error) => Some(error),
            ServerErrorKind::Misuse(error) => Some(error),
            ServerErrorKind::Form(error) => Some(error),
            ServerErrorKind::Body(error) => Some(error),
            #[cfg(feature = "websocket")]
            ServerErrorKind::WebSocket(error) => Some(error),
            #[cfg(feature = "files")]
            ServerErrorKind::File(error) => Some(error),
            _ => None,
        }
    }
}
