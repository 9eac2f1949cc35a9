//! Conversions into responses.

use bytes::Bytes;
use http::StatusCode;
use httpants_core::Misuse;
use httpants_core::forms::ParseFormError;

use super::{Response, ServerError, ServerErrorKind};
use crate::exchange::BodyError;
use crate::observe::report::report;
use crate::request::FormError;
#[cfg(feature = "websocket")]
use crate::request::WebSocketError;

/// Creates a text response.
impl From<&'static str> for Response {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

/// Creates a text response.
impl From<String> for Response {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// Creates a response of type `application/octet-stream`.
impl From<Bytes> for Response {
    fn from(content: Bytes) -> Self {
        Self::bytes("application/octet-stream", content)
    }
}

/// Creates a response of type `application/octet-stream`.
impl From<Vec<u8>> for Response {
    fn from(content: Vec<u8>) -> Self {
        Self::from(Bytes::from(content))
    }
}

/// Creates a response without a body.
impl From<u16> for Response {
    fn from(code: u16) -> Self {
        Self::new(code)
    }
}

/// Creates a response without a body.
impl From<StatusCode> for Response {
    fn from(status: StatusCode) -> Self {
        Self::new(status)
    }
}

/// Creates a 200 without a body.
impl From<()> for Response {
    fn from((): ()) -> Self {
        Self::new(200)
    }
}

/// Creates a 500 for the misuse of a responder, if nothing was sent yet. The misuse is logged.
impl From<Misuse> for Response {
    fn from(misuse: Misuse) -> Self {
        let mut response = Self::new(500);
        response.note(misuse);
        response
    }
}

/// Creates the response to a body that could not be read ([`BodyError::status`]), with a text if
/// the format of the body is the cause. Errors of the application and the system are logged.
impl From<BodyError> for Response {
    fn from(error: BodyError) -> Self {
        let response = match &error {
            BodyError::Storage(_) | BodyError::Taken => {
                report!("a handler could not read the body", error);
                Self::of_error(ServerError::new(ServerErrorKind::Body(error.clone())), "")
            }
            // Clients choose the type of a body, so this must not be able to fill a log.
            BodyError::NotKept => {
                tracing::debug!(%error, "a handler could not read the body");
                Self::of_error(ServerError::new(ServerErrorKind::Body(error.clone())), "")
            }
            BodyError::Closed(_) | BodyError::ResponseFinished => Self::new(error.status()),
            _ => Self::of_error(ServerError::new(ServerErrorKind::Body(error.clone())), format!("{error}\n")),
        };
        match error {
            BodyError::ContentEncoding => response.with_header("Accept-Encoding", "identity"),
            _ => response,
        }
    }
}

/// Creates a 400, 413 or 415 that names the violated rule.
impl From<ParseFormError> for Response {
    fn from(fault: ParseFormError) -> Self {
        let response = Self::of_error(ServerError::new(ServerErrorKind::Form(fault)), format!("{fault}\n"));
        match fault.accept_encoding() {
            Some(codings) => response.with_header("Accept-Encoding", codings),
            None => response,
        }
    }
}

/// Converts the cause.
impl From<FormError> for Response {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Form(fault) => fault.into(),
            FormError::Body(error) => error.into(),
        }
    }
}

/// Creates the response to a request that is not a WebSocket handshake, with the expected values in
/// `Allow`, `Upgrade` and `Sec-WebSocket-Version`.
#[cfg(feature = "websocket")]
impl From<WebSocketError> for Response {
    fn from(error: WebSocketError) -> Self {
        let response = Self::of_error(ServerError::new(ServerErrorKind::WebSocket(error)), format!("{error}\n"));
        match error {
            WebSocketError::Method => response.with_header("Allow", "GET"),
            WebSocketError::Upgrade => response.with_header("Upgrade", "websocket"),
            WebSocketError::Version => {
                response.with_header("Upgrade", "websocket").with_header("Sec-WebSocket-Version", "13")
            }
            WebSocketError::Key | WebSocketError::Origin => response,
        }
    }
}

/// Converts either value.
impl<T: Into<Self>, E: Into<Self>> From<Result<T, E>> for Response {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => value.into(),
            Err(error) => error.into(),
        }
    }
}

/// Sets the status.
impl<T: Into<Self>> From<(StatusCode, T)> for Response {
    fn from((status, response): (StatusCode, T)) -> Self {
        response.into().with_status(status)
    }
}

/// Sets the status and these fields, which replace fields of the response with the same names. A
/// name may occur more than once.
impl<F, N, V, T> From<(StatusCode, F, T)> for Response
where
    F: IntoIterator<Item = (N, V)>,
    N: AsRef<str>,
    V: AsRef<[u8]>,
    T: Into<Self>,
{
    fn from((status, fields, response): (StatusCode, F, T)) -> Self {
        let mut response = Self::from((status, response));
        let fields: Vec<(N, V)> = fields.into_iter().collect();
        for (name, _) in &fields {
            response.fields_mut().remove(name.as_ref());
        }
        for (name, value) in fields {
            if let Err(misuse) = response.fields_mut().push(name.as_ref(), value) {
                response.note(misuse);
            }
        }
        response
    }
}
