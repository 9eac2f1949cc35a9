//! The unprocessed body: in memory while it is small, else in a temporary file.

use bytes::Bytes;
use httpants_core::forms::{Action, BodyPolicy, Limits, ParseFormError};

use super::error::CollectError;
use super::settings::Disk;
use super::spool::Spool;
use crate::request::joined::Joined;
use crate::request::upload::Content;

/// Where the body goes. A single piece stays where it was received.
#[derive(Debug)]
pub(super) struct Raw {
    intake: BodyPolicy,
    /// How long it is announced to be.
    length: Option<u64>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Memory(Joined),
    File(Spool),
    /// Nowhere: it is a multipart form's, too large for memory, and it is not used.
    Dropped,
}

impl Raw {
    /// A body that moves to a file where it is too large for memory.
    pub(super) fn new(length: Option<u64>, limits: &Limits) -> Result<Self, ParseFormError> {
        Self::with(length, limits, |intake| intake.begin_raw(length))
    }

    /// That of an urlencoded form, which is refused then.
    pub(super) fn urlencoded(length: Option<u64>, limits: &Limits) -> Result<Self, ParseFormError> {
        Self::with(length, limits, |intake| intake.begin_urlencoded(length))
    }

    /// That of a multipart form, which is dropped then, or moves where that is asked for.
    pub(super) fn multipart(length: Option<u64>, limits: &Limits) -> Result<Self, ParseFormError> {
        Self::with(length, limits, |intake| intake.begin_body(length))
    }

    fn with(
        length: Option<u64>,
        limits: &Limits,
        begin: impl FnOnce(&mut BodyPolicy) -> Result<(), ParseFormError>,
    ) -> Result<Self, ParseFormError> {
        let mut intake = BodyPolicy::new(limits);
        begin(&mut intake)?;
        Ok(Self { intake, length, place: Place::Memory(Joined::default()) })
    }

    pub(super) async fn push(&mut self, piece: Bytes, disk: &Disk) -> Result<(), CollectError> {
        let action = self.intake.data(piece.len())?;
        match (&mut self.place, action) {
            (Place::Memory(joined), Action::Keep) => joined.push(piece, self.length),
            (Place::Memory(joined), Action::Spill | Action::Write) => {
                let mut spool = Spool::new(std::mem::take(joined).into_bytes().into());
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

    /// The whole body; `None` where it was not kept.
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

    /// Drops the body, once nothing of it is being written.
    pub(super) async fn give_up(self) {
        if let Place::File(spool) = self.place {
            spool.give_up().await;
        }
    }
}
