//! The buffers that only a busy connection needs.

use super::Connection;
use super::recv_buffer::Block;
use super::responses::PendingResponses;
use super::state::Receiving;
use crate::message::request::RecycledBuffers;

/// Buffers of one busy connection; an idle one needs none.
///
/// A caller with many connections keeps some of these, passes one to a connection that becomes
/// readable ([`Connection::supply_storage`]) and takes it back when the connection is idle
/// ([`Connection::release_storage`]). This is optional: a connection without storage allocates its
/// own.
#[derive(Debug)]
pub struct Storage {
    block: Block,
    spare: SpareBuffers,
}

/// The buffers of a busy connection other than its receive buffer.
#[derive(Debug, Default)]
pub(super) struct SpareBuffers {
    gathered: Vec<u8>,
    pending: PendingResponses,
    request: RecycledBuffers,
}

impl Storage {
    /// Creates storage with a receive buffer of this size in bytes.
    #[must_use]
    pub fn new(size: usize) -> Self {
        Self::of(Block::new(size))
    }

    fn of(block: Block) -> Self {
        Self { block, spare: SpareBuffers::default() }
    }

    /// Returns the size of the receive buffer, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.block.size()
    }
}

/// Buffers, for callers with many connections.
impl Connection {
    /// Returns the size in bytes of the receive buffer that the connection needs now; `None` if it
    /// has one of that size or does not receive.
    #[must_use]
    pub fn wanted_storage(&self) -> Option<usize> {
        let size = self.wanted_size();
        (self.recv.wants(size) && self.wants_recv()).then_some(size)
    }

    /// Returns the size of the receive buffer in bytes; 0 if the connection has none. An
    /// [`Event::Data`](super::Event::Data) that was just returned is a slice of that buffer, and
    /// keeps all of it allocated.
    #[must_use]
    pub fn storage_size(&self) -> usize {
        self.recv.size()
    }

    /// Gives the connection storage to use. Returns the storage that it replaces, if any.
    pub fn supply_storage(&mut self, storage: Storage) -> Option<Storage> {
        let Storage { block, spare } = storage;
        self.supply_spare(spare);
        let replaced = self.recv.supply_storage(block)?;
        Some(Storage::of(replaced))
    }

    /// Takes the storage of a connection that is idle or closed; returns `None` while it is in use.
    /// Storage is not returned if a piece of content still refers to it; it is freed with that
    /// piece.
    pub fn release_storage(&mut self) -> Option<Storage> {
        if self.state.recv == Receiving::Closed {
            self.recv.consume(usize::MAX);
            self.send.clear();
        } else if !self.is_idle() {
            return None;
        }
        let gathered = self.send.release();
        let pending = self.responses.release();
        let request = core::mem::take(&mut self.recycled);
        let spare = SpareBuffers { gathered, pending, request };
        self.recv.release().map(|block| Storage { block, spare })
    }

    pub(super) fn supply_spare(&mut self, spare: SpareBuffers) {
        let SpareBuffers { gathered, pending, request } = spare;
        self.send.supply_storage(gathered);
        self.responses.supply_storage(pending);
        self.recycled.refill(request);
    }

    pub(super) fn wanted_size(&self) -> usize {
        let limits = &self.config.limits;
        match self.state.recv {
            Receiving::Body | Receiving::Drain if self.content.is_longer_than(limits.recv_size()) => limits.body_size(),
            _ => limits.recv_size(),
        }
    }
}
