//! A connection that was just accepted.

use std::time::Duration;

use httpants_core::ConnectionInfo;

use super::admission::Admission;
use crate::lifecycle::Registration;

/// A connection that was just accepted.
pub(crate) struct Accepted<T> {
    pub(crate) transport: T,
    pub(crate) peer: ConnectionInfo,
    pub(crate) registration: Registration,
    pub(crate) admission: Admission,
    /// The maximum age of the connection, if there is one.
    pub(crate) age: Option<Duration>,
}
