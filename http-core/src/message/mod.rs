//! Messages: what a request says, what a response is made of, and what proxies add.

mod convert;
pub(crate) mod field_lines;
pub(crate) mod forwarded;
pub(crate) mod headers;
pub(crate) mod proxy;
pub(crate) mod proxy_protocol;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod vars;
