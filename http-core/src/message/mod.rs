//! Messages: what a request says and what an answer is made of.

pub(crate) mod field_lines;
pub(crate) mod headers;
pub(crate) mod request;
pub(crate) mod response;
