//! Wall time, and HTTP dates (RFC 9110 section 5.6.7).

use core::time::Duration;
use std::time::SystemTime;

use httpdate::HttpDate;

/// The last second that a year of four digits can name; what is later is written as this.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

/// A moment of wall time: the span since 1970-01-01 00:00:00 UTC, with days of 86,400 seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub Duration);

impl UnixTime {
    /// Returns the moment this many seconds after 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Returns whole seconds since 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

/// Returns the date of a second since 1970 as an `IMF-fixdate`.
pub(crate) fn http_date(second: u64) -> HttpDate {
    HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_secs(second.min(LAST_SECOND)))
}
