//! The parsers and encoders of the parts of messages. They import nothing from the modules that use
//! them.

pub(crate) mod chunked;
pub(crate) mod date;
pub(crate) mod default_headers;
pub(crate) mod encode;
pub(crate) mod error;
pub(crate) mod fields;
pub(crate) mod grammar;
pub(crate) mod head;
pub(crate) mod host;
pub(crate) mod limits;
pub(crate) mod request_framing;
pub(crate) mod request_line;
pub(crate) mod response_framing;
pub(crate) mod span;
pub(crate) mod target;
pub(crate) mod trailers;
