//! Requests, and the heads of responses. Imports only `wire`.

pub(crate) mod address;
pub(crate) mod connection_info;
mod convert;
pub(crate) mod cookie_error;
pub(crate) mod field_lines;
pub(crate) mod headers;
pub(crate) mod misuse;
pub(crate) mod now;
pub(crate) mod proxy_tlvs;
pub(crate) mod request;
pub(crate) mod response;
