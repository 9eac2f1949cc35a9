//! The limits on the connections of a server.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use httpants_core::{Config, ConnectionInfo};

use crate::connection::{AddressLimit, Admission};
use crate::descriptors::default_connections;
use crate::lifecycle::Registration;
use crate::observe::Metrics;

/// Maximum number of connections over the limit that are open at a time while they are refused.
const REFUSED: usize = 64;

/// The treatment of connections over [`Server::max_connections`](crate::Server::max_connections).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenFull {
    /// They wait to be accepted. The default.
    #[default]
    Wait,
    /// They get 503 and are closed.
    Refuse,
}

/// The limits on the connections of a server, shared by its workers.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    pub(super) most: usize,
    pub(super) when_full: WhenFull,
    pub(super) addresses: Option<Arc<AddressLimit>>,
    /// True if the address of a client is in the PROXY header.
    proxy_header: bool,
    pub(super) age: Option<Age>,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self { most: default_connections(), when_full: WhenFull::Wait, addresses: None, proxy_header: false, age: None }
    }
}

impl ConnectionLimits {
    /// Checks the values.
    pub(super) fn check(&self) -> io::Result<()> {
        let expected = if self.most == 0 {
            "max_connections: expected at least 1"
        } else if self.addresses.as_ref().is_some_and(|limit| limit.most() == 0) {
            "max_connections_per_address: expected at least 1"
        } else if self.age.as_ref().is_some_and(|age| age.most.is_zero()) {
            "max_connection_age: expected more than 0"
        } else {
            return Ok(());
        };
        Err(io::Error::new(io::ErrorKind::InvalidInput, expected))
    }

    /// Returns the maximum age of one connection: 90 to 100 percent of the setting.
    pub(super) fn age(&self) -> Option<Duration> {
        self.age.as_ref().map(Age::of_one)
    }

    /// Returns the limits with the settings of the configuration that they depend on.
    pub(super) fn complete(self, config: &Config) -> Self {
        Self { proxy_header: config.proxy_protocol, ..self }
    }

    /// Returns the maximum number of open connections, including those that are being refused.
    pub(super) fn places(&self) -> usize {
        match self.when_full {
            WhenFull::Wait => self.most,
            WhenFull::Refuse => self.most.saturating_add(REFUSED),
        }
    }

    /// Decides about a connection that was just accepted.
    pub(super) fn admit(&self, registration: &Registration, peer: &ConnectionInfo, metrics: &Metrics) -> Admission {
        if self.when_full == WhenFull::Refuse && registration.is_beyond(self.most) {
            return Admission::overloaded();
        }
        match &self.addresses {
            None => Admission::granted(),
            Some(limit) if self.proxy_header => Admission::AwaitsHeader(Arc::clone(limit)),
            Some(limit) => Admission::by_address(limit, peer.remote_addr, metrics),
        }
    }
}

/// The maximum age of connections.
#[derive(Clone, Debug)]
pub(super) struct Age {
    most: Duration,
    /// The source of randomness, shared by the workers.
    random: Arc<(RandomState, AtomicU64)>,
}

impl Age {
    pub(super) fn new(most: Duration) -> Self {
        Self { most, random: Arc::default() }
    }

    /// Returns a random age between 90 and 100 percent of the maximum.
    fn of_one(&self) -> Duration {
        let (random, accepted) = &*self.random;
        let number = random.hash_one(accepted.fetch_add(1, Ordering::Relaxed)) as u32;
        let less = (self.most / 10).mul_f64(f64::from(number) / f64::from(u32::MAX));
        self.most.saturating_sub(less)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_below_the_maximum() {
        let age = Age::new(Duration::from_secs(1000));
        let ages: Vec<_> = (0..1000).map(|_| age.of_one().as_secs()).collect();
        assert!(ages.iter().all(|age| (900..=1000).contains(age)));
        let differ: std::collections::HashSet<_> = ages.iter().collect();
        assert!(differ.len() > 50, "{} different ages", differ.len());
        assert_eq!(Age::new(Duration::ZERO).of_one(), Duration::ZERO);
        assert!(Age::new(Duration::MAX).of_one() > Duration::from_secs(u64::MAX / 10 * 8));
    }
}
