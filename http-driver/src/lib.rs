//! The connection loop of httpants, once for all runtimes.
//!
//! [`httpants_core`] is the protocol and does no IO. This crate adds what every runtime needs
//! and none owns: the loop that moves bytes between a [`Transport`](runtime::Transport) and
//! the core, handlers and their bodies, listening sockets, shutdown. An adapter implements
//! the traits in [`runtime`] and holds no HTTP.
//!
//! Applications use an adapter, `httpants-tokio` for one; it re-exports what they need from
//! here.

mod accept;
mod access_log;
mod answering;
pub mod application;
#[cfg(feature = "async-io")]
pub mod async_io;
mod body;
#[cfg(feature = "conformance")]
pub mod conformance;
mod connection;
mod cookies;
mod counters;
mod escaped;
mod exchange;
mod files;
mod handle;
mod handler;
mod intake;
#[cfg(target_os = "linux")]
pub mod linux;
mod listen;
mod listen_socket;
pub mod memory;
mod observer;
mod parts;
mod pool;
mod registry;
mod request;
mod responder;
mod response;
pub mod runtime;
mod securing;
mod server;
mod service;
#[cfg(feature = "simulation")]
pub mod simulation;
mod socket_file;
mod spans;
mod stream;
#[cfg(feature = "_tls")]
mod tls;
#[cfg(not(feature = "_tls"))]
#[path = "tls/absent.rs"]
mod tls;
#[cfg(feature = "tower")]
pub mod tower;
mod upgraded;
mod upload;

pub use application::*;
pub use connection::Serve;
pub use httpants_core::Timer;
pub use server::{Bound, Server};
