//! The exchange of results, events and work between a connection's task and its core.

use std::pin::Pin;
use std::task::Context;

use httpants_core::{Event, RefusalResponse, RequestHead};

use super::Serve;
use crate::exchange::Shared;
use crate::handler::Handler;
use crate::response::replace_refusal;
use crate::runtime::Runtime;

impl<R: Runtime, H: Handler> Serve<R, H>
where
    R::Transport: Send,
{
    /// Reports to the core what the transport did, consumes its events up to the next request, and
    /// takes the next bytes to send and buffers to receive into. Until the task is dropped, only
    /// this function consumes events.
    pub(super) fn process_events(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Option<RequestHead> {
        let this = self.as_mut().project();
        let (io, observer, now) = (this.io, this.observer, *this.now);
        let is_busy = !this.handled.is_idle();
        let (admission, is_open) = (this.admission, !this.handshaking.is_pending());
        let (handed_over, shutdown) = (this.handed_over, std::mem::take(this.shutdown));
        observer.begin();
        let mut ready = false;
        let next_deadline = &mut *this.next_deadline;
        let responses = &this.service.responses;
        let mut refused = None;
        let task_waker = context.waker();
        let process = |shared: &mut Shared| {
            let parked = shared.begin_processing();
            io.report(&mut shared.core, observer, now);
            shared.core.handle_time(now);
            if shutdown {
                shared.core.handle_shutdown(now);
            }
            if admission.is_refused() && is_open {
                admission.refuse(&mut shared.core);
            }
            loop {
                if is_busy || !io.open_files.reserve() || observer.is_full() {
                    shared.core.hold_requests();
                } else {
                    shared.core.accept_requests();
                }
                let Some(event) = shared.poll_event() else { break };
                if let Event::Request(head) = event {
                    observer.request(&head);
                    return (Some(head), parked);
                }
                if let Event::ProxyHeader = event {
                    admission.header_received(shared.core.connection_info().remote_addr, observer.metrics());
                    if is_open {
                        admission.refuse(&mut shared.core);
                    }
                }
                *handed_over |= matches!(event, Event::Upgraded(_));
                // A stream that waited for room can continue, or its response can no longer be
                // sent.
                ready |= matches!(event, Event::Writable(_) | Event::Closed(_));
                observer.event(event, &shared.core, now);
            }
            if ready && responses.on_error.is_some() {
                refused = shared.core.poll_refusal();
                if refused.is_some() {
                    return (None, parked);
                }
            }
            // If the handler was woken for pieces of the body, it must take them first: they hold
            // the receive buffer, and another one would be needed.
            let may_borrow = is_busy && !shared.wakes(task_waker);
            io.prepare(&mut shared.core, may_borrow);
            *next_deadline = (!is_busy && io.has_no_work()).then(|| io.prepare_to_wait(&mut shared.core));
            (None, parked)
        };
        let ((head, _parked), task_woken) =
            this.exchange.get(&this.service.environment, now).with_as_task(task_waker, process);
        this.handled.ready |= (task_woken | ready) && is_busy;
        if io.is_idle_and_unlent() {
            this.exchange.store_if_idle(&this.service.environment);
        }
        observer.flush();
        match refused {
            None => head,
            Some(refused) => self.process_events_after_refusal(&refused, context),
        }
    }

    /// Takes the next transport work after a handler's poll without calling
    /// [`process_events`](Self::process_events), if there can be no events; returns whether it did.
    /// The caller calls `process_events` after the transport did the work.
    pub(super) fn prepare_without_events(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        if !self.handled.is_idle() {
            return self.prepare_for_body(context);
        }
        // The whole response was queued, and no other request was received.
        let this = self.project();
        let exchange = this.exchange.get(&this.service.environment, *this.now);
        let Some(core) = exchange.core_mut().filter(|core| core.awaits_request()) else { return false };
        this.io.prepare(core, false);
        true
    }

    /// Takes a buffer for more of the body, if the handler waits for that.
    #[inline(never)]
    fn prepare_for_body(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let this = self.project();
        let io = this.io;
        let exchange = this.exchange.get(&this.service.environment, *this.now);
        let (is_awaited, task_woken) = exchange.with_as_task(context.waker(), |shared| {
            let is_awaited = shared.core.awaits_body();
            if is_awaited {
                io.prepare(&mut shared.core, true);
            }
            is_awaited
        });
        this.handled.ready |= task_woken;
        is_awaited
    }

    /// Asks the application for its response to a refused peer, then calls
    /// [`process_events`](Self::process_events) again. This is done before bytes are taken for the
    /// transport, because those could not be replaced.
    #[cold]
    fn process_events_after_refusal(
        mut self: Pin<&mut Self>,
        refused: &RefusalResponse,
        context: &mut Context<'_>,
    ) -> Option<RequestHead> {
        let this = self.as_mut().project();
        if let Some(on_error) = &this.service.responses.on_error {
            let metrics = this.observer.metrics();
            let exchange = this.exchange.get(&this.service.environment, *this.now);
            let task_woken = replace_refusal(on_error, refused, exchange, context.waker(), metrics);
            this.handled.ready |= task_woken && !this.handled.is_idle();
            *this.now = this.runtime.now_after(*this.now);
        }
        self.process_events(context)
    }
}
