//! The protocol core.
mod config;
pub mod cookies;
mod error;
mod connection {
    pub(crate) mod timers;
}
mod message {
    pub(crate) mod headers;
}
mod wire {
    pub(crate) mod fields;
    pub(crate) mod grammar;
}
pub use config::{Config, Limits, Timeouts};
pub use connection::timers::{Deadline, Timer};
pub use error::{BadRequest, CloseReason, Misuse};
pub use message::headers::{CanonicalName, Headers};
