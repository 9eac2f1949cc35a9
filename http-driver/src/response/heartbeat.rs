//! Comments that keep the connection of server-sent events open.

use std::time::Duration;

use bytes::Bytes;

/// The interval that the HTML standard recommends (section 9.2.7).
const INTERVAL: Duration = Duration::from_secs(15);

/// A comment, which clients ignore.
const COMMENT: &[u8] = b":\n\n";

/// The schedule of the comments that are sent while there is no event.
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
        // At least 1 ms, because with 0 comments would be sent continuously.
        Self { interval: Some(interval.max(Duration::from_millis(1))), due: None }
    }

    pub(super) fn never() -> Self {
        Self { interval: None, due: None }
    }

    pub(super) fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Restarts the interval, because something is sent or nothing can be sent now.
    pub(super) fn restart(&mut self) {
        self.due = None;
    }

    /// Returns the comment if it is due, for a stream that waits for its next event.
    pub(super) fn comment(&mut self, now: Duration) -> Option<Bytes> {
        let due = *self.due.get_or_insert(now.saturating_add(self.interval?));
        let is_due = due <= now;
        if is_due {
            self.due = None;
        }
        is_due.then(|| Bytes::from_static(COMMENT))
    }
}
