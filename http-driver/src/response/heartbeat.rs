//! Comments that keep the connection of server-sent events open.

use std::time::Duration;

use bytes::Bytes;

/// The interval that the HTML standard recommends (section 9.2.7).
const INTERVAL: Duration = Duration::from_secs(15);

/// A comment, which clients ignore.
const COMMENT: &[u8] = b":\n\n";

/// When a comment is sent in place of an event.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Option<Duration>,
    /// The time of the next comment, while the stream waits for its next event.
    due: Option<Duration>,
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self::every(INTERVAL)
    }
}

impl Heartbeat {
    pub(super) fn every(interval: Duration) -> Self {
        // A comment that is always due would be sent without end.
        Self { interval: Some(interval.max(Duration::from_millis(1))), due: None }
    }

    pub(super) fn never() -> Self {
        Self { interval: None, due: None }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Records that something is sent, or that nothing can be sent now.
    pub(super) fn rest(&mut self) {
        self.due = None;
    }

    /// Returns the comment once its time has come, for a stream that waits for its next event.
    pub(super) fn comment(&mut self, now: Duration) -> Option<Bytes> {
        let due = *self.due.get_or_insert(now.saturating_add(self.interval?));
        let is_due = due <= now;
        if is_due {
            self.due = None;
        }
        is_due.then(|| Bytes::from_static(COMMENT))
    }
}
