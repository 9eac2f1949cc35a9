//! The handover of a connection to another protocol.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::Serve;
use super::upgrade::UpgradeTask;
use crate::handler::Handler;
use crate::observe::{guard, spans};
use crate::response::{TimeLimit, Upgraded};
use crate::runtime::Runtime;

impl<R: Runtime, H: Handler> Serve<R, H>
where
    R::Transport: Send,
{
    /// Starts the upgrade handler if the core has released the stream.
    pub(super) fn hand_over(mut self: Pin<&mut Self>) -> bool {
        let is_released = std::mem::take(self.as_mut().project().handed_over);
        if is_released {
            self.start_upgrade();
        }
        is_released
    }

    #[cold]
    fn start_upgrade(self: Pin<&mut Self>) {
        let this = self.project();
        let exchange = this.exchange.get(&this.service.environment, *this.now);
        let leftover = exchange.with(|shared| shared.core.take_upgrade());
        if let (Some(then), Some(stream)) = (this.handled.upgrade.take(), this.io.take_stream()) {
            let _entered = spans::enter(&this.handled.span);
            let limit = TimeLimit::default();
            let stream = Upgraded::new(stream, leftover, this.registration.drain().clone(), limit.clone());
            let upgraded = guard(this.observer.metrics(), "upgrade", || then(stream));
            *this.upgraded = upgraded.ok().map(|future| UpgradeTask::new(future, limit));
        }
    }

    /// Polls the upgraded protocol, if there is a handler for it.
    #[cold]
    pub(super) fn poll_upgraded(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let Some(upgraded) = this.upgraded else { return Poll::Ready(()) };
        let _entered = spans::enter(&this.handled.span);
        let polled = guard(this.observer.metrics(), "upgrade", || upgraded.poll(context));
        let grace = this.registration.drain().has_begun().then_some(this.service.upgrade_grace);
        if let Ok(Poll::Pending) = polled
            && upgraded.has_time(context, this.runtime, this.timer, grace)
        {
            return Poll::Pending;
        }
        let ended = this.upgraded.take();
        let _ = guard(this.observer.metrics(), "drop of an upgrade", || drop(ended));
        Poll::Ready(())
    }
}
