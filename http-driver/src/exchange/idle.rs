//! A connection between requests, without the state that it shares with the handles of its
//! requests.

use std::sync::{Arc, OnceLock, PoisonError};

use httpants_core::{Connection, ConnectionInfo, IdleConnection, Now};

use super::{Exchange, Shared};
use crate::tls::TlsSession;

/// An idle connection without its [`Exchange`], which serves another connection until this one
/// receives a request.
#[derive(Debug)]
pub(crate) struct IdleExchange {
    core: IdleConnection,
    tls: Option<Box<TlsSession>>,
}

impl From<IdleConnection> for IdleExchange {
    fn from(core: IdleConnection) -> Self {
        Self { core, tls: None }
    }
}

impl Exchange {
    /// Moves the connection out if it is idle, no handle of a request is left, and its receive
    /// buffer is not larger than `recv_buffer`.
    #[inline]
    pub(crate) fn take_idle(&mut self) -> Option<IdleExchange> {
        let inner = Arc::get_mut(&mut self.0)?;
        let shared = inner.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
        if shared.core.storage_size() > shared.core.limits().recv_buffer {
            return None;
        }
        let core = shared.take_idle()?;
        Some(IdleExchange { core, tls: inner.tls.take() })
    }

    /// Returns the core if no handle of a request is left.
    pub(crate) fn core_mut(&mut self) -> Option<&mut Connection> {
        let shared = Arc::get_mut(&mut self.0)?.shared.get_mut();
        Some(&mut shared.unwrap_or_else(PoisonError::into_inner).core)
    }

    /// Drops the connection, which has ended, and the state of its requests. Returns false if a
    /// handle of a request is left; nothing is dropped then.
    pub(crate) fn vacate(&mut self, now: Now) -> bool {
        let Some(inner) = Arc::get_mut(&mut self.0) else { return false };
        let shared = inner.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Shared { core, body, responded, writers, watchers, task, changed, woken } = shared;
        core.restore(IdleConnection::new(&inner.environment.config, ConnectionInfo::default(), now), now);
        (*body, *responded, *task, *changed) = (None, None, None, false);
        (*writers, *watchers, *woken) = Default::default();
        inner.tls = OnceLock::new();
        true
    }

    /// Puts an idle connection into this exchange, from which another connection was moved out.
    pub(crate) fn restore(&mut self, idle: IdleExchange, now: Now) {
        let IdleExchange { core, tls } = idle;
        // An exchange whose connection was moved out has no other handle.
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.shared.get_mut().unwrap_or_else(PoisonError::into_inner).core.restore(core, now);
            // Few connections have a TLS session, and the session of the previous connection was
            // moved out with it.
            if tls.is_some() || inner.tls.get().is_some() {
                inner.tls = tls.map_or_else(OnceLock::new, OnceLock::from);
            }
        }
    }
}

impl Shared {
    fn take_idle(&mut self) -> Option<IdleConnection> {
        let is_used = self.body.is_some() | self.task.is_some() | !self.woken.is_empty();
        if is_used || !self.writers.is_empty() || !self.watchers.is_empty() {
            return None;
        }
        let core = self.core.take_idle()?;
        self.responded = None;
        self.changed = false;
        Some(core)
    }
}
