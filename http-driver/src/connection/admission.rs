//! The decision whether a new connection is served or refused with 503.

use std::sync::Arc;

use httpants_core::{Address, Connection};

use super::address_limit::{AddressLimit, AddressPlace};
use crate::observe::{Count, Metrics};

/// The admission of one connection.
#[derive(Debug)]
pub(crate) enum Admission {
    /// The connection is admitted. If it is counted for its address, it has a place.
    Decided { _place: Option<Box<AddressPlace>> },
    /// The decision waits for the address in the PROXY header.
    AwaitsHeader(Arc<AddressLimit>),
    /// The connection is refused by calling this function once its transport can send a response.
    Refused(fn(&mut Connection)),
}

impl Admission {
    /// Returns the admission of a connection to which no limit applies.
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

    /// Returns the admission of a connection over the maximum of the server.
    pub(crate) fn overloaded() -> Self {
        Self::Refused(Connection::refuse_overloaded)
    }

    pub(super) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Decides by the address in the PROXY header, if the decision waited for it.
    #[cold]
    pub(super) fn header_received(&mut self, address: Address, metrics: &Metrics) {
        if let Self::AwaitsHeader(limit) = self {
            *self = Self::by_address(&Arc::clone(limit), address, metrics);
        }
    }

    /// Refuses the connection, if that was decided.
    #[cold]
    pub(super) fn refuse(&mut self, core: &mut Connection) {
        if let Self::Refused(refuse) = self {
            refuse(core);
            *self = Self::granted();
        }
    }
}
