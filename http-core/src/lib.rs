//! The protocol core.
mod config;
mod connection;
mod error;
pub mod files;
pub mod forms;
mod message;
mod wire;

pub use config::{Config, Limits, Timeouts};
pub use connection::timers::{Deadline, Timer};
pub use connection::{
    Address, Close, Connection, Event, Now, Peer, Receiving, Reply, Sending, Slices, State, Storage, Transmit, UnixTime,
};
pub use error::{BadRequest, CloseReason, Misuse};
pub use message::field_lines::FieldLines;
pub use message::headers::{CanonicalName, Headers};
pub use message::request::Request;
pub use message::response::{BodyLen, ResponseHead};
pub use wire::framing::Framing;
