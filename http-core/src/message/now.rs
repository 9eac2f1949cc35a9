//! The time of an input.

use core::time::Duration;

use crate::wire::date::UnixTime;

/// The time as the caller tells it with every input.
///
/// The core reads no clock. `mono` drives the deadlines: it counts from any origin that the
/// caller picks and must not go backwards (a step back is taken for no time passing). `wall`
/// is for the Date field, cookies and file dates.
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
    /// Wall time.
    pub wall: UnixTime,
}

impl Now {
    /// Makes a moment of both clocks.
    #[must_use]
    pub const fn new(mono: Duration, wall: UnixTime) -> Self {
        Self { mono, wall }
    }

    /// Returns the same moment, that much later on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self { mono: self.mono.saturating_add(span), wall: UnixTime(self.wall.0.saturating_add(span)) }
    }
}
