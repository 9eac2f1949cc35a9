//! The exchange of a connection, which has none while it is idle.

use std::sync::Arc;

use httpants_core::Now;

use super::{buffers, exchanges};
use crate::exchange::{Environment, Exchange, IdleExchange};

/// The exchange of a connection while it is busy, or its reduced state while it is idle.
pub(super) struct ExchangeSlot {
    busy: Option<Exchange>,
    idle: Option<IdleExchange>,
}

impl ExchangeSlot {
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

    /// Puts the exchange of a closed connection into the cache, unless a handle of a request is
    /// left.
    pub(super) fn end(&mut self, environment: &Arc<Environment>, now: Now) {
        if let Some(mut exchange) = self.busy.take()
            && exchange.vacate(now)
        {
            exchanges::put(exchange, environment);
        }
    }

    /// Puts the exchange, with its receive buffer, into the cache if the connection is idle and no
    /// handle of a request is left; otherwise releases the buffer. A buffer that is larger than
    /// usual is released in any case.
    pub(super) fn store_if_idle(&mut self, environment: &Arc<Environment>) {
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

#[cfg(test)]
mod tests {
    use httpants_core::{Event, RequestId};

    use super::super::exchanges::{environment, take};
    use super::*;

    /// Returns the exchange of a connection that was closed while its request was handled.
    fn closed(environment: &Arc<Environment>) -> (ExchangeSlot, RequestId) {
        let now = Now::default();
        let mut slot = ExchangeSlot::busy(take(environment, now));
        let request = slot.get(environment, now).with(|shared| {
            let _ = shared.core.receive(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbody", now);
            let Some(Event::Request(head)) = shared.core.poll_event() else { panic!("no request") };
            shared.open_body(&head, None).unwrap();
            shared.set_responded(head.id());
            shared.notify();
            shared.core.handle_io_error(now);
            head.id()
        });
        (slot, request)
    }

    #[test]
    fn exchange_of_a_closed_connection_is_reset_and_reused() {
        let (environment, now) = (environment(), Now::default());
        let (mut slot, request) = closed(&environment);
        let before = Arc::strong_count(&environment);
        slot.end(&environment, now);
        assert_eq!(Arc::strong_count(&environment), before, "the cache keeps it");
        let mut again = take(&environment, now);
        assert_eq!(Arc::strong_count(&environment), before, "it comes from the cache");
        again.with(|shared| {
            assert!(!shared.has_responded(request) && !shared.core.is_peer_closed());
            assert!(shared.core.current_request().is_none() && shared.core.poll_event().is_none());
        });
        assert!(again.take_idle().is_some());
    }

    #[test]
    fn exchange_with_another_handle_is_not_reused() {
        let (environment, now) = (environment(), Now::default());
        let (mut slot, request) = closed(&environment);
        let handle = slot.get(&environment, now).clone();
        slot.end(&environment, now);
        let next = take(&environment, now);
        assert!(next.with(|shared| shared.core.is_idle()));
        assert!(handle.with(|shared| shared.has_responded(request) && shared.core.is_peer_closed()));
    }
}
