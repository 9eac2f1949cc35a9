//! The queue between the connection's task and the reader of a request body.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};
use httpants_core::{Headers, RequestHead, RequestId};

use super::BodyError;

/// Maximum number of bytes received ahead of the reader.
const READ_AHEAD: usize = 64 << 10;

/// A bounded queue of pieces. The connection's task fills it after the reader asked for the body,
/// until the queue is full; the reader drains it.
///
/// Large pieces are slices of the receive buffer. Small ones would each keep the whole buffer from
/// being reused, so they are copied together: a reader that keeps everything holds at most twice
/// the bytes and a constant per piece. Small pieces of one read become one piece, because the task
/// takes all events of a read under one lock.
#[derive(Debug)]
pub(super) struct BodyQueue {
    request: RequestId,
    pieces: VecDeque<Bytes>,
    /// Small pieces that follow `pieces`, copied together.
    gathered: BytesMut,
    size: usize,
    end: Option<Result<Headers, BodyError>>,
    /// True if the body was asked for and the queue has not been full since then.
    asked: bool,
    /// True if the client waits for `100 Continue`.
    continue_expected: bool,
    reader: Option<Waker>,
}

impl BodyQueue {
    pub(super) fn new(head: &RequestHead) -> Self {
        Self {
            request: head.id(),
            pieces: VecDeque::new(),
            gathered: BytesMut::new(),
            size: 0,
            end: None,
            asked: false,
            continue_expected: head.expects_continue(),
            reader: None,
        }
    }

    pub(super) fn request(&self) -> RequestId {
        self.request
    }

    /// Adds a piece, as a copy if it is shorter than `copied`; returns whether the queue is now
    /// full.
    pub(super) fn push(&mut self, piece: Bytes, copied: usize) -> bool {
        self.size += piece.len();
        if piece.len() < copied {
            self.gathered.extend_from_slice(&piece);
        } else {
            if !self.gathered.is_empty() {
                self.pieces.push_back(std::mem::take(&mut self.gathered).freeze());
            }
            self.pieces.push_back(piece);
        }
        let is_full = self.size >= READ_AHEAD;
        self.asked &= !is_full;
        is_full
    }

    pub(super) fn end(&mut self, end: Result<Headers, BodyError>) {
        self.end.get_or_insert(end);
    }

    pub(super) fn trailers(&self) -> Option<&Headers> {
        self.end.as_ref().and_then(|end| end.as_ref().ok())
    }

    /// Returns the next piece, `None` at the end of the body, or its error.
    pub(super) fn poll(&mut self) -> Poll<Option<Result<Bytes, BodyError>>> {
        let gathered = &mut self.gathered;
        let piece =
            self.pieces.pop_front().or_else(|| (!gathered.is_empty()).then(|| std::mem::take(gathered).freeze()));
        match (piece, &self.end) {
            (Some(piece), _) => {
                self.size -= piece.len();
                Poll::Ready(Some(Ok(piece)))
            }
            (None, Some(Ok(_))) => Poll::Ready(None),
            (None, Some(Err(error))) => Poll::Ready(Some(Err(error.clone()))),
            (None, None) => Poll::Pending,
        }
    }

    /// Records that the reader asks for the body. Returns `None` if it has asked before and the
    /// queue was not full since then, otherwise whether `100 Continue` must be sent now.
    pub(super) fn ask(&mut self) -> Option<bool> {
        (!std::mem::replace(&mut self.asked, true)).then(|| std::mem::take(&mut self.continue_expected))
    }

    pub(super) fn reader(&mut self) -> &mut Option<Waker> {
        &mut self.reader
    }

    pub(super) fn take_reader(&mut self) -> Option<Waker> {
        self.reader.take()
    }
}

#[cfg(test)]
mod tests {
    use httpants_core::{Config, Connection, ConnectionInfo, Event, Now};

    use super::*;

    fn queue() -> BodyQueue {
        let mut core = Connection::new(Config::default().into(), ConnectionInfo::default(), Now::default());
        let _ = core.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n", Now::default());
        let Some(Event::Request(head)) = core.poll_event() else { panic!("no request") };
        BodyQueue::new(&head)
    }

    fn next(queue: &mut BodyQueue) -> Bytes {
        let Poll::Ready(Some(Ok(piece))) = queue.poll() else { panic!("no piece") };
        piece
    }

    #[test]
    fn small_pieces_are_copied_together_and_others_stay_slices() {
        let mut queue = queue();
        let whole = Bytes::from_static(b"abcdefghij");
        for range in [0..2, 2..4, 4..7, 7..10, 0..1] {
            assert!(!queue.push(whole.slice(range), 3));
        }
        assert_eq!(next(&mut queue), "abcd");
        assert_eq!(next(&mut queue).as_ptr(), whole[4..].as_ptr());
        assert_eq!(next(&mut queue).as_ptr(), whole[7..].as_ptr());
        assert_eq!(next(&mut queue), "a");
        assert!(queue.poll().is_pending());
    }

    #[test]
    fn drained_queue_asks_for_the_body_again() {
        let mut queue = queue();
        assert_eq!((queue.ask(), queue.ask()), (Some(false), None), "no client waits for 100 Continue");
        for _ in 0..2 {
            assert!(!queue.push(Bytes::from(vec![0; READ_AHEAD - 1]), 0));
            assert_eq!(queue.ask(), None);
            assert!(queue.push(Bytes::from_static(b"x"), 0));
            assert_eq!(queue.ask(), Some(false));
            assert_eq!((next(&mut queue).len(), next(&mut queue).len()), (READ_AHEAD - 1, 1));
        }
    }
}
