//! Wall time, and HTTP dates (RFC 9110 section 5.6.7).

use core::error::Error;
use core::fmt;
use core::time::Duration;
use std::time::SystemTime;

use httpdate::HttpDate;

/// The last second of the year 9999, the last with four digits. Later times are written as this
/// one.
pub(crate) const LAST_SECOND: u64 = 253_402_300_799;

/// A point in wall-clock time: the duration since 1970-01-01 00:00:00 UTC, with days of 86,400
/// seconds.
///
/// It converts from and to [`SystemTime`] without reading a clock:
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use httpants_core::{UnixTime, UnixTimeError};
///
/// let noon = UnixTime::from_secs(1_795_348_800);
/// let time = SystemTime::try_from(noon)?;
/// assert_eq!(UnixTime::try_from(time + Duration::from_millis(5))?.0, Duration::from_millis(1_795_348_800_005));
/// let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
/// assert_eq!(UnixTime::try_from(before), Err(UnixTimeError::BeforeEpoch));
/// # Ok::<(), UnixTimeError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub Duration);

impl UnixTime {
    /// Returns the time that is `seconds` after 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// Returns the number of whole seconds since 1970-01-01 00:00:00 UTC.
    #[must_use]
    pub const fn as_secs(self) -> u64 {
        self.0.as_secs()
    }
}

/// # Errors
/// [`UnixTimeError::BeforeEpoch`] for a time before 1970.
impl TryFrom<SystemTime> for UnixTime {
    type Error = UnixTimeError;

    fn try_from(time: SystemTime) -> Result<Self, UnixTimeError> {
        time.duration_since(SystemTime::UNIX_EPOCH).map(Self).map_err(|_| UnixTimeError::BeforeEpoch)
    }
}

/// # Errors
/// [`UnixTimeError::OutOfRange`] for a time that the system cannot represent: on Unix, one more
/// than about 292 billion years from now.
impl TryFrom<UnixTime> for SystemTime {
    type Error = UnixTimeError;

    fn try_from(time: UnixTime) -> Result<Self, UnixTimeError> {
        Self::UNIX_EPOCH.checked_add(time.0).ok_or(UnixTimeError::OutOfRange)
    }
}

/// The error of a conversion between [`UnixTime`] and [`SystemTime`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnixTimeError {
    /// The time is before 1970.
    BeforeEpoch,
    /// The time is later than the system can represent.
    OutOfRange,
}

impl fmt::Display for UnixTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeEpoch => "time before 1970-01-01 00:00:00 UTC",
            Self::OutOfRange => "time out of the range of the system",
        })
    }
}

impl Error for UnixTimeError {}

/// Returns the date of a second since 1970 as an `IMF-fixdate`.
pub(crate) fn http_date(second: u64) -> HttpDate {
    HttpDate::from(SystemTime::UNIX_EPOCH + Duration::from_secs(second.min(LAST_SECOND)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_time_converts_both_ways_or_not_at_all() {
        let nanosecond = Duration::from_nanos(1);
        for span in [Duration::ZERO, nanosecond, Duration::new(253_402_300_799, 999_999_999)] {
            let time = SystemTime::UNIX_EPOCH + span;
            assert_eq!(UnixTime::try_from(time), Ok(UnixTime(span)));
            assert_eq!(SystemTime::try_from(UnixTime(span)), Ok(time));
        }
        assert_eq!(UnixTime::try_from(SystemTime::UNIX_EPOCH - nanosecond), Err(UnixTimeError::BeforeEpoch));
        assert_eq!(SystemTime::try_from(UnixTime(Duration::MAX)), Err(UnixTimeError::OutOfRange));
    }
}
