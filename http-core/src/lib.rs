//! The protocol core.
mod config;
pub mod cookies;
mod error;
mod connection {
    pub(crate) mod timers;
}
mod message {
    pub(crate) mod forwarded;
    pub(crate) mod headers;
    pub(crate) mod proxy;
    pub(crate) mod proxy_protocol;
}
mod wire {
    pub(crate) mod fields;
    pub(crate) mod grammar;
}
pub use config::{Config, Limits, Timeouts};
pub use connection::timers::{Deadline, Timer};
pub use error::{BadRequest, CloseReason, Misuse};
pub use message::headers::{CanonicalName, Headers};

/// What trusted proxies say about the client: the X- fields and Forwarded
/// ([`ProxyPolicy`](proxy::ProxyPolicy)), and the PROXY protocol
/// ([`ProxyHeader`](proxy::ProxyHeader)).
pub mod proxy {
    pub use ipnet::IpNet;

    pub use crate::message::proxy::{BadNetwork, ProxyPolicy, Resolved, Scheme, XHeaders};
    pub use crate::message::proxy_protocol::{BadProxyHeader, Endpoints, ProxyHeader};
}
