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
mod access;
mod answering;
pub mod application;
#[cfg(feature = "async-io")]
pub mod async_io;
mod body;
mod connection;
mod cookies;
mod exchange;
mod files;
mod handler;
mod intake;
#[cfg(target_os = "linux")]
pub mod linux;
mod listen;
pub mod memory;
mod parts;
mod pool;
mod registry;
mod request;
mod responder;
mod response;
pub mod runtime;
mod server;
mod service;
#[cfg(feature = "tower")]
pub mod tower;
mod upgraded;
mod upload;

pub use application::*;
pub use connection::Serve;
pub use server::{Bound, Server};
