//! An adapter that moves the buffers out of the connection, and commands with outdated request ids.

use httpants_core::{
    BodyLen, Connection, ConnectionInfo, FieldLines, Misuse, RequestId, ResponseHead, Sending, Storage, Transmit,
    TransmitQueue, Transmitted,
};

use super::world::World;

impl World {
    /// Moves an idle connection into the value that another connection has left, or into a new one.
    fn move_idle(&mut self) {
        let (deadline, state) = (self.connection.poll_timeout(), self.connection.state());
        let Some(idle) = self.connection.take_idle() else { return };
        let config = self.config.clone().into();
        let other = self.vacated.take().unwrap_or_else(|| Connection::new(config, ConnectionInfo::default(), self.now));
        self.vacated = Some(std::mem::replace(&mut self.connection, other));
        self.connection.restore(idle, self.now);
        assert_eq!((self.connection.poll_timeout(), self.connection.state()), (deadline, state));
    }

    /// Supplies or releases storage.
    pub(super) fn exchange_storage(&mut self, choice: u8) {
        if choice % 3 == 2 {
            self.move_idle();
        }
        match self.storage.take() {
            // The returned storage is dropped and not supplied again.
            Some(_) if choice % 8 == 7 => {}
            Some(storage) => {
                self.lent = self.lent.max(storage.size());
                self.storage = self.connection.supply_storage(storage);
            }
            None if self.connection.is_idle() => self.storage = self.connection.release_storage(),
            None => {
                let wanted = self.connection.wanted_storage().unwrap_or(100);
                self.storage = Some(Storage::new([16, 100, wanted][usize::from(choice) % 3]));
            }
        }
    }

    /// Moves the receive buffer out, or returns it with at most `most` bytes.
    pub(super) fn lend_recv(&mut self, most: usize) {
        let Some(mut buffer) = self.buffer.take() else {
            let wanted = self.connection.wants_recv();
            self.buffer = self.connection.lend_recv_buf();
            assert_eq!(self.buffer.is_some(), wanted);
            assert!(self.connection.lend_recv_buf().is_none() && self.connection.recv_buf().is_empty());
            return;
        };
        let room = buffer.room();
        assert!(!room.is_empty());
        let most = if self.end_of_stream { 0 } else { most };
        let count = most.min(room.len()).min(self.unsent().len());
        room[..count].copy_from_slice(&self.to_send[self.sent.bytes.len()..][..count]);
        self.connection.return_recv_buf(buffer, count, self.now);
        self.has_sent(count);
    }

    /// Moves out the waiting bytes, and sends `most` of them; 0 means all.
    pub(super) fn take_transmit(&mut self, most: u64) {
        if self.connection.state().send == Sending::Closed {
            // The transport is closed.
            self.queue = TransmitQueue::default();
        }
        let waits = self.connection.poll_transmit().is_some();
        assert_eq!(self.connection.take_transmit(&mut self.queue), waits);
        let mut left = if most == 0 { u64::MAX } else { most };
        let mut sent = Transmitted::default();
        while left > 0 {
            let mut bytes = match self.queue.poll() {
                None => break,
                Some(Transmit::Bytes(slices)) => slices.flatten().copied().collect(),
                Some(Transmit::External { length, .. }) => vec![b'F'; usize::try_from(length).unwrap()],
                Some(other) => panic!("{other:?}"),
            };
            assert!(!bytes.is_empty(), "an empty transmit");
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= bytes.len() as u64;
            sent += self.queue.advance(bytes.len() as u64);
            self.out.extend_from_slice(&bytes);
        }
        self.connection.handle_transmitted(&mut self.queue, sent, self.now);
    }

    /// Returns the number of bytes that wait in the queue before the first file.
    pub(super) fn waiting_in_queue(&self) -> usize {
        match self.queue.poll() {
            Some(Transmit::Bytes(slices)) => slices.map(<[u8]>::len).sum(),
            _ => 0,
        }
    }

    /// Checks that a command for a request that is not outstanding fails and changes nothing.
    pub(super) fn check_stale_command(&mut self, command: u8, request: u8) {
        let known = self.given.get(usize::from(request) % (self.given.len() + 1)).map(|given| given.id);
        let id = known.unwrap_or_default();
        if !self.connection.response_state(id).is_over() {
            return;
        }
        let before = (self.connection.state(), self.connection.poll_timeout(), self.waiting_in_queue());
        let shown = format!("{:?}", self.connection);
        let refused = self.command(id, command);
        assert!(matches!(refused, Err(Misuse::NoRequest | Misuse::Closed)), "{refused:?}");
        assert_eq!(shown, format!("{:?}", self.connection));
        assert_eq!(before, (self.connection.state(), self.connection.poll_timeout(), self.waiting_in_queue()));
    }

    fn command(&mut self, id: RequestId, command: u8) -> Result<(), Misuse> {
        let (connection, head) = (&mut self.connection, ResponseHead::default());
        match command % 18 {
            0 => connection.respond(id, &head, BodyLen::Unknown),
            1 => connection.respond_with(id, &head, "check_stale_command"),
            2 => connection.respond_upgrade(id, &head),
            3 => connection.send(id, "check_stale_command"),
            4 => connection.send_external(id, 7, 0, 5),
            5 => connection.finish(id),
            6 => connection.finish_with_trailers(id, &FieldLines::new()),
            7 => connection.send_continue(id),
            8 => connection.abort(id),
            9 => connection.set_max_body_size(id, 0),
            10 => connection.pause(id),
            11 => connection.resume(id),
            12 => connection.poll_send_room(id).map(drop),
            13 => connection.response_fields_mut(id).map(|_| ()),
            14 => connection.response_writer(id).send_response("check_stale_command", 200, "text/plain"),
            15 => connection.send_interim(id, 103, &FieldLines::new()).map(drop),
            16 => connection.set_body_decoded(id).map(drop),
            _ => connection.response_writer(id).finish(),
        }
    }
}
