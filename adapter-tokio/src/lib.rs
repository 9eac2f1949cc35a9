//! The driver over tokio: its sockets, its timer, its clock and its spawn.
//!
//! Nothing here knows the protocol: three small types implement the traits of
//! [`httpants_driver::runtime`], and the server is re-exported with this runtime filled in.

#[cfg(test)]
mod tests;

mod listener;
mod runtime;
mod transport;

pub use listener::Listener;
pub use runtime::{Timer, Tokio};
pub use transport::Transport;
