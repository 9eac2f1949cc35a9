//! Errors of routes and their responses.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use httpants_tokio::protocol::forms::ParseFormError;
use httpants_tokio::{BodyError, Misuse, Request, Response};

#[derive(Debug)]
pub(crate) enum Mistake {
    /// An invalid or missing query parameter.
    Parameter(&'static str),
    /// A request that a page of another site sent.
    OtherSite,
    /// A malformed query or form.
    Form(ParseFormError),
    /// An incomplete request body.
    Body(BodyError),
    /// A disk error.
    Disk(io::Error),
    /// An error of this program, or an ended connection.
    Misuse(Misuse),
}

/// Returns the query parameter with this name, or the default.
pub(crate) fn parameter<T: FromStr>(request: &Request, name: &'static str, default: T) -> Result<T, Mistake> {
    match request.get()?.get(name) {
        Some(value) => value.parse().map_err(|_| Mistake::Parameter(name)),
        None => Ok(default),
    }
}

/// Returns the query parameter with this name as milliseconds, or the default.
pub(crate) fn milliseconds(request: &Request, name: &'static str, default: u64) -> Result<Duration, Mistake> {
    parameter(request, name, default).map(Duration::from_millis)
}

/// Returns the required query parameter with this name.
pub(crate) fn required<'a>(request: &'a Request, name: &'static str) -> Result<&'a str, Mistake> {
    request.get()?.get(name).ok_or(Mistake::Parameter(name))
}

impl From<ParseFormError> for Mistake {
    fn from(fault: ParseFormError) -> Self {
        Self::Form(fault)
    }
}

impl From<BodyError> for Mistake {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<io::Error> for Mistake {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

impl From<Misuse> for Mistake {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<Mistake> for Response {
    fn from(mistake: Mistake) -> Self {
        let fault = |text: &dyn std::fmt::Display, code| Self::text(format!("{text}\n")).with_status(code);
        match mistake {
            Mistake::Parameter(name) => fault(&format_args!("missing or invalid query parameter {name}"), 400),
            Mistake::OtherSite => fault(&"sent by a page of another site", 403),
            Mistake::Form(error) => error.into(),
            Mistake::Body(error) => error.into(),
            Mistake::Disk(error) => {
                tracing::error!(%error, "cannot read a file");
                Self::new(500)
            }
            // The client chooses the names of cookies here.
            Mistake::Misuse(Misuse::Cookie(error)) => fault(&error, 400),
            Mistake::Misuse(misuse) => misuse.into(),
        }
    }
}
