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
mod body;
mod connection;
mod cookies;
mod exchange;
mod files;
mod handler;
mod intake;
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

pub use body::{Body, BodyError};
pub use connection::Serve;
pub use files::{FileRoot, FileToSend};
pub use handler::{Handler, Intake};
pub use httpants_core as core;
pub use httpants_core::files::Sendfile;
pub use httpants_core::{
    Address, BadRequest, BodyLen, CloseReason, Config, FieldLines, Headers, Misuse, Peer, ResponseHead,
};
pub use listen::ListenAddress;
pub use parts::{FormError, Parts, StreamedPart};
pub use request::Request;
pub use responder::Responder;
pub use response::{Response, StreamError};
pub use server::{Bound, Handle, Server};
pub use upgraded::Upgraded;
pub use upload::{ContentReader, Files, Pieces, UploadedFile};
