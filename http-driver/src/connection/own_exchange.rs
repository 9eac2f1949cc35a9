//! The exchange of a connection, which an idle one does without.

use std::sync::Arc;

use httpants_core::Now;

use super::{buffers, exchanges};
use crate::exchange::{Environment, Exchange, IdleExchange};

/// The exchange of a connection while it is busy, and what is left of it while it is idle.
pub(super) struct OwnExchange {
    busy: Option<Exchange>,
    idle: Option<IdleExchange>,
}

impl OwnExchange {
    pub(super) fn busy(exchange: Exchange) -> Self {
        Self { busy: Some(exchange), idle: None }
    }

    pub(super) fn idle(idle: IdleExchange) -> Self {
        Self { busy: None, idle: Some(idle) }
    }

    /// Returns the exchange, from the cache if the connection was idle.
    #[inline]
    pub(super) fn get(&mut self, environment: &Arc<Environment>, now: Now) -> &mut Exchange {
        let idle = &mut self.idle;
        self.busy.get_or_insert_with(|| {
            let mut exchange = exchanges::take(environment, now);
            if let Some(idle) = idle.take() {
                exchange.restore(idle, now);
            }
            exchange
        })
    }

    /// Gives the exchange of a closed connection to the cache, unless a handle of a request is left.
    pub(super) fn end(&mut self, environment: &Arc<Environment>, now: Now) {
        if let Some(mut exchange) = self.busy.take()
            && exchange.vacate(now)
        {
            exchanges::put(exchange, environment);
        }
    }

    /// Gives the exchange to the cache if the connection is idle and no handle of a request is
    /// left; otherwise gives the buffers back.
    pub(super) fn rest(&mut self, environment: &Arc<Environment>) {
        let Some(mut exchange) = self.busy.take() else { return };
        self.idle = exchange.take_idle();
        if self.idle.is_none() {
            let storage = exchange.with(|shared| shared.core.release_storage());
            storage.into_iter().for_each(buffers::put);
            self.idle = exchange.take_idle();
        }
        match self.idle {
            Some(_) => exchanges::put(exchange, environment),
            None => self.busy = Some(exchange),
        }
    }
}
