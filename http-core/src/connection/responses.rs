//! The responses whose last byte was not sent yet, for [`Event::ResponseEnd`](super::Event).

use http::StatusCode;

use super::events::ResponseStats;
use crate::message::request::RequestId;

/// The state of the response to a request, from
/// [`Connection::response_state`](super::Connection::response_state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseState {
    /// The head of the response is expected.
    Expected,
    /// The head was queued, and the rest of the response is expected.
    Begun,
    /// The response is finished.
    Finished,
    /// The connection is closed or closing: nothing more of the response can be sent.
    Closed,
}

impl ResponseState {
    /// Returns true if nothing more of the response can be sent.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Closed)
    }
}

/// The queued and sent responses, with the offset at which each of them ends in the sent bytes.
#[derive(Debug)]
pub(super) struct Responses {
    /// The response that is expected or being queued, if `is_open`.
    current: ResponseStats,
    is_open: bool,
    /// Responses that are complete or aborted and being sent, in order. The first `reported`
    /// entries are obsolete.
    pending: PendingResponses,
    /// Number of responses at the front of `pending` that were sent or have failed, and were
    /// reported.
    reported: usize,
    /// Offset of the end of the first response that was not reported; [`NEVER`] if there is none.
    next_end: u64,
    /// Number of bytes that the connection has sent, including heads and framing.
    sent: u64,
    /// Offset up to which responses were sent or have failed; equal to `sent` until the connection
    /// breaks.
    reached: u64,
}

const NEVER: u64 = u64::MAX;
/// Maximum number of reported entries that are kept before the others are moved to the front.
const REPORTED: usize = 64;

impl Default for Responses {
    fn default() -> Self {
        Self {
            current: NEW,
            is_open: false,
            pending: PendingResponses::default(),
            reported: 0,
            next_end: NEVER,
            sent: 0,
            reached: 0,
        }
    }
}

/// A response, and the offset of its end in the bytes that the connection sends.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingResponse {
    stats: ResponseStats,
    end: u64,
}

pub(super) type PendingResponses = Vec<PendingResponse>;

const NEW: ResponseStats = ResponseStats { request: None, status: None, body_bytes: 0, complete: false };

