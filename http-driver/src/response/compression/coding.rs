//! Content codings and levels.

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ContentCoding {
    /// `zstd` (RFC 8878), with a window far below the 8 MB that every client supports (RFC 9659).
    Zstd,
    /// `br` (RFC 7932).
    Brotli,
    /// `gzip` (RFC 1952).
    Gzip,
}

impl ContentCoding {
    pub(super) const ALL: [Self; 3] = [Self::Zstd, Self::Brotli, Self::Gzip];

    /// Returns the registered name, as `Content-Encoding` has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// How much time is spent on making responses smaller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionLevel {
    /// gzip 1, brotli 1, zstd 1.
    Fastest,
    /// gzip 6, brotli 4, zstd 3.
    #[default]
    Default,
    /// gzip 9, brotli 9, zstd 12: for responses that a cache in front keeps.
    Best,
}
