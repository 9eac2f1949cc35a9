//! One behaviour suite for every runtime: feature `conformance`.
//!
//! Who writes an adapter runs it against that, as the adapters of this project do:
//!
//! ```toml
//! [dev-dependencies]
//! httpants-driver = { version = "0.1", features = ["conformance"] }
//! ```
//!
//! ```text
//! // tests/conformance.rs, whole
//! httpants_driver::conformance_suite!(httpants_driver::conformance::Sockets<my_adapter::Runtime>);
//! ```
//!
//! That makes a `#[test]` of each case. A case that fails names what did not happen within ten
//! seconds and what came instead; what the runtime must do stands in the documentation of the
//! function of the same name in [`cases`]. The first groups, `contract`, `time`, `tasks` and
//! `platform`, are about the traits of [`runtime`](crate::runtime): make those pass first. The
//! others play whole servers.
//!
//! [`Sockets`] serves every runtime that takes over sockets of the platform. Others implement
//! [`Stage`], as [`InMemory`] does, and leave out what needs such sockets:
//! `conformance_suite!(InMemory, without sockets)`.
//!
//! On Linux an adapter that sends files by the kernel and holds bytes back until more follow
//! says so, and gets the cases of that: `conformance_suite!(Sockets<Runtime>, linux)`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case fails by panicking"
)]

mod answer;
mod application;
mod caller;
pub mod cases;
mod in_memory;
mod running;
mod sockets;
mod stage;
mod suite;
#[cfg(test)]
mod tests;

pub use self::application::{Application, Task};
pub use self::in_memory::{InMemory, MemoryClient};
pub use self::sockets::{SocketClient, Sockets};
pub use self::stage::{Client, PATIENCE, Platform, Received, Stage};
pub use self::suite::perform;
