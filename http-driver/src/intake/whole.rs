//! Content held in memory.

use bytes::Bytes;
use httpants_core::forms::{Action, BadForm, Intake, Limits, urlencoded};

use super::spool::Spool;
use super::{Received, Settings};
use crate::body::Collected;
use crate::upload::{Content, Form};

/// Content that is in memory so far; a single piece stays where it was received.
#[derive(Debug)]
pub(super) struct Whole {
    collected: Collected,
    kind: Kind,
    /// How long it is announced to be.
    length: Option<u64>,
    ended: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Moves to a file where it is too large.
    Raw,
    /// Is refused then.
    Urlencoded,
    /// Is dropped then, or moves where that is asked for: a multipart form's.
    Form,
}

/// Where the content goes on.
#[derive(Debug)]
pub(super) enum Next {
    Memory,
    File(Spool),
    Dropped,
}

impl Whole {
    pub(super) fn raw(length: Option<u64>) -> Self {
        Self { collected: Collected::default(), kind: Kind::Raw, length, ended: false }
    }

    pub(super) fn form(length: Option<u64>) -> Self {
        Self { kind: Kind::Form, ..Self::raw(length) }
    }

    pub(super) fn urlencoded(length: Option<u64>, limits: &Limits) -> Result<Self, BadForm> {
        Intake::new(limits).begin_urlencoded(length)?;
        Ok(Self { kind: Kind::Urlencoded, ..Self::raw(length) })
    }

    /// Takes a piece; once the content is too large, it goes on elsewhere.
    pub(super) fn receive(&mut self, piece: Bytes, limits: &Limits) -> Result<Next, BadForm> {
        Ok(match self.action(piece.len(), limits)? {
            Action::Keep => {
                self.collected.push(piece, self.length);
                Next::Memory
            }
            Action::Spill | Action::Write => {
                let mut spool = Spool::new(std::mem::take(&mut self.collected).into_bytes().into());
                spool.receive(piece);
                Next::File(spool)
            }
            Action::Drop => Next::Dropped,
        })
    }

    /// Asks from the beginning each time, which is cheaper than to keep what is known in
    /// every connection.
    fn action(&self, length: usize, limits: &Limits) -> Result<Action, BadForm> {
        let mut intake = Intake::new(limits);
        match self.kind {
            Kind::Raw => intake.begin_raw(self.length)?,
            Kind::Urlencoded => intake.begin_urlencoded(self.length)?,
            Kind::Form => intake.begin_body(self.length)?,
        }
        if self.collected.len() > 0 {
            // What is held already was kept.
            let _ = intake.data(self.collected.len())?;
        }
        intake.data(length)
    }

    pub(super) fn handle_eof(&mut self) {
        self.ended = true;
    }

    /// What was received, once it is complete.
    pub(super) fn take(&mut self, settings: &Settings) -> Result<Option<Received>, BadForm> {
        if !self.ended {
            return Ok(None);
        }
        let content = std::mem::take(&mut self.collected).into_bytes();
        let form = match self.kind {
            Kind::Raw | Kind::Form => None,
            Kind::Urlencoded => {
                let post = urlencoded::parse(&content, &settings.variables)?;
                Some(Box::new(Form { post, ..Form::default() }))
            }
        };
        Ok(Some(Received { content: Some(Content::Memory(content)), form }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::runtime::Runtime;

    #[test]
    fn a_single_piece_is_not_copied() {
        let settings = Settings::new(Memory::new().blocking_pool());
        for length in [None, Some(2), Some(256 << 10)] {
            let piece = Bytes::from_static(b"{}");
            let mut whole = Whole::raw(length);
            assert!(matches!(whole.receive(piece.clone(), &settings.limits), Ok(Next::Memory)));
            whole.handle_eof();
            let Some(Received { content: Some(Content::Memory(content)), form: None }) = whole.take(&settings).unwrap()
            else {
                panic!("it is in memory");
            };
            assert_eq!(content.as_ptr(), piece.as_ptr());
        }
    }

    #[test]
    fn what_is_known_to_be_large_is_not_held_in_vain() {
        let limits = Limits::default();
        for (length, leaves) in [(256 << 10, false), ((256 << 10) + 1, true)] {
            let next = Whole::raw(Some(length)).receive(Bytes::from_static(b"first"), &limits).unwrap();
            assert_eq!(matches!(next, Next::File(_)), leaves);
        }
    }
}
