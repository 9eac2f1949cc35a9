//! The unprocessed content.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use httpants_core::forms::{BadForm, Limits};

use super::spool::Spool;
use super::whole::{Next, Whole};
use super::{Fault, Received, Settings};
use crate::request::upload::Content;

/// Where it goes: all content, and beside its parts that of a multipart form.
#[derive(Debug)]
pub(super) enum Raw {
    Memory(Whole),
    File(Box<Spool>),
    /// Nowhere: it is a form's, too large for memory, and nobody asked for it.
    Dropped {
        ended: bool,
    },
}

impl Raw {
    /// Only while [`poll`](Self::poll) is ready.
    pub(super) fn receive(&mut self, piece: Bytes, limits: &Limits) -> Result<(), BadForm> {
        match self {
            Self::Memory(whole) => match whole.receive(piece, limits)? {
                Next::Memory => {}
                Next::File(spool) => *self = Self::File(Box::new(spool)),
                Next::Dropped => *self = Self::Dropped { ended: false },
            },
            Self::File(spool) => spool.receive(piece),
            Self::Dropped { .. } => {}
        }
        Ok(())
    }

    /// Only while [`poll`](Self::poll) is ready.
    pub(super) fn handle_eof(&mut self) {
        match self {
            Self::Memory(whole) => whole.handle_eof(),
            Self::File(spool) => spool.handle_eof(),
            Self::Dropped { ended } => *ended = true,
        }
    }

    /// Pending while there is no room for more content; what was received, once that is
    /// complete.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        settings: &Settings,
    ) -> Poll<Result<Option<Received>, Fault>> {
        Poll::Ready(match self {
            Self::Memory(whole) => whole.take(settings).map_err(Fault::Form),
            Self::File(spool) => match ready!(spool.poll(context, &settings.disk)) {
                Ok(stored) => Ok(stored.map(|stored| Received { content: Some(Content::File(stored)), form: None })),
                Err(error) => Err(Fault::Disk(error)),
            },
            Self::Dropped { ended } => Ok(ended.then_some(Received { content: None, form: None })),
        })
    }

    /// Ready once nothing is being written, for content that is given up.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::File(spool) => spool.poll_idle(context),
            Self::Memory(_) | Self::Dropped { .. } => Poll::Ready(()),
        }
    }
}
