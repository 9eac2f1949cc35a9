//! A multipart form, taken apart as it arrives.

use std::fmt;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use httpants_core::forms::{Action, BadForm, Boundary, Event, Intake, Limits, Multipart, Part};

use super::Fault;
use super::settings::Disk;
use super::spool::Spool;
use crate::upload::{Content, Form, UploadedFile};

/// Text fields become variables and files files. The parts are held one after the other, so
/// one [`Spool`] at most is under way.
pub(super) struct MultipartIntake {
    multipart: Multipart,
    intake: Intake,
    part: Option<Part>,
    /// The content of the part, while it is in memory. A copy, because a short piece would
    /// hold the whole buffer that it was received in.
    held: Vec<u8>,
    /// The content of the part, once it is too large.
    spool: Option<Spool>,
    form: Box<Form>,
    refused: Option<BadForm>,
}

impl MultipartIntake {
    pub(super) fn new(boundary: &Boundary, limits: &Limits, _keep_blank_values: bool) -> Self {
        Self {
            multipart: Multipart::new(boundary, limits),
            intake: Intake::new(limits),
            part: None,
            held: Vec::new(),
            spool: None,
            form: Box::default(),
            refused: None,
        }
    }

    pub(super) fn receive(&mut self, piece: Bytes) {
        self.multipart.receive(piece);
    }

    pub(super) fn handle_eof(&mut self) {
        self.multipart.handle_eof();
    }

    /// Pending while there is no room for more content; the form, once it is complete.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, disk: &Disk) -> Poll<Result<Option<Box<Form>>, Fault>> {
        loop {
            if let Some(fault) = self.refused {
                return self.give_up(context).map(|()| Err(Fault::Form(fault)));
            }
            if let Some(spool) = &mut self.spool
                && let Some(stored) = ready!(spool.poll(context, disk)).map_err(Fault::Disk)?
            {
                self.spool = None;
                self.push_file(Content::File(stored), disk);
            }
            match self.multipart.poll_event().and_then(|event| self.store(event, disk)) {
                Ok(Step::Stored) => {}
                Ok(Step::NeedMore) => return Poll::Ready(Ok(None)),
                Ok(Step::Complete) => return Poll::Ready(Ok(Some(std::mem::take(&mut self.form)))),
                Err(fault) => self.refused = Some(fault),
            }
        }
    }

    fn store(&mut self, event: Option<Event>, disk: &Disk) -> Result<Step, BadForm> {
        match event {
            None => return Ok(Step::NeedMore),
            Some(Event::End) => return Ok(Step::Complete),
            Some(Event::PartStart(part)) => {
                self.intake.begin(&part);
                self.part = Some(part);
            }
            Some(Event::Data(piece)) => match (self.intake.data(piece.len())?, &mut self.spool) {
                (Action::Keep, _) => self.held.extend_from_slice(&piece),
                (_, Some(spool)) => spool.receive(piece),
                (_, spool) => spool.insert(Spool::new(std::mem::take(&mut self.held))).receive(piece),
            },
            Some(Event::PartEnd) => match &mut self.spool {
                Some(spool) => spool.handle_eof(),
                None => self.end_part(disk),
            },
            Some(_) => {}
        }
        Ok(Step::Stored)
    }

    /// A part ends whose content is in memory.
    fn end_part(&mut self, disk: &Disk) {
        match self.part.take_if(|part| !part.is_file()) {
            Some(part) => self.form.push_text(part, &self.held),
            None => {
                let content = std::mem::take(&mut self.held).into_boxed_slice();
                self.push_file(Content::Memory(content.into()), disk);
            }
        }
        self.held.clear();
    }

    fn push_file(&mut self, content: Content, disk: &Disk) {
        if let Some(part) = self.part.take() {
            self.form.files.push(UploadedFile::new(part, content, disk.pool.clone()));
        }
    }

    /// Drops what was stored; ready once nothing of it is left.
    fn give_up(&mut self, context: &mut Context<'_>) -> Poll<()> {
        *self.form = Form::default();
        if let Some(spool) = &mut self.spool {
            ready!(spool.poll_idle(context));
            self.spool = None;
        }
        Poll::Ready(())
    }
}

enum Step {
    Stored,
    NeedMore,
    Complete,
}

impl fmt::Debug for MultipartIntake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartIntake").field("multipart", &self.multipart).finish_non_exhaustive()
    }
}
