//! Compression of responses.

mod coder;
mod coding;
mod fields;
mod settings;

pub(crate) use self::coder::Coder;
pub use self::coding::{CompressionLevel, ContentCoding};
pub(super) use self::fields::compress;
pub use self::settings::Compression;
