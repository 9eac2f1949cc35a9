//! The shutdown signal for upgraded streams, whose protocols the server does not know.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event;

/// A shared flag that the shutdown has begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_begun: AtomicBool,
    event: Event,
}

impl Shutdown {
    /// Sets the flag and wakes all waiters.
    pub(crate) fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Release);
        self.0.event.notify(usize::MAX);
    }

    /// Waits until the shutdown has begun.
    pub(crate) async fn begun(&self) {
        while !self.0.has_begun.load(Ordering::Acquire) {
            let listener = self.0.event.listen();
            // It may have begun before the listener was registered.
            if !self.0.has_begun.load(Ordering::Acquire) {
                listener.await;
            }
        }
    }
}
