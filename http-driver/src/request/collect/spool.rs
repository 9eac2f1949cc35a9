//! The writer of a body into a temporary file.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};

use super::settings::Disk;
use crate::descriptors::Permit;
use crate::observe::Count;
use crate::request::upload::{Stored, create};
use crate::runtime::Blocking;

/// Size of one write in bytes. One call of the blocking pool costs about as much as copying this.
pub(super) const BATCH: usize = 256 << 10;

/// Collects pieces into batches and writes one batch while the next is filled.
///
/// The pieces are copied, because a short one would keep its whole receive buffer alive.
pub(super) struct Spool {
    batch: Vec<u8>,
    length: u64,
    state: State,
    permit: Option<Permit>,
}

enum State {
    /// Nothing is being written. The file is created with the first batch; the buffer is for the
    /// next batch.
    Idle(Option<File>, Vec<u8>),
    /// A batch is being written. The blocking pool has the file and the batch, and returns both.
    Writing(Blocking<(File, Vec<u8>)>),
}

impl Spool {
    /// Creates a spool that begins with the bytes held in memory so far. Files after the first one
    /// of a request need a permit.
    pub(super) fn new(held: Vec<u8>, permit: Option<Permit>) -> Self {
        Self { length: held.len() as u64, batch: held, state: State::Idle(None, Vec::new()), permit }
    }

    /// Adds a piece. Waits while one batch is being written and the next is full.
    pub(super) async fn push(&mut self, piece: &[u8], disk: &Disk) -> io::Result<()> {
        self.length = self.length.saturating_add(piece.len() as u64);
        let mut rest = piece;
        loop {
            let room = BATCH.saturating_sub(self.batch.len());
            let (front, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            if !front.is_empty() {
                self.batch.reserve_exact(room);
                self.batch.extend_from_slice(front);
            }
            rest = after;
            if self.batch.len() >= BATCH {
                self.write(disk).await?;
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes the rest and returns the file.
    pub(super) async fn finish(mut self, disk: &Disk) -> io::Result<Stored> {
        loop {
            match self.idle().await? {
                (Some(file), _) if self.batch.is_empty() => {
                    return Ok(Stored::new(file, self.length, disk.pool.clone(), self.permit));
                }
                (file, spare) => self.state = State::Idle(file, spare),
            }
            self.write(disk).await?;
        }
    }

    /// Waits for pending writes, then drops the file.
    pub(super) async fn discard(mut self) {
        let _ = self.idle().await;
    }

    /// Starts to write the batch, after the previous write has ended.
    async fn write(&mut self, disk: &Disk) -> io::Result<()> {
        let (file, spare) = self.idle().await?;
        let batch = std::mem::replace(&mut self.batch, spare);
        self.state = State::Writing(write(file, batch, disk));
        Ok(())
    }

    /// Waits for pending writes; returns the file and an empty buffer.
    async fn idle(&mut self) -> io::Result<(Option<File>, Vec<u8>)> {
        if let State::Writing(writing) = &mut self.state {
            let written = writing.as_mut().await;
            self.state = State::Idle(None, Vec::new());
            let (file, mut batch) = written?;
            batch.clear();
            let spare = if batch.capacity() <= BATCH { batch } else { Vec::new() };
            self.state = State::Idle(Some(file), spare);
        }
        match std::mem::replace(&mut self.state, State::Idle(None, Vec::new())) {
            State::Idle(file, spare) => Ok((file, spare)),
            State::Writing(_) => Err(io::ErrorKind::Other.into()),
        }
    }
}

fn write(file: Option<File>, batch: Vec<u8>, disk: &Disk) -> Blocking<(File, Vec<u8>)> {
    let directory = if file.is_none() { Some(disk.directory.clone()) } else { None };
    if directory.is_some() {
        disk.metrics.one(Count::Spilled);
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
