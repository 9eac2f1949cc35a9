//! Bytes to messages and back.

pub(crate) mod chunked;
pub(crate) mod default_headers;
pub(crate) mod encode;
pub(crate) mod fields;
pub(crate) mod framing;
pub(crate) mod grammar;
pub(crate) mod head;
pub(crate) mod request_line;
pub(crate) mod span;
pub(crate) mod target;
