//! The protocol that an upgraded connection continues with.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::timer::ConnectionTimer;
use crate::runtime::Runtime;

/// The future of that protocol.
pub(super) struct UpgradeTask {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    /// The end of its time, once the server shuts down.
    end: Option<Duration>,
}

impl UpgradeTask {
    pub(super) fn new(future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<Self> {
        Box::new(Self { future, end: None })
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.future.as_mut().poll(context)
    }

    /// Returns whether it may continue: for `grace` from the first call on.
    pub(super) fn has_time<R: Runtime>(
        &mut self,
        context: &mut Context<'_>,
        runtime: &R,
        mut timer: Pin<&mut ConnectionTimer<R::Sleep>>,
        grace: Duration,
    ) -> bool {
        loop {
            let now = runtime.now().mono;
            let end = *self.end.get_or_insert(now.saturating_add(grace));
            if now >= end {
                return false;
            }
            if !timer.as_mut().poll(context, runtime, end, now) {
                return true;
            }
        }
    }
}
