//! What a connection does, for the counters and the access log of its server.

use std::sync::Arc;

use httpants_core::{CloseReason, Connection, Request};

use super::access_log::{self, AccessLog, Trail};
use super::counters::{Count, Tally};
use crate::request::collect::Settings;

/// What all connections of a server tell.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) tally: Arc<Tally>,
    pub(crate) log: Option<Arc<AccessLog>>,
}

/// The observer of one connection.
#[derive(Debug)]
pub(crate) struct Observer {
    observed: Observed,
    /// How many answers were counted.
    answers: u64,
    /// Once there is something to tell, and somebody who reads it.
    trail: Option<Box<Trail>>,
}

impl Observed {
    pub(crate) fn new(settings: &Settings, log: Option<AccessLog>) -> Self {
        Self { tally: Arc::clone(&settings.disk.tally), log: log.map(Arc::new) }
    }
}

impl Observer {
    pub(crate) fn new(observed: Observed) -> Self {
        Self { observed, answers: 0, trail: None }
    }

    #[inline]
    pub(crate) fn count(&self, count: Count, by: u64) {
        self.observed.tally.add(count, by);
    }

    /// To be asked before each event of the core, so that no answer is missed.
    #[inline(always)]
    pub(crate) fn look(&mut self, core: &Connection) {
        if core.answers() != self.answers {
            self.answers = core.answers();
            if let Some(answered) = core.answered() {
                self.observed.tally.one(Count::Answer(answered.status));
            }
        }
        if let Some(trail) = &mut self.trail {
            trail.advance(core, self.observed.log.as_deref());
        }
    }

    #[inline]
    pub(crate) fn request(&mut self, core: &Connection, request: &Request) {
        self.observed.tally.one(Count::Request);
        let log = self.observed.log.as_deref();
        if log.is_some() || access_log::has_subscriber() {
            self.trail.get_or_insert_default().begin(core, request, log);
        }
    }

    pub(crate) fn closed(&mut self, core: &Connection, reason: CloseReason) {
        self.observed.tally.one(Count::Close(reason));
        if let CloseReason::Refused(fault) = reason {
            self.observed.tally.one(Count::Refusal(fault));
        }
        let refused = core.answers() != self.answers && !self.trail.as_ref().is_some_and(|trail| trail.has_current());
        if !refused {
            if let Some(trail) = &mut self.trail {
                trail.over(core, Some(reason));
            }
        } else if self.observed.log.is_some() || access_log::has_subscriber() {
            self.trail.get_or_insert_default().refused(core, reason);
        }
        self.look(core);
    }

    /// The transport is done with.
    pub(crate) fn end(&mut self, core: &Connection) {
        self.look(core);
        if let Some(mut trail) = self.trail.take() {
            trail.end(core, self.observed.log.as_deref());
        }
    }
}
