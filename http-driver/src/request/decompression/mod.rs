//! Decompression of requests.

mod decoder;
mod settings;

pub(crate) use self::decoder::Decoder;
pub use self::settings::Decompression;
