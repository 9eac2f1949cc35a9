//! The decision whether a new connection is served or refused with 503.

use std::sync::Arc;

use httpants_core::{Address, Connection};

use super::address_limit::{AddressLimit, AddressPlace};
use crate::observe::{Count, Metrics};

/// The admission of one connection.
#[derive(Debug)]
pub(crate) enum Admission {
    /// It is decided. A connection that is counted for its address has a place.
    Decided { _place: Option<Box<AddressPlace>> },
    /// The address is known once the PROXY header was received.
    AwaitsHeader(Arc<AddressLimit>),
    /// It is refused by this as soon as its transport can carry a response.
    Refused(fn(&mut Connection)),
}

impl Admission {
    /// Returns the admission of a connection that no limit applies to.
    pub(crate) fn granted() -> Self {
        Self::Decided { _place: None }
    }

    /// Counts the connection for its address.
    pub(crate) fn by_address(limit: &Arc<AddressLimit>, address: Address, metrics: &Metrics) -> Self {
        match limit.enter(address) {
            Some(place) => Self::Decided { _place: place },
            None => {
                metrics.one(Count::OverAddressLimit);
                Self::Refused(Connection::refuse_address)
            }
        }
    }

    /// Returns the admission of a connection that the server has no room for.
    pub(crate) fn overloaded() -> Self {
        Self::Refused(Connection::refuse_overloaded)
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Decides by the address of the PROXY header, where that was awaited.
    #[cold]
    pub(super) fn header_received(&mut self, address: Address, metrics: &Metrics) {
        if let Self::AwaitsHeader(limit) = self {
            *self = Self::by_address(&Arc::clone(limit), address, metrics);
        }
    }

    /// Refuses the connection, where that is decided.
    #[cold]
    pub(super) fn refuse(&mut self, core: &mut Connection) {
        if let Self::Refused(refuse) = self {
            refuse(core);
            *self = Self::granted();
        }
    }
}
