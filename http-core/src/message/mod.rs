//! Messages: what a request says, and what a response is made of. Imports `wire` alone.

pub(crate) mod connection_info;
mod convert;
pub(crate) mod field_lines;
pub(crate) mod headers;
pub(crate) mod misuse;
pub(crate) mod proxy_tlvs;
pub(crate) mod request;
pub(crate) mod response;
