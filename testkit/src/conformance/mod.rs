//! A conformance suite for runtimes: one `#[test]` for each behaviour that the driver needs.
//!
//! An adapter runs it as an integration test:
//!
//! ```toml
//! [dev-dependencies]
//! httpants-testkit = "0.1"
//! ```
//!
//! ```text
//! // tests/conformance.rs
//! httpants_testkit::conformance_suite!(httpants_testkit::conformance::Sockets<my_adapter::Runtime>);
//! ```
//!
//! A case that fails shows what it expected within ten seconds and what it received instead. The
//! documentation of the function with the same name in [`cases`] states what the runtime must do.
//! The first groups, `contract`, `time`, `tasks` and `platform`, test the traits of
//! [`runtime`](httpants_driver::runtime): make those pass first. The others run whole servers.
//!
//! [`Sockets`] is for runtimes with sockets of the platform. Other runtimes implement [`Stage`], as
//! [`InMemory`] does, and leave out the cases that need such sockets. An adapter that lets the
//! kernel send files (`sendfile(2)`, `MSG_MORE`) adds `linux` for those cases:
//! `conformance_suite!(Sockets<Runtime>, linux)`.
//!
//! The suite passes on the in-memory runtime. A single case is also an ordinary function:
//!
//! ```
//! use httpants_testkit::conformance::{InMemory, cases};
//!
//! cases::time::timer_elapses_at_its_time_and_can_be_reset::<InMemory>();
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a case fails by panicking"
)]

mod caller;
pub mod cases;
mod handler;
mod in_memory;
mod response;
mod running;
mod sockets;
mod stage;
mod suite;
#[cfg(test)]
mod tests;

pub use self::handler::{CaseHandler, Task};
pub use self::in_memory::{InMemory, InMemoryClient};
pub use self::sockets::{SocketClient, Sockets};
pub use self::stage::{PATIENCE, Platform, Received, Stage, StageClient};
pub use self::suite::perform;
