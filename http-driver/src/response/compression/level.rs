//! The levels of compression.

/// A compression level: the trade-off between time and size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionLevel {
    /// gzip 1, brotli 1, zstd 1.
    Fastest,
    /// gzip 6, brotli 4, zstd 3.
    #[default]
    Default,
    /// gzip 9, brotli 6, zstd 6: for responses that a cache stores.
    Best,
}
