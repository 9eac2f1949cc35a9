//! What a run depends on besides its input.

use httpants_core::Config;

use crate::application::Application;

/// The settings of a run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The configuration of the connection. Its timeouts do not matter: no time passes.
    pub config: Config,
    /// What the application does with each request.
    pub application: Application,
    /// The listener expects TLS, and the input is what arrives in its place.
    pub tls: bool,
    /// What follows the input.
    pub end: StreamEnd,
}

/// What follows the last byte of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The client ends its stream after it has got its responses.
    #[default]
    AfterResponses,
    /// The client ends its stream at once, and the server learns of it before it responds, which
    /// makes a difference with [`HalfClose::Drop`](httpants_core::HalfClose::Drop).
    BeforeResponses,
    /// Nothing: the client waits.
    Open,
}
