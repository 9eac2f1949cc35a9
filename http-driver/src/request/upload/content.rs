//! Content that was received completely.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;

use super::stored::Stored;

/// Content in memory or in a temporary file. Clones share it; a temporary file is removed with the
/// last clone.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Memory(Bytes),
    File(Arc<Stored>),
}

impl Content {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(stored) => stored.len(),
        }
    }

    pub(crate) fn as_file(&self) -> Option<&File> {
        match self {
            Self::Memory(_) => None,
            Self::File(stored) => stored.file().ok(),
        }
    }
}
