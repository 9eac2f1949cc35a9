//! The HTTP/1.1 server protocol without IO: it takes received bytes and returns events and
//! requests, bytes to send, and deadlines.
//!
//! ```text
//!              bytes                                       bytes, or a range of a file
//!   socket ------------> recv_buf, handle_recv      poll_transmit, handle_sent ----------> socket
//!                              \                       /
//!                               +---- Connection -----+----- poll_close ----------------> socket
//!                              /                       \
//!   clock  ------------> handle_timeout              poll_timeout -----------------------> timer
//!                              |                       ^
//!                         poll_event               respond, send, finish
//!                              v                       |
//!                              +----- application -----+
//! ```
//!
//! The caller owns the socket and the clock, moves bytes between the socket and a [`Connection`],
//! and passes the time. This crate reads no clock, does not block or spawn, and has no unsafe code.
//! The documentation of [`Connection`] describes the contract.
//! [`examples/blocking.rs`](https://docs.rs/crate/httpants-core/latest/source/examples/blocking.rs)
//! is a server over `std::net` in less than a hundred lines; the crate `httpants-driver` serves on
//! async runtimes.
//!
//! # A complete exchange
//!
//! ```
//! use std::sync::Arc;
//! use httpants_core::{Config, Connection, Event, Now, ConnectionInfo, ResponseHead, FieldLines, Transmit, UnixTime};
//! use std::time::Duration;
//!
//! let now = Now::new(Duration::ZERO, UnixTime::from_secs(1_795_352_400));
//! let mut connection = Connection::new(Arc::new(Config::default()), ConnectionInfo::default(), now);
//!
//! // Input: bytes that were read from the socket.
//! let taken = connection.receive(b"GET /?to=you HTTP/1.1\r\nHost: example.com\r\n\r\n", now);
//! assert_eq!(taken, 44);
//!
//! // Output: the request.
//! let Some(Event::Request(request)) = connection.poll_event() else { unreachable!() };
//! assert_eq!((request.path(), request.query(), request.host()), ("/", "to=you", "example.com"));
//! assert!(!request.has_body() && connection.poll_event().is_none());
//!
//! // The response, and its bytes for the socket.
//! let head = ResponseHead::with_fields(Default::default(), FieldLines::text_plain());
//! connection.respond_with(request.id(), &head, "hello")?;
//! let Some(Transmit::Bytes(slices)) = connection.poll_transmit() else { unreachable!() };
//! let bytes = slices.flatten().copied().collect::<Vec<u8>>();
//! assert_eq!(
//!     String::from_utf8_lossy(&bytes),
//!     concat!(
//!         "HTTP/1.1 200 OK\r\nServer: httpants/", env!("CARGO_PKG_VERSION"), "\r\n",
//!         "Date: Sun, 22 Nov 2026 13:00:00 GMT\r\n",
//!         "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello",
//!     ),
//! );
//! connection.handle_sent(bytes.len() as u64, now);
//! let Some(Event::ResponseEnd(stats)) = connection.poll_event() else { unreachable!() };
//! assert!(stats.request == Some(request.id()) && stats.body_bytes == 5 && stats.complete);
//!
//! // The deadline for the next request.
//! assert!(connection.is_idle());
//! assert_eq!(connection.poll_timeout().map(|deadline| deadline.at), Some(Duration::from_secs(75)));
//! # Ok::<(), httpants_core::Misuse>(())
//! ```
//!
//! # Layers
//!
//! Each folder imports only from the folders to its right, and there are no import cycles between
//! its files:
//!
//! ```text
//! connection/ (the state machine)         \
//!                                           ---> message/ ---> wire/
//! cookies/ files/ forms/ proxy/ (policies) /
//! ```
//!
//! `wire` parses and encodes the parts of messages. `message` has requests, fields and the heads of
//! responses, and contains no configuration. Policies can be used without a connection and take
//! their settings as arguments; the connection does not use them.
//!
//! # Overview
//!
//! | | |
//! |---|---|
//! | [`Connection`] | the state machine described above |
//! | [`Config`] | limits, timeouts and policies, each with its reason |
//! | [`RequestHead`], [`Headers`] | the head of a request |
//! | [`ResponseHead`], [`FieldLines`], [`ResponseWriter`] | the head of a response, and responses call by call |
//! | [`ProtocolError`], [`CloseReason`] | errors of the peer, and the reasons why a connection ends |
//! | [`Misuse`] | errors of the caller |
//! | `forms`, `cookies`, `files`, `proxy` | pure functions on messages, each behind a feature of the same name that is enabled by default |

#![cfg_attr(docsrs, feature(doc_cfg))]
// Nearly everything that the core needs is in `core` and `alloc`.
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc, clippy::alloc_instead_of_core)]
#![cfg_attr(
    not(all(feature = "cookies", feature = "files", feature = "forms", feature = "proxy")),
    allow(dead_code, reason = "some functions are used only by optional features")
)]

extern crate alloc;

mod connection;
#[cfg(feature = "cookies")]
pub mod cookies;
#[cfg(feature = "files")]
pub mod files;
#[cfg(feature = "forms")]
pub mod forms;
mod message;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(test)]
mod random;
mod wire;

pub use connection::{
    Close, CloseReason, Config, ConfigError, Connection, Deadline, Dropped, Endpoints, Event, HalfClose,
    IdleConnection, Limits, Preface, ProxyHeader, ProxyHeaderError, Receiving, RecvBuffer, Refusal, RefusalResponse,
    RequestLimits, ResponseState, ResponseStats, ResponseWriter, Sending, Slices, State, Storage, Timeouts, Timer,
    Transmit, TransmitQueue, Transmitted,
};
pub use http::{Method, StatusCode, Version};
pub use message::address::Address;
pub use message::connection_info::ConnectionInfo;
pub use message::field_lines::{FieldLines, FieldLinesIter};
pub use message::headers::{CanonicalName, Headers, HeadersIter};
pub use message::misuse::Misuse;
pub use message::now::Now;
pub use message::proxy_tlvs::{ProxyTlvs, ProxyTlvsIter};
pub use message::request::{RequestHead, RequestId};
pub use message::response::{BodyLen, ResponseHead};
pub use wire::date::{UnixTime, UnixTimeError};
pub use wire::error::ProtocolError;
pub use wire::request_framing::Framing;

/// Compiles and runs the example of this crate's README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadme;
