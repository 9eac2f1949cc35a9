//! The protocol core.
mod config;
mod connection;
pub mod cookies;
mod error;
pub mod files;
pub mod forms;
mod message;
mod wire;

pub use config::{Config, Limits, Timeouts};
pub use connection::timers::{Deadline, Timer};
pub use connection::{
    Address, Close, Connection, Event, Now, Peer, Receiving, Reply, Sending, Slices, State, Storage, Transmit, UnixTime,
};
pub use error::{BadRequest, CloseReason, Misuse};
pub use message::field_lines::FieldLines;
pub use message::headers::{CanonicalName, Headers};
pub use message::request::Request;
pub use message::response::{BodyLen, ResponseHead};
pub use wire::framing::Framing;

/// What trusted proxies say about the client: the X- fields and Forwarded
/// ([`ProxyPolicy`](proxy::ProxyPolicy)), and the PROXY protocol
/// ([`ProxyHeader`](proxy::ProxyHeader)).
pub mod proxy {
    pub use ipnet::IpNet;

    pub use crate::message::proxy::{BadNetwork, ProxyPolicy, Resolved, Scheme, XHeaders};
    pub use crate::message::proxy_protocol::{BadProxyHeader, Endpoints, ProxyHeader};
}
