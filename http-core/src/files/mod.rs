//! What a request for a file is answered with, decided without touching a file (the seed's
//! `send_file`, `file_root` and `sendfile`).
//!
//! ```text
//! request path -> RelativePath     under the root, or 404
//!      (the driver opens it, below_root checks where it really is, its kind and metadata are read)
//! Accept-Encoding -> Coding        which precompressed sibling
//! request + metadata -> Plan       status, fields, and the segments to send in order
//! ```
//!
//! The wall clock and entropy are arguments, so every answer can be tested to the byte.

mod coding;
mod disposition;
mod fault;
mod mime;
mod path;

pub use coding::Coding;
pub use disposition::attachment;
pub use fault::FileFault;
pub use mime::content_type;
pub use path::{FileKind, Lookup, RelativePath, below_root};
