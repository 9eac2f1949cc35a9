//! The task of one connection, as a hand-written `poll`.

mod accepted;
mod address_limit;
mod admission;
mod boxed;
pub(crate) mod buffers;
mod exchange_slot;
mod exchanges;
mod handled;
mod handover;
mod handshake;
mod io;
mod process_events;
mod service;
mod stream;
mod timer;
mod upgrade;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use httpants_core::{Event, Now, RequestHead, ResponseState};
use pin_project_lite::pin_project;
use tracing::Span;

pub(crate) use self::accepted::Accepted;
pub(crate) use self::address_limit::AddressLimit;
pub(crate) use self::admission::Admission;
use self::exchange_slot::ExchangeSlot;
use self::handled::Handled;
use self::handshake::Handshaking;
use self::io::{Io, Sent};
pub(crate) use self::service::{Service, ServiceParts};
use self::timer::ConnectionTimer;
use self::upgrade::UpgradeTask;
use crate::handler::Handler;
use crate::lifecycle::{Command, Registration};
use crate::observe::{Observer, spans};
use crate::response::Outlet;
use crate::runtime::{Runtime, read_clock};
use crate::tls::Tls;

/// Maximum number of rounds before other tasks get a turn, so that a peer that pipelines endlessly
/// does not occupy a thread.
const ROUNDS: usize = 64;
/// Maximum duration of polling a handler or stream before other tasks get a turn.
const TURN: Duration = Duration::from_micros(500);

pin_project! {
    /// The task of one accepted connection; completes when the connection is closed. Public only so
    /// that it can be named in bounds on a runtime's `Spawn`.
    #[must_use = "a connection does nothing unless it is polled"]
    pub struct Serve<R: Runtime, H: Handler> {
        runtime: R,
        service: Arc<Service<H>>,
        registration: Registration,
        admission: Admission,
        handshaking: Handshaking<R::Transport>,
        io: Io<R::Transport>,
        exchange: ExchangeSlot,
        observer: Observer,
        handled: Handled<H::Future>,
        #[pin]
        timer: ConnectionTimer<R::Sleep>,
        // The upgraded protocol; `None` after its end.
        upgraded: Option<Box<UpgradeTask>>,
        // True if the core has released the stream.
        handed_over: bool,
        // True if the transport is closed, and only a handler that has already responded is still
        // running.
        is_over: bool,
        shutdown: bool,
        // True if the connection was idle, so that the transport is read first. No lock is needed
        // then.
        receive_first: bool,
        // The result of `Io::prepare_to_wait` in the last `process_events`, if nothing has happened
        // since.
        next_deadline: Option<Option<Duration>>,
        now: Now,
        span: Span,
    }

    impl<R: Runtime, H: Handler> PinnedDrop for Serve<R, H> {
        // The connection is closed, or dropped with its runtime: an incomplete response must not
        // look complete, and waiters must be woken.
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.handled.drop_all(this.upgraded.take(), this.observer.metrics());
            let (observer, io) = (&mut *this.observer, &mut *this.io);
            observer.begin();
            let stream = this.exchange.get(&this.service.environment, *this.now).with(|shared| {
                let now = shared.core.now();
                shared.core.hold_requests();
                io.report(&mut shared.core, observer, now);
                while let Some(event) = shared.poll_event() {
                    observer.event(event, &shared.core, now);
                }
                shared.core.handle_io_error(now);
                while let Some(event) = shared.poll_event() {
                    // The response ended because of this drop.
                    if matches!(event, Event::ResponseEnd(_)) {
                        observer.event(event, &shared.core, now);
                    }
                }
                io.reset_if_broken(&mut shared.core)
            });
            drop(stream);
            observer.flush();
            this.exchange.end(&this.service.environment, *this.now);
        }
    }
}

/// The result of a round.
enum Round {
    /// Something happened: run another round.
    Again,
    /// Wait for the socket, the handler or the deadline.
    Wait,
    /// Let other tasks run.
    Yield,
    /// The transport is closed.
    Over,
}

