//! How streams that HTTP has let go of learn that the program is to end. The server cannot tell
//! them, because it does not know their protocol.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::Event;

/// Whether the shutdown has begun; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    has_begun: AtomicBool,
    event: Event,
}

impl Shutdown {
    /// Wakes everybody who waits for it.
    pub(crate) fn begin(&self) {
        self.0.has_begun.store(true, Ordering::Release);
        self.0.event.notify(usize::MAX);
    }

    /// Waits until it has begun.
    pub(crate) async fn begun(&self) {
        while !self.0.has_begun.load(Ordering::Acquire) {
            let listener = self.0.event.listen();
            // It may have begun before the listener was there to be woken.
            if !self.0.has_begun.load(Ordering::Acquire) {
                listener.await;
            }
        }
    }
}
