//! The answers of one connection, until their last bytes have left.

use std::collections::VecDeque;

use httpants_core::{Answered, CloseReason, Connection, Now, Request, Sending};

use super::line::Record;
use super::{AccessLog, has_subscriber, tell};

/// How many bytes of heads may be kept for answers that a peer is slow to take. What is
/// beyond is told before it has left.
const KEPT: usize = 64 << 10;

/// What is to be told of the requests of a connection.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    current: Option<Entry>,
    waiting: VecDeque<Waiting>,
    kept: usize,
}

/// A request that is being answered.
#[derive(Debug)]
struct Entry {
    request: Option<Request>,
    received: Now,
    /// How many answers the connection had begun before.
    answers: u64,
}

/// An answer that is complete, or broke off, and leaves.
#[derive(Debug)]
struct Waiting {
    entry: Entry,
    answered: Option<Answered>,
    reason: Option<CloseReason>,
    /// How many bytes have left the connection when all of it has.
    end: u64,
}

impl Trail {
    /// A request came; the one before is over.
    pub(crate) fn begin(&mut self, core: &Connection, request: &Request, log: Option<&AccessLog>) {
        self.over(core, None);
        self.kept += request.head().len();
        self.current =
            Some(Entry { request: Some(request.clone()), received: request.received(), answers: core.answers() });
        while self.kept > KEPT && !self.waiting.is_empty() {
            self.tell_first(core, log);
        }
    }

    /// What was refused was no request; it was answered.
    pub(crate) fn refused(&mut self, core: &Connection, reason: CloseReason) {
        self.current = Some(Entry { request: None, received: core.now(), answers: core.answers().saturating_sub(1) });
        self.over(core, Some(reason));
    }

    pub(crate) fn has_current(&self) -> bool {
        self.current.is_some()
    }

    /// Tells what has left since.
    pub(crate) fn advance(&mut self, core: &Connection, log: Option<&AccessLog>) {
        let begun = self.current.as_ref().is_some_and(|entry| entry.answers < core.answers());
        if begun && !matches!(core.state().send, Sending::Head | Sending::Content) {
            self.over(core, None);
        }
        while self.waiting.front().is_some_and(|first| first.end <= core.sent()) {
            self.tell_first(core, log);
        }
    }

    /// Nothing is added to the answer to the current request any more.
    pub(crate) fn over(&mut self, core: &Connection, reason: Option<CloseReason>) {
        if let Some(entry) = self.current.take() {
            let answered = core.answered().filter(|_| entry.answers < core.answers());
            self.waiting.push_back(Waiting { entry, answered, reason, end: core.sent() + core.unsent() });
        }
    }

    /// Nothing more leaves.
    pub(crate) fn end(&mut self, core: &Connection, log: Option<&AccessLog>) {
        self.over(core, None);
        while !self.waiting.is_empty() {
            self.tell_first(core, log);
        }
    }

    fn tell_first(&mut self, core: &Connection, log: Option<&AccessLog>) {
        let Some(Waiting { entry, answered, reason, end }) = self.waiting.pop_front() else { return };
        let unsent = end.saturating_sub(core.sent());
        let request = entry.request.as_ref();
        self.kept = self.kept.saturating_sub(request.map_or(0, |request| request.head().len()));
        let record = Record {
            request,
            remote_ip: request.map_or(core.peer().remote.ip(), Request::remote_ip),
            received: entry.received.wall,
            status: answered.map(|answered| answered.status),
            bytes: answered.map_or(0, |answered| answered.content.saturating_sub(unsent)),
            complete: unsent == 0 && answered.is_some_and(|answered| answered.whole),
            duration: request.map(|_| core.now().mono.saturating_sub(entry.received.mono)),
            reason,
        };
        if let Some(log) = log {
            log.write(&record);
        }
        if has_subscriber() {
            tell(&record);
        }
    }
}
