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
mod upgraded;
mod upload;

pub use access_log::AccessLog;
pub use body::{Body, BodyError};
pub use connection::Serve;
pub use counters::{AnswerCounts, CloseCounts, Counters, Refusals, TimerCounts};
pub use files::{FileRoot, FileToSend};
pub use handle::Handle;
pub use handler::{Handler, Intake};
pub use httpants_core as core;
pub use httpants_core::files::Sendfile;
pub use httpants_core::{
    Address, BadRequest, BodyLen, CloseReason, Config, FieldLines, Headers, Misuse, Peer, ResponseHead, Timer,
};
pub use listen::ListenAddress;
pub use listen_socket::ListenSocket;
pub use parts::{FormError, Parts, StreamedPart};
pub use request::Request;
pub use responder::Responder;
pub use response::{Response, StreamError};
/// For [`Tls::from_config`].
#[cfg(feature = "_tls")]
pub use rustls;
pub use server::{Bound, Server};
#[cfg(feature = "_tls")]
pub use tls::{ClientCertificates, Tls, TlsError, TlsFault, TlsSession};
pub use upgraded::Upgraded;
pub use upload::{ContentReader, Files, Pieces, UploadedFile};
