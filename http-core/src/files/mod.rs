//! Responses with files, planned without file system access (`send_file`, `file_root` and
//! `sendfile` in Pants).
//!
//! ```text
//! request path -> RelativePath     under the root, or 404
//!      (the driver opens it, refuses links that lead outside, and reads its kind and metadata)
//! Accept-Encoding -> Coding        the precompressed sibling to send
//! Accept -> accepts_html           true if an HTML page may replace a missing file
//! request + metadata -> Plan       status, fields, and the segments to send in order
//! ```
//!
//! Time and entropy are arguments, so every response can be tested byte by byte.
//!
//! ```
//! use httpants_core::files::{FileRequest, FileResponse, Metadata, Plan, RelativePath, Segment};
//! use httpants_core::{Headers, UnixTime};
//!
//! let path = RelativePath::resolve("docs/a%20b.txt")?;
//! assert_eq!(path.as_str(), "docs/a b.txt");
//!
//! let headers = Headers::parse(b"Range: bytes=10-19\r\n\r\n")?;
//! let request = FileRequest { method: &http::Method::GET, headers: &headers };
//! let now = UnixTime::from_secs(1_700_000_000);
//! let metadata = Metadata::new(1000, Some(UnixTime::from_secs(784_111_777)), 42);
//! let plan = Plan::new(request, &FileResponse::new(path.name()), metadata, now, [7; 16]);
//!
//! assert_eq!(plan.status, 206);
//! assert_eq!(plan.field("content-range").unwrap(), "bytes 10-19/1000");
//! assert_eq!(plan.field("last-modified").unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
//! assert_eq!(plan.segments, [Segment::File { offset: 10, len: 10 }]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod accept;
mod byteranges;
mod coding;
mod conditional;
mod date;
mod disposition;
mod error;
mod media_types;
mod mime;
mod path;
mod plan;
mod range;
mod response;
mod segment;
#[cfg(test)]
mod tests;
mod xsendfile;

pub use accept::accepts_html;
pub use coding::{Coding, accepted_coding};
pub use disposition::{Disposition, attachment};
pub use error::FileError;
pub use media_types::MediaTypes;
pub use mime::content_type;
pub use path::{FileKind, Lookup, RelativePath, below_root};
pub use plan::{FileRequest, Plan, describes_file};
pub use response::{EtagRecipe, Field, FileResponse, Metadata};
pub use segment::Segment;
pub use xsendfile::XSendfile;
