//! The number of connections of each client address.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use httpants_core::Address;

/// The numbers of open connections per address, up to a maximum. Only addresses with open
/// connections have an entry.
#[derive(Debug)]
pub(crate) struct AddressLimit {
    most: usize,
    open: Mutex<HashMap<Key, usize>>,
}

/// The key of one client: an IPv4 address, or the first 64 bits of an IPv6 address, because a
/// client can choose the rest. Link-local addresses share these bits, so they are keys as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    V4([u8; 4]),
    V6(u64),
    LinkLocal([u8; 16]),
}

impl Key {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.octets()),
            IpAddr::V6(ip) if ip.is_unicast_link_local() => Self::LinkLocal(ip.octets()),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}

impl AddressLimit {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, open: Mutex::default() }
    }

    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Counts a connection of this address until the place is dropped. Returns `None` if the
    /// address has the maximum number of connections, and `Some(None)` for an address that is not
    /// an IP address, which has no limit.
    pub(super) fn enter(self: &Arc<Self>, address: Address) -> Option<Option<Box<AddressPlace>>> {
        let Some(ip) = address.ip() else { return Some(None) };
        let key = Key::of(ip);
        let mut open = self.open();
        let count = open.entry(key).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        drop(open);
        Some(Some(Box::new(AddressPlace { limit: Arc::clone(self), key })))
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection; released on drop.
#[derive(Debug)]
pub(crate) struct AddressPlace {
    limit: Arc<AddressLimit>,
    key: Key,
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.limit.open().entry(self.key) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn addresses_are_counted_by_ipv4_and_ipv6_prefix() {
        let limit = Arc::new(AddressLimit::new(1));
        let enter = |ip: &str| limit.enter(Address::Ip(SocketAddr::new(ip.parse().unwrap(), 1)));
        let places =
            ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:1::1", "fe80::1", "fe80::2", "::1"].map(enter);
        assert!(places.iter().all(Option::is_some));
        for same in ["192.0.2.1", "::ffff:192.0.2.2", "2001:db8::ffff:1", "2001:db8:0:1:8000::", "fe80::2"] {
            assert!(enter(same).is_none(), "{same}");
        }
        drop(places);
        assert!(limit.open().is_empty());
        assert!(enter("192.0.2.1").is_some_and(|place| place.is_some()));
        for _ in 0..2 {
            assert!(limit.enter(Address::Unix).is_some_and(|place| place.is_none()));
        }
    }
}
