//! The pieces of which the content of a file response consists.

use bytes::Bytes;

/// A piece of a response's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes.
    Bytes(Bytes),
    /// A stretch of the file; never empty, never beyond its end.
    File {
        /// Position of its first byte.
        offset: u64,
        /// How many bytes.
        len: u64,
    },
}

impl Segment {
    /// Returns how many bytes it is.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a segment is never empty")]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }
}
