//! The responses whose last byte has not left yet, for [`Event::ResponseEnd`](super::Event).

use std::collections::VecDeque;

use http::StatusCode;

use super::event::ResponseStats;
use crate::message::request::RequestId;

/// Counts what is queued and sent, and knows where each response ends in it.
#[derive(Debug, Default)]
pub(super) struct Responses {
    /// The one that is being made, or is to be.
    current: Option<Response>,
    /// Those that are complete or given up, and leave, in order.
    leaving: Leaving,
    /// Bytes that have left the connection, heads and framing included.
    sent: u64,
    /// The connection broke: nothing more leaves.
    broken: bool,
}

/// Responses, and how many bytes have left the connection when all of each has.
pub(super) type Leaving = VecDeque<(Response, u64)>;

#[derive(Clone, Copy, Debug)]
pub(super) struct Response {
    /// 0 where there was none.
    request: RequestId,
    status: Option<StatusCode>,
    body: u64,
    complete: bool,
}

impl Responses {
    /// A request was accepted, or something that was no request is refused.
    pub(super) fn open(&mut self, request: Option<RequestId>) {
        let request = request.unwrap_or_default();
        self.current = Some(Response { request, status: None, body: 0, complete: false });
    }

    pub(super) fn is_open(&self) -> bool {
        self.current.is_some()
    }

    /// Its head is queued.
    pub(super) fn begin(&mut self, status: StatusCode) {
        if let Some(current) = &mut self.current {
            current.status = Some(status);
        }
    }

    /// `count` bytes of its body are queued.
    pub(super) fn body(&mut self, count: u64) {
        if let Some(current) = &mut self.current {
            current.body = current.body.saturating_add(count);
        }
    }

    /// Its last byte is queued.
    pub(super) fn complete(&mut self) {
        if let Some(current) = &mut self.current {
            current.complete = true;
        }
    }

    /// Nothing more is queued for it, while `unsent` bytes wait.
    pub(super) fn close(&mut self, unsent: u64) {
        if let Some(current) = self.current.take() {
            self.leaving.push_back((current, self.sent.saturating_add(unsent)));
        }
    }

    /// What is kept of those that leave, in bytes.
    pub(super) fn memory(&self) -> u64 {
        (self.leaving.len() * size_of::<(Response, u64)>()) as u64
    }

    pub(super) fn sent(&mut self, count: u64) {
        self.sent = self.sent.saturating_add(count);
    }

    /// Nothing more leaves.
    pub(super) fn break_off(&mut self) {
        self.broken = true;
    }

    /// The next response that has left, or never will.
    pub(super) fn poll(&mut self) -> Option<ResponseStats> {
        let end = self.leaving.front()?.1;
        if end > self.sent && !self.broken {
            return None;
        }
        let (response, _) = self.leaving.pop_front()?;
        let unsent = end.saturating_sub(self.sent);
        Some(ResponseStats {
            request: (response.request != RequestId::default()).then_some(response.request),
            status: response.status,
            body_bytes: response.body.saturating_sub(unsent),
            complete: unsent == 0 && response.complete,
        })
    }

    pub(super) fn has_next(&self) -> bool {
        self.leaving.front().is_some_and(|(_, end)| *end <= self.sent || self.broken)
    }

    /// Gives the storage of the queue back where it is empty.
    pub(super) fn release(&mut self) -> Leaving {
        if self.leaving.is_empty() { std::mem::take(&mut self.leaving) } else { Leaving::new() }
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
    fn a_response_that_leaves_takes_32_bytes() {
        let mut responses = Responses::default();
        assert_eq!(responses.memory(), 0);
        responses.open(Some(RequestId::new(1)));
        responses.close(10);
        assert_eq!(responses.memory(), 32);
        responses.sent(10);
        assert!(responses.poll().is_some() && responses.poll().is_none());
        assert_eq!(responses.memory(), 0);
    }
}
