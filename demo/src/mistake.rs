//! Why a route does not answer as it should, and what the client is told.

use std::io;
use std::str::FromStr;

use httpants_tokio::protocol::forms::ParseFormError;
use httpants_tokio::{BodyError, Misuse, Request, Response};

#[derive(Debug)]
pub(crate) enum Mistake {
    /// The client's: this query variable is missing, or is not what it should be.
    Parameter(&'static str),
    /// The client's: its query or its form does not parse.
    Form(ParseFormError),
    /// The client's: its content does not come to its end.
    Body(BodyError),
    /// Ours: the disk's.
    Disk(io::Error),
    /// Ours, or the connection has ended.
    Misuse(Misuse),
}

/// The query's value for this name, or what holds without one.
pub(crate) fn parameter<T: FromStr>(request: &Request, name: &'static str, default: T) -> Result<T, Mistake> {
    match request.get()?.get(name) {
        Some(value) => value.parse().map_err(|_| Mistake::Parameter(name)),
        None => Ok(default),
    }
}

/// The query's value for this name, which must be there.
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
            Mistake::Parameter(name) => fault(&format_args!("{name} is missing, or is not possible"), 400),
            Mistake::Form(error) => error.into(),
            Mistake::Body(error) => error.into(),
            Mistake::Disk(error) => {
                tracing::error!(%error, "a file could not be read");
                Self::new(500)
            }
            // Cookies are named by the client here.
            Mistake::Misuse(Misuse::Cookie(error)) => fault(&error, 400),
            Mistake::Misuse(misuse) => misuse.into(),
        }
    }
}
