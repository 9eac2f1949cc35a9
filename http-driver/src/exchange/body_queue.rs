//! The body of a request on its way from the connection's task to whoever reads it.

use std::collections::VecDeque;
use std::task::{Poll, Waker};

use bytes::{Bytes, BytesMut};
use httpants_core::{Headers, RequestHead, RequestId};

use super::BodyError;

/// How many bytes are received ahead of the reader.
const READ_AHEAD: usize = 64 << 10;

/// A bounded queue of pieces: the task fills it while somebody has asked for the body and it
/// is not full, the reader drains it.
///
/// Large pieces are slices of the receive buffer. Small ones would each keep all of that buffer
/// from being used again, so they are copied behind each other: a reader that keeps everything
/// holds at most twice the bytes and a constant a piece. Small pieces of one read are one, because
/// all of its events are taken under one lock.
#[derive(Debug)]
pub(super) struct BodyQueue {
    request: RequestId,
    pieces: VecDeque<Bytes>,
    /// Small pieces behind those, put together.
    gathered: BytesMut,
    size: usize,
    end: Option<Result<Headers, BodyError>>,
    /// Somebody has asked for the body, and it was not full since.
    asked: bool,
    /// The client waits for `100 Continue`.
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

    /// Adds a piece, a copy of it where it is shorter than `copied`; says whether the queue is
    /// full now.
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

    /// The next piece, or the end.
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

    /// The handler asks for the body. At the first time it says whether `100 Continue` is to
    /// be sent now.
    pub(super) fn ask(&mut self) -> Option<bool> {
        (!std::mem::replace(&mut self.asked, true)).then(|| std::mem::take(&mut self.continue_expected))
    }

    /// The client waits for `100 Continue`; says whether it is to wait on, because nobody has
    /// asked for the body.
    pub(super) fn expect_continue(&mut self) -> bool {
        self.continue_expected = !self.asked;
        self.continue_expected
    }

    pub(super) fn reader(&mut self) -> &mut Option<Waker> {
        &mut self.reader
    }

    pub(super) fn take_reader(&mut self) -> Option<Waker> {
        self.reader.take()
    }
}
