//! The settings of a run.

use httpants_core::Config;

use crate::application::Application;

/// The settings of a run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The configuration of the connection. Its timeouts do not matter: no time passes.
    pub config: Config,
    /// The behaviour of the application for each request.
    pub application: Application,
    /// True if the listener expects TLS, and the input arrives in place of the handshake.
    pub tls: bool,
    /// The end of the stream after the input.
    pub end: StreamEnd,
}

/// The end of the stream after the last byte of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamEnd {
    /// The client ends its stream after it has received its responses. The default.
    #[default]
    AfterResponses,
    /// The client ends its stream at once, and the server detects that before it responds. The
    /// result differs with [`HalfClose::Drop`](httpants_core::HalfClose::Drop).
    BeforeResponses,
    /// The client keeps its stream open and waits.
    Open,
}
