//! The time of an input.

use core::time::Duration;

use crate::wire::date::UnixTime;

/// The current time, which the caller passes with every input.
///
/// The core reads no clock. `mono` is used for deadlines: it counts from any origin that the caller
/// chooses and must not go backwards (a step back is treated as if no time had passed). `wall` is
/// used for the Date field, cookies and file dates.
///
/// ```
/// use std::time::{Instant, SystemTime};
/// use httpants_core::Now;
///
/// let origin = Instant::now();
/// let now = Now::new(origin.elapsed(), SystemTime::now().try_into().unwrap_or_default());
/// assert!(now.wall.as_secs() > 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic time since the caller's origin.
    pub mono: Duration,
    /// Wall-clock time.
    pub wall: UnixTime,
}

impl Now {
    /// Creates a time from both clocks.
    #[must_use]
    pub const fn new(mono: Duration, wall: UnixTime) -> Self {
        Self { mono, wall }
    }

    /// Returns the time that is `span` later on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self { mono: self.mono.saturating_add(span), wall: UnixTime(self.wall.0.saturating_add(span)) }
    }
}
