//! What becomes a response.

use bytes::Bytes;
use http::StatusCode;
use httpants_core::Misuse;
use httpants_core::forms::ParseFormError;

use super::Response;
use super::files::NamedFile;
use crate::exchange::BodyError;
use crate::observe::report::report;
use crate::request::FormError;

/// A text response.
impl From<&'static str> for Response {
    fn from(text: &'static str) -> Self {
        Self::text(text)
    }
}

/// A text response.
impl From<String> for Response {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

/// A response of `application/octet-stream`.
impl From<Bytes> for Response {
    fn from(content: Bytes) -> Self {
        Self::bytes("application/octet-stream", content)
    }
}

/// A response of `application/octet-stream`.
impl From<Vec<u8>> for Response {
    fn from(content: Vec<u8>) -> Self {
        Self::from(Bytes::from(content))
    }
}

/// A response without content.
impl From<u16> for Response {
    fn from(code: u16) -> Self {
        Self::new(code)
    }
}

/// A response without content.
impl From<StatusCode> for Response {
    fn from(status: StatusCode) -> Self {
        Self::new(status.as_u16())
    }
}

/// 200 without content.
impl From<()> for Response {
    fn from((): ()) -> Self {
        Self::new(200)
    }
}

/// A mistake in the use of a responder: a 500 where nothing was sent yet.
impl From<Misuse> for Response {
    fn from(misuse: Misuse) -> Self {
        let mut response = Self::new(500);
        response.note(misuse);
        response
    }
}

/// The body could not be read: [`BodyError::status`]. Where its form is the reason, the text says
/// which; what the application or the system did wrong is logged.
impl From<BodyError> for Response {
    fn from(error: BodyError) -> Self {
        let response = match &error {
            BodyError::Storage(_) | BodyError::NotKept | BodyError::Taken => {
                report!("a handler could not read the body", error);
                Self::new(500)
            }
            BodyError::Closed(_) | BodyError::ResponseFinished => Self::new(error.status().as_u16()),
            _ => Self::text(format!("{error}\n")).with_status(error.status().as_u16()),
        };
        match error {
            BodyError::ContentEncoding => response.with_header("Accept-Encoding", "identity"),
            _ => response,
        }
    }
}

/// The form is not acceptable: 400 or 413, and the rule.
impl From<ParseFormError> for Response {
    fn from(fault: ParseFormError) -> Self {
        let response = Self::text(format!("{fault}\n")).with_status(fault.status().as_u16());
        match fault.accept_encoding() {
            Some(codings) => response.with_header("Accept-Encoding", codings),
            None => response,
        }
    }
}

/// As its cause.
impl From<FormError> for Response {
    fn from(error: FormError) -> Self {
        match error {
            FormError::Form(fault) => fault.into(),
            FormError::Body(error) => error.into(),
        }
    }
}

/// As [`Response::file`].
impl From<NamedFile> for Response {
    fn from(file: NamedFile) -> Self {
        Self::file(file)
    }
}

/// Either of the two.
impl<T: Into<Self>, E: Into<Self>> From<Result<T, E>> for Response {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(value) => value.into(),
            Err(error) => error.into(),
        }
    }
}

/// With this status.
impl<T: Into<Self>> From<(StatusCode, T)> for Response {
    fn from((status, response): (StatusCode, T)) -> Self {
        response.into().with_status(status.as_u16())
    }
}

/// With this status and these fields, each of which takes the place of one with the same name.
impl<F, N, V, T> From<(StatusCode, F, T)> for Response
where
    F: IntoIterator<Item = (N, V)>,
    N: AsRef<str>,
    V: AsRef<[u8]>,
    T: Into<Self>,
{
    fn from((status, fields, response): (StatusCode, F, T)) -> Self {
        let response = Self::from((status, response));
        fields.into_iter().fold(response, |response, (name, value)| response.with_header(name.as_ref(), value))
    }
}
