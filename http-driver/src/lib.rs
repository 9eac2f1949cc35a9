//! The server of httpants, generic over an async runtime.
//!
//! [`httpants_core`] is the protocol and does no IO. This crate adds what every runtime needs: the
//! task that moves bytes between a [`Transport`](runtime::Transport) and the core, handlers and
//! bodies, listening sockets and shutdown. An adapter implements the traits in [`runtime`] and
//! contains no HTTP.
//!
//! Applications use an adapter such as `httpants-tokio`, which re-exports what they need from here. The
//! example [`polled`](https://docs.rs/crate/httpants-driver/latest/source/examples/polled/runtime.rs) is a
//! runtime made of the standard library.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod application;
#[cfg(feature = "async-io")]
pub mod async_io;
mod connection;
#[cfg(feature = "compression")]
mod content_coding;
mod descriptors;
mod exchange;
mod handler;
#[cfg(feature = "cookies")]
mod key_file;
mod lifecycle;
#[cfg(target_os = "linux")]
pub mod linux;
mod observe;
#[cfg(target_os = "linux")]
mod page_cache;
mod request;
mod response;
pub mod runtime;
mod server;
#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
mod tls;
#[cfg(not(any(feature = "tls", feature = "tls-aws-lc")))]
#[path = "tls/unsupported.rs"]
mod tls;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "websocket")]
pub mod websocket;

pub use application::*;
pub use connection::Serve;
pub use server::{BoundServer, Server};

/// Compiles and runs the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
