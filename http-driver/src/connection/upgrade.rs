//! The protocol of a connection after an upgrade.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::timer::ConnectionTimer;
use crate::response::TimeLimit;
use crate::runtime::Runtime;

/// The future of the upgraded protocol, and its time limits.
pub(super) struct UpgradeTask {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    limit: TimeLimit,
    /// The time limit that the protocol has set itself.
    limited: Option<Duration>,
    /// The time at which the protocol must be polled even if nothing has happened.
    alarm: Option<Duration>,
    /// The end of the grace period, if the server shuts down.
    grace_end: Option<Duration>,
}

impl UpgradeTask {
    pub(super) fn new(future: Pin<Box<dyn Future<Output = ()> + Send>>, limit: TimeLimit) -> Box<Self> {
        Box::new(Self { future, limit, limited: None, alarm: None, grace_end: None })
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(context)
    }

    /// Returns whether the protocol may continue: until `grace` after the first call with a grace
    /// period, and until the time limit that it has set itself.
    pub(super) fn has_time<R: Runtime>(
        &mut self,
        context: &mut Context<'_>,
        runtime: &R,
        mut timer: Pin<&mut ConnectionTimer<R::Sleep>>,
        grace: Option<Duration>,
    ) -> bool {
        let end_of = |span| runtime.now().mono.saturating_add(span);
        if let Some(limit) = self.limit.take() {
            self.limited = limit.map(end_of);
        }
        self.grace_end = self.grace_end.or_else(|| grace.map(end_of));
        if let Some(span) = self.limit.take_alarm() {
            self.alarm = Some(end_of(span));
        }
        let end = self.limited.into_iter().chain(self.grace_end).min();
        let Some(earliest) = end.into_iter().chain(self.alarm).min() else { return true };
        loop {
            let now = runtime.now().mono;
            if end.is_some_and(|end| now >= end) {
                return false;
            }
            if self.alarm.is_some_and(|alarm| now >= alarm) {
                self.alarm = None;
                self.limit.ring();
                context.waker().wake_by_ref();
                return true;
            }
            if !timer.as_mut().poll(context, runtime, earliest, now) {
                return true;
            }
        }
    }
}