impl Responses {
    /// Begins the response to an accepted request, or to refused input that is not a request.
    pub(super) fn open(&mut self, request: Option<RequestId>) {
        self.current = ResponseStats { request, ..NEW };
        self.is_open = true;
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Records that the head is queued.
    pub(super) fn begin(&mut self, status: StatusCode) {
        self.current.status = Some(status);
    }

    /// Records that `count` bytes of the body are queued.
    pub(super) fn body(&mut self, count: u64) {
        self.current.body_bytes = self.current.body_bytes.saturating_add(count);
    }

    /// Records that the last byte is queued.
    pub(super) fn complete(&mut self) {
        self.current.complete = true;
    }

    /// Ends the current response, when `unsent` bytes wait to be sent.
    pub(super) fn close(&mut self, unsent: u64) {
        if core::mem::take(&mut self.is_open) {
            let end = self.sent.saturating_add(unsent).min(NEVER - 1);
            self.next_end = self.next_end.min(end);
            if self.reported > REPORTED {
                self.forget_reported();
            }
            self.pending.push(PendingResponse { stats: self.current, end });
        }
    }

    /// Records that the last response has another body now, and that `unsent` bytes wait to be
    /// sent.
    pub(super) fn replace_last(&mut self, body_bytes: u64, unsent: u64) {
        let only = self.pending.len() == self.reported + 1;
        if let Some(last) = self.pending.last_mut() {
            last.stats.body_bytes = body_bytes;
            last.end = self.sent.saturating_add(unsent).min(NEVER - 1);
            if only {
                self.next_end = last.end;
            }
        }
    }

    /// Returns the memory in bytes of the responses that are being sent.
    pub(super) fn memory(&self) -> u64 {
        ((self.pending.len() - self.reported) * size_of::<PendingResponse>()) as u64
    }

    pub(super) fn sent(&mut self, count: u64) {
        self.sent = self.sent.saturating_add(count);
        self.reached = self.reached.max(self.sent);
    }

    /// Records that nothing more is sent.
    pub(super) fn break_off(&mut self) {
        self.reached = NEVER - 1;
    }

    /// Returns true if a response was not sent or not reported.
    pub(super) fn has_any(&self) -> bool {
        self.is_open || self.next_end != NEVER
    }

    /// Returns true if a response was sent or has failed, and was not reported.
    pub(super) fn has_next(&self) -> bool {
        self.next_end <= self.reached
    }

    /// Returns true if part of the next response, framing included, will never be sent.
    pub(super) fn is_next_broken(&self) -> bool {
        self.next_end > self.sent
    }

    /// Takes the next response, which was sent.
    #[inline]
    pub(super) fn take(&mut self) -> Option<ResponseStats> {
        let stats = self.pending.get(self.reported)?.stats;
        self.forget_first();
        Some(stats)
    }

    /// Takes the next response, of which part will never be sent.
    pub(super) fn take_broken(&mut self) -> Option<ResponseStats> {
        let PendingResponse { stats, end } = *self.pending.get(self.reported)?;
        self.forget_first();
        let unsent = end.saturating_sub(self.sent);
        Some(ResponseStats { body_bytes: stats.body_bytes.saturating_sub(unsent), complete: false, ..stats })
    }

    #[inline]
    fn forget_first(&mut self) {
        self.reported += 1;
        if let Some(next) = self.pending.get(self.reported) {
            self.next_end = next.end;
        } else {
            self.next_end = NEVER;
            self.pending.clear();
            self.reported = 0;
        }
    }

    #[cold]
    fn forget_reported(&mut self) {
        self.pending.drain(..self.reported);
        self.reported = 0;
    }

    /// Returns the storage of the queue if it is empty.
    pub(super) fn release(&mut self) -> PendingResponses {
        if self.pending.is_empty() { core::mem::take(&mut self.pending) } else { PendingResponses::new() }
    }

    /// Accepts storage if there is none.
    pub(super) fn supply_storage(&mut self, pending: PendingResponses) {
        if self.pending.capacity() == 0 {
            self.pending = pending;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Limits::send_backlog` documents this size.
    #[test]
    fn unsent_response_takes_40_bytes() {
        let mut responses = Responses::default();
        assert_eq!(responses.memory(), 0);
        responses.open(Some(RequestId::new(1)));
        responses.close(10);
        assert_eq!(responses.memory(), 40);
        responses.sent(10);
        assert!(responses.has_next() && responses.take().is_some() && !responses.has_next());
        assert_eq!(responses.memory(), 0);
    }

    /// A length that overflows the counter must not be taken for [`NEVER`].
    #[test]
    fn response_of_overflowing_length_is_not_ended() {
        let mut responses = Responses::default();
        responses.open(Some(RequestId::new(1)));
        responses.close(u64::MAX);
        assert!(responses.has_any() && !responses.has_next());
        responses.replace_last(1, u64::MAX);
        assert!(responses.has_any() && !responses.has_next());
        responses.break_off();
        assert!(responses.has_next() && responses.is_next_broken());
        assert!(responses.take_broken().is_some_and(|stats| !stats.complete));
        assert!(!responses.has_any());
    }

    #[test]
    fn supplied_storage_is_used_only_if_there_is_none() {
        let mut responses = Responses::default();
        responses.supply_storage(PendingResponses::with_capacity(7));
        responses.supply_storage(PendingResponses::with_capacity(70));
        assert_eq!(responses.pending.capacity(), 7);
        assert_eq!(responses.release().capacity(), 7);
        assert_eq!(responses.pending.capacity(), 0);
    }

    /// Includes responses that are reported in groups.
    #[test]
    fn queue_does_not_grow_with_grouped_responses() {
        let mut responses = Responses::default();
        responses.open(None);
        responses.close(0);
        for _ in 0..10_000 {
            for _ in 0..3 {
                responses.open(None);
                responses.close(0);
            }
            (0..3).for_each(|_| assert!(responses.take().is_some()));
        }
        assert!(responses.pending.capacity() <= 4 * REPORTED && responses.memory() == 40);
    }

    /// Responses that were sent take no memory, even if others are being sent all the time.
    #[test]
    fn queue_does_not_grow_with_reported_responses() {
        let mut responses = Responses::default();
        for index in 1..10_000 {
            responses.open(Some(RequestId::new(index)));
            responses.close(10);
            responses.sent(if index == 1 { 0 } else { 10 });
            assert_eq!(responses.has_next(), index > 1);
            if index > 1 {
                let taken = responses.take().and_then(|stats| stats.request);
                assert_eq!(taken, Some(RequestId::new(index - 1)));
            }
        }
        assert!(responses.pending.capacity() <= 2 * REPORTED && responses.memory() == 40);
    }
}
