//! Compression of responses.

mod coder;
mod fields;
mod level;
mod settings;

pub(crate) use self::coder::Coder;
pub(super) use self::fields::compress;
pub use self::level::CompressionLevel;
pub use self::settings::Compression;