impl<R: Runtime, H: Handler> Serve<R, H>
where
    R::Transport: Send,
{
    pub(crate) fn new(
        runtime: R,
        service: Arc<Service<H>>,
        accepted: Accepted<R::Transport>,
        tls: Option<&Tls>,
    ) -> Self {
        let Accepted { transport, peer, registration, admission, age } = accepted;
        let span = spans::connection(registration.id(), &peer);
        let now = runtime.now();
        let (exchange, stream, handshaking) = handshake::accept(&service.environment, (peer, age), now, transport, tls);
        let observer = Observer::new(service.observed.clone());
        Self {
            runtime,
            service,
            registration,
            admission,
            handshaking,
            io: Io::new(stream),
            exchange,
            observer,
            handled: Handled::new(),
            timer: ConnectionTimer::new(),
            upgraded: None,
            handed_over: false,
            is_over: false,
            shutdown: false,
            receive_first: false,
            next_deadline: None,
            now,
            span,
        }
    }

    /// Runs one round: turns received bytes into requests, sends responses, then reads more.
    fn round(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Round {
        let mut moved = self.as_mut().handshake(context);
        if std::mem::take(self.as_mut().project().receive_first) && !self.as_mut().receive(context) {
            return if moved { Round::Again } else { Round::Wait };
        }
        let next = self.as_mut().process_events(context);
        if self.admission.is_refused() {
            // The handshake continues only so that the refusal can be sent.
            self.as_mut().project().registration.linger();
        }
        if next.is_some() || self.handled.ready {
            self.as_mut().poll_handled(next, context);
            moved = true;
            // Process received bytes first: the body that the handler reads, or the next request,
            // whose response is sent in the same write.
            if !self.handled.ready && !self.as_mut().prepare_without_events(context) {
                return Round::Again;
            }
        }
        let this = self.as_mut().project();
        match this.io.transmit(this.runtime, context) {
            Sent::Enough => return Round::Yield,
            sent => moved |= sent == Sent::Something,
        }
        if this.io.close(context) {
            return Round::Over;
        }
        if this.io.is_shut_down() && this.handled.is_idle() {
            this.registration.linger();
        }
        if moved | self.receive(context) { Round::Again } else { Round::Wait }
    }

    /// Reads once; returns whether something happened.
    fn receive(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let this = self.project();
        // While a request is handled, bytes are received into a buffer lent by the core.
        if !this.handled.is_idle() || !this.io.may_receive() {
            return this.io.receive(context);
        }
        let exchange = this.exchange.get(&this.service.environment, *this.now);
        match exchange.core_mut() {
            Some(core) => this.io.receive_into(core, this.observer, *this.now, context),
            None => {
                exchange.with_as_task(context.waker(), |shared| this.io.borrow(&mut shared.core));
                this.io.receive(context)
            }
        }
    }

    /// Continues the handshake, if any; returns whether it is over.
    fn handshake(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        self.handshaking.is_pending() && self.continue_handshake(context)
    }

    #[inline(never)]
    fn continue_handshake(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let this = self.project();
        let exchange = this.exchange.get(&this.service.environment, *this.now);
        let Some(stream) = this.handshaking.poll(context, exchange, *this.now) else {
            return false;
        };
        this.io.set_stream(stream);
        true
    }

    /// Begins the next request, if any, polls the handler or its response, and reads the clock
    /// afterwards.
    fn poll_handled(self: Pin<&mut Self>, next: Option<RequestHead>, context: &mut Context<'_>) {
        let this = self.project();
        let task_waker = context.waker();
        let earlier = *this.now;
        let mut ready = false;
        let mut outlet = Outlet {
            exchange: this.exchange.get(&this.service.environment, earlier),
            request: next.as_ref().map_or(this.handled.request(), RequestHead::id),
            open_files: &mut this.io.open_files,
            policy: &this.service.responses,
            metrics: this.observer.metrics(),
            is_draining: this.registration.drain().has_begun(),
            now: earlier,
            task_waker,
            ready: &mut ready,
        };
        if let Some(head) = next {
            this.handled.begin(head, this.service, &mut outlet);
        }
        this.handled.ready = false;
        let context = &mut Context::from_waker(task_waker);
        this.handled.poll(context, this.service, &mut outlet, || this.runtime.now_after(earlier));
        *this.now = outlet.now;
        this.handled.ready |= ready;
    }

    /// Returns whether a request is handled for which no response head was sent yet.
    #[cold]
    fn is_response_expected(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        if this.handled.is_idle() {
            return false;
        }
        let request = this.handled.request();
        let exchange = this.exchange.get(&this.service.environment, *this.now);
        exchange.with(|shared| shared.core.response_state(request) == ResponseState::Expected)
    }

    /// Registers wakers and the timer because no progress is possible. Ready if something changed
    /// in the meantime.
    fn wait(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        if !this.handled.is_idle() && this.io.watch_peer(context) {
            return Poll::Ready(());
        }
        let deadline = match this.next_deadline.take() {
            Some(deadline) => deadline,
            None => match self.as_mut().park(context) {
                Some(deadline) => deadline,
                None => return Poll::Ready(()),
            },
        };
        let mut this = self.as_mut().project();
        let heartbeat = this.handled.deadline();
        let Some(earliest) = deadline.into_iter().chain(heartbeat).min() else { return Poll::Pending };
        let now = this.now.mono;
        if earliest > now && !this.timer.as_mut().poll(context, this.runtime, earliest, now) {
            return Poll::Pending;
        }
        self.handle_deadline(deadline, heartbeat, context);
        Poll::Ready(())
    }

    /// Registers the task's waker. Returns `Some` with the deadline of the core, if it has one, or
    /// `None` if something changed in the meantime. Not inlined, because an idle connection skips
    /// it.
    #[inline(never)]
    fn park(self: Pin<&mut Self>, context: &mut Context<'_>) -> Option<Option<Duration>> {
        let this = self.project();
        let now = *this.now;
        let waker = (!this.handled.is_idle()).then(|| context.waker().clone());
        let (io, observer) = (&mut *this.io, &*this.observer);
        let exchange = this.exchange.get(&this.service.environment, now);
        let ((deadline, parked), _) = exchange.with_as_task(context.waker(), |shared| {
            io.report(&mut shared.core, observer, now);
            let deadline = io.prepare_to_wait(&mut shared.core);
            (deadline, waker.map_or(Ok(()), |waker| shared.park(waker)))
        });
        parked.ok()?;
        if io.is_idle_and_unlent() {
            this.exchange.store_if_idle(&this.service.environment);
        }
        Some(deadline)
    }

    /// Handles a deadline that may have passed.
    #[cold]
    fn handle_deadline(
        self: Pin<&mut Self>,
        deadline: Option<Duration>,
        heartbeat: Option<Duration>,
        context: &mut Context<'_>,
    ) {
        let this = self.project();
        // The clock determines whether the deadline has passed.
        *this.now = this.runtime.now();
        let now = *this.now;
        this.handled.ready |= heartbeat.is_some_and(|heartbeat| heartbeat <= now.mono);
        // A slow peer may have read too little for the runtime to report the socket as writable;
        // that is progress, too.
        if deadline.is_some_and(|deadline| deadline <= now.mono) && !this.io.retry_transmit(this.runtime, context) {
            let exchange = this.exchange.get(&this.service.environment, now);
            exchange.with_as_task(context.waker(), |shared| shared.core.handle_timeout(now));
        }
    }

    /// Ends the connection after its transport is closed. A handler that has responded runs to
    /// completion; any other is dropped.
    #[inline(never)]
    fn end(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_over {
            let _ = self.as_mut().process_events(context);
            let this = self.as_mut().project();
            *this.is_over = true;
            let request = this.handled.request();
            let exchange = this.exchange.get(&this.service.environment, *this.now);
            let responded = exchange.with(|shared| {
                Io::<R::Transport>::release(&mut shared.core);
                shared.has_responded(request)
            });
            if !responded {
                this.handled.drop_stage(this.observer.metrics());
            }
        }
        if !self.handled.is_idle() {
            self.as_mut().poll_handled(None, context);
        }
        if self.handled.is_idle() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl<R: Runtime, H: Handler> Future for Serve<R, H>
where
    R::Transport: Send,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.span.is_none() { self.poll_connection(context) } else { self.poll_in_span(context) }
    }
}

impl<R: Runtime, H: Handler> Serve<R, H>
where
    R::Transport: Send,
{
    #[cold]
    fn poll_in_span(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let span = self.span.clone();
        let _entered = span.enter();
        self.poll_connection(context)
    }

    fn poll_connection(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let (command, another_waker) = this.registration.poll_command(context);
        if command == Command::Close {
            return Poll::Ready(());
        }
        if another_waker {
            this.timer.forget_waker();
        }
        // After `Drain` an upgraded stream has its grace period; after `Close` it has none.
        if this.upgraded.is_some() {
            return self.poll_upgraded(context);
        }
        if *this.is_over {
            return self.end(context);
        }
        *this.now = read_clock(this.runtime, *this.now);
        this.io.begin_poll();
        let may_receive_first = this.handled.is_idle() && command == Command::Serve && !*this.shutdown;
        *this.receive_first = may_receive_first && this.io.take_idle_and_unlent();
        *this.next_deadline = None;
        this.handled.ready = !this.handled.is_idle();
        let mut drain = command == Command::Drain;
        if drain {
            this.io.retry_recv();
        }
        if drain && self.as_mut().is_response_expected() {
            // The response has `Connection: close`.
            drain = false;
            *self.as_mut().project().shutdown = true;
        }
        let turn_end = self.now.mono.saturating_add(TURN);
        for _ in 0..ROUNDS {
            match self.as_mut().round(context) {
                Round::Again if !self.handled.is_idle() && self.now.mono >= turn_end => break,
                Round::Again => {}
                Round::Yield => break,
                Round::Over => return self.end(context),
                // A request that was already received is still served.
                Round::Wait if std::mem::take(&mut drain) => *self.as_mut().project().shutdown = true,
                Round::Wait if self.as_mut().hand_over() => return self.poll_upgraded(context),
                Round::Wait => {
                    if self.as_mut().wait(context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        *self.as_mut().project().shutdown |= drain;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
