//! The responses whose last byte has not left yet, for [`Event::ResponseEnd`](super::Event).

use http::StatusCode;

use super::events::ResponseStats;
use crate::message::request::RequestId;

/// The progress of the response to a request, from
/// [`Connection::response_state`](super::Connection::response_state).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponseState {
    /// Its head is expected.
    Expected,
    /// Its head was given, its end is expected.
    Begun,
    /// It is finished.
    Finished,
    /// The connection has ended, or is about to: nothing can be sent for it any more.
    Closed,
}

impl ResponseState {
    /// Returns true if nothing can be sent for it any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Finished | Self::Closed)
    }
}

/// Counts what is queued and sent, and knows where each response ends in it.
#[derive(Debug)]
pub(super) struct Responses {
    /// The one that is being made, or is to be, where `is_open`.
    current: ResponseStats,
    is_open: bool,
    /// Those that are complete or given up and leave, in order, behind some that have left.
    leaving: Leaving,
    /// How many of them have left, or never will, and were reported.
    reported: usize,
    /// Where the first of the others ends; [`NEVER`] where there is none.
    next_end: u64,
    /// Bytes that have left the connection, heads and framing included.
    sent: u64,
    /// Responses that end up to there have left or never will: `sent`, until the connection
    /// breaks.
    reached: u64,
}

const NEVER: u64 = u64::MAX;
/// This many that were reported are kept before the others move to the front.
const REPORTED: usize = 64;

impl Default for Responses {
    fn default() -> Self {
        Self {
            current: NEW,
            is_open: false,
            leaving: Leaving::default(),
            reported: 0,
            next_end: NEVER,
            sent: 0,
            reached: 0,
        }
    }
}

/// A response, and how many bytes have left the connection when all of it has.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeavingResponse {
    stats: ResponseStats,
    end: u64,
}

pub(super) type Leaving = Vec<LeavingResponse>;

const NEW: ResponseStats = ResponseStats { request: None, status: None, body_bytes: 0, complete: false };

impl Responses {
    /// A request was accepted, or something that was no request is refused.
    pub(super) fn open(&mut self, request: Option<RequestId>) {
        self.current = ResponseStats { request, ..NEW };
        self.is_open = true;
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Its head is queued.
    pub(super) fn begin(&mut self, status: StatusCode) {
        self.current.status = Some(status);
    }

    /// `count` bytes of its body are queued.
    pub(super) fn body(&mut self, count: u64) {
        self.current.body_bytes = self.current.body_bytes.saturating_add(count);
    }

    /// Its last byte is queued.
    pub(super) fn complete(&mut self) {
        self.current.complete = true;
    }

    /// Nothing more is queued for it, while `unsent` bytes wait.
    pub(super) fn close(&mut self, unsent: u64) {
        if core::mem::take(&mut self.is_open) {
            let end = self.sent.saturating_add(unsent).min(NEVER - 1);
            self.next_end = self.next_end.min(end);
            if self.reported > REPORTED {
                self.forget_reported();
            }
            self.leaving.push(LeavingResponse { stats: self.current, end });
        }
    }

    /// The last one that leaves has another body now, and `unsent` bytes wait with it.
    pub(super) fn replace_last(&mut self, body_bytes: u64, unsent: u64) {
        let only = self.leaving.len() == self.reported + 1;
        if let Some(last) = self.leaving.last_mut() {
            last.stats.body_bytes = body_bytes;
            last.end = self.sent.saturating_add(unsent).min(NEVER - 1);
            if only {
                self.next_end = last.end;
            }
        }
    }

    /// What is kept of those that leave, in bytes.
    pub(super) fn memory(&self) -> u64 {
        ((self.leaving.len() - self.reported) * size_of::<LeavingResponse>()) as u64
    }

    pub(super) fn sent(&mut self, count: u64) {
        self.sent = self.sent.saturating_add(count);
        self.reached = self.reached.max(self.sent);
    }

    /// Nothing more leaves.
    pub(super) fn break_off(&mut self) {
        self.reached = NEVER - 1;
    }

    /// Returns true if there is a response that has not left, or was not reported.
    pub(super) fn has_any(&self) -> bool {
        self.is_open || self.next_end != NEVER
    }

    /// Returns true if a response has left, or never will.
    pub(super) fn has_next(&self) -> bool {
        self.next_end <= self.reached
    }

    /// Returns true if something of the next one, framing included, never leaves.
    pub(super) fn is_next_broken(&self) -> bool {
        self.next_end > self.sent
    }

    /// The next response, which has left.
    #[inline]
    pub(super) fn take(&mut self) -> Option<ResponseStats> {
        let stats = self.leaving.get(self.reported)?.stats;
        self.forget_first();
        Some(stats)
    }

    /// The next response, of which something never leaves.
    pub(super) fn take_broken(&mut self) -> Option<ResponseStats> {
        let LeavingResponse { stats, end } = *self.leaving.get(self.reported)?;
        self.forget_first();
        let unsent = end.saturating_sub(self.sent);
        Some(ResponseStats { body_bytes: stats.body_bytes.saturating_sub(unsent), complete: false, ..stats })
    }

    #[inline]
    fn forget_first(&mut self) {
        self.reported += 1;
        if let Some(next) = self.leaving.get(self.reported) {
            self.next_end = next.end;
        } else {
            self.next_end = NEVER;
            self.leaving.clear();
            self.reported = 0;
        }
    }

    #[cold]
    fn forget_reported(&mut self) {
        self.leaving.drain(..self.reported);
        self.reported = 0;
    }

    /// Gives the storage of the queue back where it is empty.
    pub(super) fn release(&mut self) -> Leaving {
        if self.leaving.is_empty() { core::mem::take(&mut self.leaving) } else { Leaving::new() }
    }

    /// Takes storage where there is none.
    pub(super) fn give(&mut self, leaving: Leaving) {
        if self.leaving.capacity() == 0 {
            self.leaving = leaving;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Limits::send_backlog` says so.
    #[test]
    fn a_response_that_leaves_takes_40_bytes() {
        let mut responses = Responses::default();
        assert_eq!(responses.memory(), 0);
        responses.open(Some(RequestId::new(1)));
        responses.close(10);
        assert_eq!(responses.memory(), 40);
        responses.sent(10);
        assert!(responses.has_next() && responses.take().is_some() && !responses.has_next());
        assert_eq!(responses.memory(), 0);
    }

    /// A response of a length that no counter holds is not one that has no end.
    #[test]
    fn a_response_without_measure_is_awaited() {
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
    fn storage_is_passed_on_where_there_is_none() {
        let mut responses = Responses::default();
        responses.give(Leaving::with_capacity(7));
        responses.give(Leaving::with_capacity(70));
        assert_eq!(responses.leaving.capacity(), 7);
        assert_eq!(responses.release().capacity(), 7);
        assert_eq!(responses.leaving.capacity(), 0);
    }

    /// Also where some of them are reported together.
    #[test]
    fn the_queue_does_not_grow_behind_groups() {
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
        assert!(responses.leaving.capacity() <= 4 * REPORTED && responses.memory() == 40);
    }

    /// However long a connection has responses that leave, those that have left take no memory.
    #[test]
    fn the_queue_does_not_grow_behind_what_was_reported() {
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
        assert!(responses.leaving.capacity() <= 2 * REPORTED && responses.memory() == 40);
    }
}
