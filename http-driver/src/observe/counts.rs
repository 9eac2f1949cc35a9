//! Counts by error and by timer.

use std::iter::{FusedIterator, Zip};
use std::slice;

use httpants_core::{ProtocolError, Timer};

/// Refusals by protocol error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusalCounts(pub(super) [u64; ProtocolError::ALL.len()]);

impl RefusalCounts {
    /// Returns the number of refusals for this error.
    #[must_use]
    pub fn of(&self, fault: ProtocolError) -> u64 {
        self.0.get(fault as usize).copied().unwrap_or_default()
    }

    /// Returns the number of refusals with this status: 400, 408, 413, 414, 417, 431, 501 or 505.
    #[must_use]
    pub fn of_status(&self, status: u16) -> u64 {
        self.iter().filter(|(fault, _)| fault.status() == status).map(|(_, count)| count).sum()
    }

    /// Iterates over all errors, including those with a count of 0.
    pub fn iter(&self) -> CountsIter<'_, ProtocolError> {
        CountsIter { counts: ProtocolError::ALL.iter().zip(&self.0) }
    }
}

impl Default for RefusalCounts {
    fn default() -> Self {
        Self([0; ProtocolError::ALL.len()])
    }
}

/// All errors with their counts.
impl<'a> IntoIterator for &'a RefusalCounts {
    type Item = (ProtocolError, u64);
    type IntoIter = CountsIter<'a, ProtocolError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Timeouts by timer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimerCounts(pub(super) [u64; Timer::ALL.len()]);

impl TimerCounts {
    /// Returns the number of timeouts of this timer.
    #[must_use]
    pub fn of(&self, timer: Timer) -> u64 {
        self.0.get(timer as usize).copied().unwrap_or_default()
    }

    /// Iterates over all timers.
    pub fn iter(&self) -> CountsIter<'_, Timer> {
        CountsIter { counts: Timer::ALL.iter().zip(&self.0) }
    }
}

/// All timers with their counts.
impl<'a> IntoIterator for &'a TimerCounts {
    type Item = (Timer, u64);
    type IntoIter = CountsIter<'a, Timer>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The iterator of [`RefusalCounts::iter`] and [`TimerCounts::iter`].
#[derive(Clone, Debug)]
pub struct CountsIter<'a, K: 'static> {
    counts: Zip<slice::Iter<'static, K>, slice::Iter<'a, u64>>,
}

impl<K: Copy> Iterator for CountsIter<'_, K> {
    type Item = (K, u64);

    fn next(&mut self) -> Option<Self::Item> {
        self.counts.next().map(|(counted, count)| (*counted, *count))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.counts.size_hint()
    }
}

impl<K: Copy> ExactSizeIterator for CountsIter<'_, K> {}

impl<K: Copy> FusedIterator for CountsIter<'_, K> {}
