//! Multipart forms, parsed while they are received.

use std::fmt;
use std::io;

use bytes::Bytes;
use httpants_core::forms::{
    Action, Boundary, FormLimits, Multipart, MultipartEvent, ParseFormError, Part, SpillPolicy,
};

use crate::descriptors::{Permit, TEMPORARY_FILES};
use crate::request::collect::error::CollectError;
use crate::request::collect::settings::Disk;
use crate::request::collect::spool::Spool;
use crate::request::forms::{Form, UploadedFile};
use crate::request::upload::Content;

/// The parser of a multipart form: text fields become variables, files become
/// [`UploadedFile`](crate::UploadedFile)s. Parts are processed one after the other, so at most one
/// [`Spool`] is active.
pub(in crate::request::collect) struct MultipartCollector {
    multipart: Multipart,
    policy: SpillPolicy,
    part: Option<Part>,
    /// The content of the current part while it is in memory. It is copied, because a short piece
    /// would keep its whole receive buffer alive.
    held: Vec<u8>,
    /// The content of the current part if it is too large for memory.
    spool: Option<Spool>,
    /// True if the request has a temporary file.
    has_stored: bool,
    form: Box<Form>,
}

impl MultipartCollector {
    pub(super) fn new(boundary: &Boundary, limits: &FormLimits) -> Self {
        Self {
            multipart: Multipart::new(boundary, limits),
            policy: SpillPolicy::new(limits),
            part: None,
            held: Vec::new(),
            spool: None,
            has_stored: false,
            form: Box::default(),
        }
    }

    /// Processes the next piece of the form.
    pub(super) async fn push(&mut self, piece: Bytes, disk: &Disk) -> Result<(), CollectError> {
        self.multipart.receive(piece);
        self.store_events(disk).await
    }

    /// Processes the end of the form.
    pub(super) async fn end(&mut self, disk: &Disk) -> Result<(), CollectError> {
        self.multipart.handle_eof();
        self.store_events(disk).await
    }

    /// Returns the form after its end.
    pub(super) fn into_form(self) -> Box<Form> {
        self.form
    }

    /// Waits for pending writes, then drops what was stored.
    pub(super) async fn discard(self) {
        drop(self.form);
        if let Some(spool) = self.spool {
            spool.discard().await;
        }
    }

    async fn store_events(&mut self, disk: &Disk) -> Result<(), CollectError> {
        while let Some(event) = self.multipart.poll_event()? {
            match event {
                MultipartEvent::PartStart(part) => {
                    self.policy.begin(&part);
                    self.part = Some(part);
                }
                MultipartEvent::Data(piece) => self.store(&piece, disk).await?,
                MultipartEvent::PartEnd => self.end_part(disk).await?,
                _ => {}
            }
        }
        Ok(())
    }

    async fn store(&mut self, piece: &[u8], disk: &Disk) -> Result<(), CollectError> {
        let action = self.policy.data(piece.len()).map_err(|fault: ParseFormError| CollectError::form(fault))?;
        match (action, &mut self.spool) {
            (Action::Keep, _) => {
                self.held.extend_from_slice(piece);
                Ok(())
            }
            (_, Some(spool)) => spool.push(piece, disk).await.map_err(CollectError::disk),
            (_, spool @ None) => {
                let permit = if self.has_stored { Some(permit().map_err(CollectError::disk)?) } else { None };
                self.has_stored = true;
                let spool = spool.insert(Spool::new(std::mem::take(&mut self.held), permit));
                spool.push(piece, disk).await.map_err(CollectError::disk)
            }
        }
    }

    async fn end_part(&mut self, disk: &Disk) -> Result<(), CollectError> {
        if let Some(spool) = self.spool.take() {
            let stored = spool.finish(disk).await.map_err(CollectError::disk)?;
            self.push_file(Content::File(stored.into()), disk);
            return Ok(());
        }
        match self.part.take_if(|part| !part.is_file()) {
            Some(part) => self.form.push_text(part, &self.held),
            None => {
                let content = std::mem::take(&mut self.held).into_boxed_slice();
                self.push_file(Content::Memory(content.into()), disk);
            }
        }
        self.held.clear();
        Ok(())
    }

    fn push_file(&mut self, content: Content, disk: &Disk) {
        if let Some(part) = self.part.take() {
            self.form.files.push(UploadedFile::new(part, content, disk.pool.clone()));
        }
    }
}

/// Returns a permit for a temporary file after the first one of a request.
fn permit() -> io::Result<Permit> {
    let too_many = || io::Error::new(io::ErrorKind::QuotaExceeded, "too many temporary files of forms");
    TEMPORARY_FILES.take().ok_or_else(too_many)
}

impl fmt::Debug for MultipartCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultipartCollector").field("multipart", &self.multipart).finish_non_exhaustive()
    }
}
