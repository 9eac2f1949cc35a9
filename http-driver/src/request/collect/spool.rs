//! Content on its way into a temporary file.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};

use super::settings::Disk;
use crate::observe::Count;
use crate::request::upload::{Stored, create};
use crate::runtime::Blocking;

/// How much is written at once: a turn in the blocking pool costs as much as copying this.
pub(super) const BATCH: usize = 256 << 10;

/// Gathers pieces into batches and writes one while the next is gathered.
///
/// The pieces are copied, because a short one would hold the whole buffer that it was
/// received in.
pub(super) struct Spool {
    /// What the batch had no room for.
    rest: Bytes,
    batch: Vec<u8>,
    /// The batch that was written last, for the next one.
    spare: Vec<u8>,
    length: u64,
    ended: bool,
    state: State,
}

enum State {
    /// Nothing is being written. There is no file before the first batch is.
    Idle(Option<File>),
    /// The file is with what writes it, and so is the batch, to be filled again.
    Writing(Blocking<(File, Vec<u8>)>),
}

impl Spool {
    /// Begins with what was held in memory.
    pub(super) fn new(held: Vec<u8>) -> Self {
        let length = held.len() as u64;
        Self { rest: Bytes::new(), batch: held, spare: Vec::new(), length, ended: false, state: State::Idle(None) }
    }

    /// Only while [`poll`](Self::poll) is ready.
    pub(super) fn receive(&mut self, piece: Bytes) {
        self.length = self.length.saturating_add(piece.len() as u64);
        self.rest = piece;
    }

    /// Only while [`poll`](Self::poll) is ready.
    pub(super) fn handle_eof(&mut self) {
        self.ended = true;
    }

    /// Pending while there is no room for another piece; the file, once all of it is there.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, disk: &Disk) -> Poll<io::Result<Option<Arc<Stored>>>> {
        loop {
            self.gather();
            let is_full = self.batch.len() >= BATCH;
            let file = match &mut self.state {
                State::Writing(writing) => {
                    if let Poll::Ready(written) = writing.as_mut().poll(context) {
                        self.written(written?);
                        continue;
                    }
                    let has_room = self.rest.is_empty() && !self.ended;
                    return if has_room { Poll::Ready(Ok(None)) } else { Poll::Pending };
                }
                State::Idle(file) => file,
            };
            match file.take() {
                Some(file) if self.ended && self.batch.is_empty() => {
                    let stored = Stored::new(file, self.length, disk.pool.clone());
                    return Poll::Ready(Ok(Some(Arc::new(stored))));
                }
                taken if is_full || self.ended => {
                    let next = std::mem::take(&mut self.spare);
                    let batch = std::mem::replace(&mut self.batch, next);
                    self.state = State::Writing(write(taken, batch, disk));
                }
                taken => {
                    *file = taken;
                    return Poll::Ready(Ok(None));
                }
            }
        }
    }

    /// Ready once nothing is being written, for a file that is given up.
    pub(super) fn poll_idle(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let State::Writing(writing) = &mut self.state {
            drop(ready!(writing.as_mut().poll(context)));
            self.state = State::Idle(None);
        }
        Poll::Ready(())
    }

    fn gather(&mut self) {
        let count = BATCH.saturating_sub(self.batch.len()).min(self.rest.len());
        if count == 0 {
            return;
        }
        self.batch.reserve_exact(BATCH.saturating_sub(self.batch.len()));
        self.batch.extend_from_slice(self.rest.get(..count).unwrap_or_default());
        self.rest.advance(count);
        if self.rest.is_empty() {
            // It would hold the buffer that it was received in.
            self.rest = Bytes::new();
        }
    }

    fn written(&mut self, (file, mut batch): (File, Vec<u8>)) {
        self.state = State::Idle(Some(file));
        if batch.capacity() <= BATCH {
            batch.clear();
            self.spare = batch;
        }
    }
}

fn write(file: Option<File>, batch: Vec<u8>, disk: &Disk) -> Blocking<(File, Vec<u8>)> {
    let directory = if file.is_none() { Some(disk.directory.clone()) } else { None };
    if directory.is_some() {
        disk.tally.one(Count::Spilled);
    }
    disk.pool.run(move || {
        let mut file = match (file, directory) {
            (Some(file), _) => file,
            (None, directory) => create(&directory.unwrap_or_default())?,
        };
        file.write_all(&batch)?;
        Ok((file, batch))
    })
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spool({} bytes)", self.length)
    }
}
