//! The raw body: in memory while it is small, otherwise in a temporary file.

use bytes::Bytes;
use httpants_core::forms::{Action, FormLimits, ParseFormError, SpillPolicy};

use super::error::CollectError;
use super::settings::Disk;
use super::spool::Spool;
use crate::request::joined::Joined;
use crate::request::upload::Content;

/// The destination of the raw body. A single piece stays in its receive buffer.
#[derive(Debug)]
pub(super) struct Raw {
    policy: SpillPolicy,
    /// The announced length of the body in bytes.
    length: Option<u64>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Joined),
    File(Spool),
    /// Discarded: the raw body of a multipart form that is too large for memory and not wanted.
    Dropped,
}

impl Raw {
    /// Creates a raw body that moves to a file when it is too large for memory.
    pub(super) fn new(length: Option<u64>, limits: &FormLimits) -> Result<Self, ParseFormError> {
        Self::with(length, limits, |policy| policy.begin_raw(length))
    }

    /// Creates a raw body; `begin` starts the policy for its storage.
    pub(super) fn with(
        length: Option<u64>,
        limits: &FormLimits,
        begin: impl FnOnce(&mut SpillPolicy) -> Result<(), ParseFormError>,
    ) -> Result<Self, ParseFormError> {
        let mut policy = SpillPolicy::new(limits);
        begin(&mut policy)?;
        Ok(Self { policy, length, place: Place::Memory(Joined::default()) })
    }

    pub(super) async fn push(&mut self, piece: Bytes, disk: &Disk) -> Result<(), CollectError> {
        let action = self.policy.data(piece.len())?;
        match (&mut self.place, action) {
            (Place::Memory(joined), Action::Keep) => joined.push(piece, self.length),
            (Place::Memory(joined), Action::Spill | Action::Write) => {
                let mut spool = Spool::new(std::mem::take(joined).into_bytes().into(), None);
                let pushed = spool.push(&piece, disk).await;
                self.place = Place::File(spool);
                pushed.map_err(CollectError::disk)?;
            }
            (Place::File(spool), _) => spool.push(&piece, disk).await.map_err(CollectError::disk)?,
            (place, Action::Drop) => *place = Place::Dropped,
            (Place::Dropped, _) => {}
        }
        Ok(())
    }

    /// Returns the whole body; `None` if it was not kept.
    pub(super) async fn finish(self, disk: &Disk) -> Result<Option<Content>, CollectError> {
        Ok(match self.place {
            Place::Memory(joined) => Some(Content::Memory(joined.into_bytes())),
            Place::File(spool) => {
                let stored = spool.finish(disk).await.map_err(CollectError::disk)?;
                Some(Content::File(stored.into()))
            }
            Place::Dropped => None,
        })
    }

    /// Waits for pending writes, then drops the body.
    pub(super) async fn discard(self) {
        if let Place::File(spool) = self.place {
            spool.discard().await;
        }
    }
}
