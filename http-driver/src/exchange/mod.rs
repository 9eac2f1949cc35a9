//! The state that the task of a connection shares with the handles of its requests.
//!
//! The handler, its streams and tasks spawned by them reach the connection through an [`Exchange`]
//! and their request id, which the core checks: a handle of a finished request cannot affect the
//! next one.
//!
//! The lock is held for calls to the core only. Handlers, streams, wakers, transports and other
//! foreign code are called, polled, woken and dropped without it: see [`Exchange::with`].

mod body_error;
mod body_queue;
#[cfg(feature = "cookies")]
mod cookie_keys;
#[cfg(not(feature = "cookies"))]
#[path = "cookie_keys/unsupported.rs"]
mod cookie_keys;
mod environment;
mod idle;
#[cfg(feature = "json")]
mod json_error;
mod waiting;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use httpants_core::{
    CloseReason, Connection, Dropped, Event, Headers, Misuse, RequestHead, RequestId, RequestLimits, ResponseState,
};

pub use self::body_error::BodyError;
use self::body_queue::BodyQueue;
pub(crate) use self::cookie_keys::{CookieKeys, random_key};
pub(crate) use self::environment::Environment;
pub(crate) use self::idle::IdleExchange;
#[cfg(feature = "json")]
pub use self::json_error::JsonError;
use self::waiting::{Waiters, Wakers, replace};
use crate::tls::TlsSession;

/// A connection, shared by its task and the handles of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Exchange(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Mutex<Shared>,
    environment: Arc<Environment>,
    /// The TLS session, once the handshake is over.
    tls: OnceLock<Box<TlsSession>>,
}

/// The state that the lock protects.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Connection,
    /// The body of the current request, if a handle may read it.
    body: Option<Box<BodyQueue>>,
    /// The last request whose responder finished the response.
    responded: Option<RequestId>,
    /// Waiters for room to send, and for the end of the peer's stream.
    writers: Waiters,
    watchers: Waiters,
    /// The waker of the connection's task while it waits.
    task: Option<Waker>,
    /// True if a handle has changed something since the task last took the core's events.
    changed: bool,
    /// Wakers to call once the lock is released.
    woken: Wakers,
}

/// Work to do once the lock is released, because it may run foreign code.
struct Deferred {
    woken: Wakers,
    _dropped: Dropped,
}

impl Exchange {
    pub(crate) fn new(core: Connection, environment: Arc<Environment>) -> Self {
        let shared = Mutex::new(Shared {
            core,
            body: None,
            responded: None,
            writers: Waiters::default(),
            watchers: Waiters::default(),
            task: None,
            changed: false,
            woken: Wakers::default(),
        });
        Self(Arc::new(Inner { shared, environment, tls: OnceLock::new() }))
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.0.environment
    }

    /// Returns the TLS session.
    #[cfg_attr(not(any(feature = "tls", feature = "tls-aws-lc")), expect(dead_code, reason = "there is no handshake"))]
    pub(crate) fn tls(&self) -> Option<&TlsSession> {
        self.0.tls.get().map(|session| &**session)
    }

    pub(crate) fn secure(&self, session: TlsSession) {
        let _ = self.0.tls.set(Box::new(session));
    }

    /// Runs an operation on the core under the lock; wakes wakers and drops values after releasing
    /// it. The operation must not call foreign code.
    pub(crate) fn with<T>(&self, operation: impl FnOnce(&mut Shared) -> T) -> T {
        let mut shared = self.0.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let result = operation(&mut shared);
        let deferred = shared.take_deferred();
        drop(shared);
        if let Some(deferred) = deferred {
            deferred.woken.wake();
        }
        result
    }

    /// Like [`with`](Self::with), for the connection's own task, whose waker is `task_waker`: the
    /// task is not woken; the second value returned is true if it would have been. Takes no lock if
    /// no request is handled, because no other handle exists then.
    pub(crate) fn with_as_task<T>(
        &mut self,
        task_waker: &Waker,
        operation: impl FnOnce(&mut Shared) -> T,
    ) -> (T, bool) {
        let (result, deferred) = match Arc::get_mut(&mut self.0) {
            Some(inner) => {
                let shared = inner.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
                (operation(shared), shared.take_deferred())
            }
            None => {
                let mut shared = self.0.shared.lock().unwrap_or_else(PoisonError::into_inner);
                (operation(&mut shared), shared.take_deferred())
            }
        };
        (result, deferred.is_some_and(|deferred| deferred.woken.wake_others(task_waker)))
    }

    /// Returns the next piece of the body of this request.
    pub(crate) fn poll_body(
        &self,
        request: RequestId,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let waker = context.waker().clone();
        let (polled, unused) = self.with(|shared| shared.await_piece(request, waker));
        drop(unused);
        polled
    }

    /// Waits until there is room to send a response to this request; returns whether it had to
    /// wait.
    pub(crate) async fn room(&self, request: RequestId) -> Result<bool, Misuse> {
        let mut waiting = Waiting { exchange: self, waiters: |shared| &mut shared.writers, number: None };
        let has_room = |shared: &mut Shared| match shared.core.poll_send_room(request) {
            Ok(0) => Poll::Pending,
            Ok(_) => Poll::Ready(Ok(())),
            Err(misuse) => Poll::Ready(Err(misuse)),
        };
        poll_fn(|context| waiting.poll(context, has_room)).await?;
        Ok(waiting.number.is_some())
    }

    /// Waits until the peer has ended its stream or the request is over.
    pub(crate) async fn peer_closed(&self, request: RequestId) {
        let mut waiting = Waiting { exchange: self, waiters: |shared| &mut shared.watchers, number: None };
        let is_closed = |shared: &mut Shared| match shared.is_peer_closed(request) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        };
        poll_fn(|context| waiting.poll(context, is_closed)).await;
    }
}

/// A future that waits for a condition of the core; removes its waker when dropped.
struct Waiting<'a> {
    exchange: &'a Exchange,
    waiters: fn(&mut Shared) -> &mut Waiters,
    /// The number of the waiter in [`Waiters`]; `None` before it had to wait.
    number: Option<u64>,
}

impl Waiting<'_> {
    fn poll<T>(&mut self, context: &mut Context<'_>, mut condition: impl FnMut(&mut Shared) -> Poll<T>) -> Poll<T> {
        let polled = self.exchange.with(&mut condition);
        if polled.is_ready() {
            return polled;
        }
        let waker = context.waker().clone();
        let (polled, replaced) = self.exchange.with(|shared| match condition(shared) {
            Poll::Pending => (Poll::Pending, (self.waiters)(shared).register(&mut self.number, waker)),
            ready => (ready, Some(waker)),
        });
        drop(replaced);
        polled
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.exchange.with(|shared| (self.waiters)(shared).remove(number));
            drop(waker);
        }
    }
}

impl Shared {
    /// Returns the next event for the task. Events that only concern the handles of the current
    /// request are processed here.
    #[inline]
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.core.poll_event()? {
                Event::Data(_, data) => self.receive(data),
                Event::End(_, trailers) => self.end_body(Ok(trailers)),
                // `100 Continue` is sent once the body is asked for.
                Event::Expect100(_) => {}
                Event::Writable(request) => {
                    self.woken.append(&mut self.writers);
                    return Some(Event::Writable(request));
                }
                Event::PeerClosed(_) => self.woken.append(&mut self.watchers),
                Event::Closed(reason) => {
                    self.close(reason);
                    return Some(Event::Closed(reason));
                }
                event => return Some(event),
            }
        }
    }

    /// Opens the body of the current request for a handle, with these limits instead of the
    /// server's if there are some. No body bytes are received before a handle asks for them.
    ///
    /// # Errors
    /// Returns an error if the client waits for `100 Continue` and announces a body over the limit;
    /// the request is then refused.
    pub(crate) fn open_body(&mut self, head: &RequestHead, limits: Option<&RequestLimits>) -> Result<(), Misuse> {
        let request = head.id();
        self.body = Some(Box::new(BodyQueue::new(head)));
        // Fails only if the connection has ended, and then nothing is received.
        let _ = self.core.pause(request);
        if let Some(limits) = limits {
            let _ = self.core.set_request_limits(request, limits);
        }
        self.core.check_expectation(request)
    }

    /// Returns the trailers of this request, once its body was received completely.
    pub(crate) fn trailers(&self, request: RequestId) -> Option<Headers> {
        let body = self.body.as_deref().filter(|body| body.request() == request)?;
        body.trailers().cloned()
    }

    /// Returns whether the peer has ended its stream, or the request is over.
    pub(crate) fn is_peer_closed(&self, request: RequestId) -> bool {
        self.core.is_peer_closed() || self.core.response_state(request).is_over()
    }

    /// Records that a responder finished the response to this request.
    pub(crate) fn set_responded(&mut self, request: RequestId) {
        self.responded = Some(request);
    }

    pub(crate) fn has_responded(&self, request: RequestId) -> bool {
        self.responded == Some(request)
    }

    /// Marks the shared state as changed, so that the connection's task takes the core's events.
    pub(crate) fn notify(&mut self) {
        self.changed = true;
        self.woken.extend(self.task.take());
    }

    /// Returns whether the task with this waker is about to be woken.
    pub(crate) fn wakes(&self, task_waker: &Waker) -> bool {
        self.woken.contains(task_waker)
    }

    /// Begins taking the core's events: [`park`](Self::park) detects later changes. Returns the
    /// waker that the task waited with.
    pub(crate) fn begin_processing(&mut self) -> Option<Waker> {
        self.changed = false;
        self.task.take()
    }

    /// Registers the task's waker, or returns it if a handle has changed something since the last
    /// call of [`begin_processing`](Self::begin_processing).
    pub(crate) fn park(&mut self, waker: Waker) -> Result<(), Waker> {
        if self.changed {
            return Err(waker);
        }
        self.task = Some(waker);
        Ok(())
    }

    fn receive(&mut self, data: Bytes) {
        // The piece keeps its receive buffer alive, which may be larger than usual: for a large
        // head, or with a larger `recv_buffer`.
        let copied = self.core.limits().body_buffer.max(self.core.storage_size()) / 2;
        let Some(body) = &mut self.body else { return };
        if body.push(data, copied) {
            let _ = self.core.pause(body.request());
        }
        self.woken.extend(body.take_reader());
    }

    fn end_body(&mut self, end: Result<Headers, BodyError>) {
        if let Some(body) = &mut self.body {
            body.end(end);
            self.woken.extend(body.take_reader());
        }
    }

    fn close(&mut self, reason: CloseReason) {
        let error = match reason {
            CloseReason::Finished => BodyError::ResponseFinished,
            reason => BodyError::Closed(reason),
        };
        self.end_body(Err(error));
        self.woken.append(&mut self.writers);
        self.woken.append(&mut self.watchers);
    }

    fn next_piece(&mut self, request: RequestId) -> Poll<Option<Result<Bytes, BodyError>>> {
        let Some(body) = self.body.as_mut().filter(|body| body.request() == request) else {
            return Poll::Ready(Some(Err(BodyError::ResponseFinished)));
        };
        let polled = body.poll();
        if polled.is_pending()
            && let Some(continue_expected) = body.ask()
        {
            let _ = self.core.resume(request);
            if continue_expected {
                let _ = self.core.send_continue(request);
            }
            self.notify();
        }
        polled
    }

    fn await_piece(
        &mut self,
        request: RequestId,
        waker: Waker,
    ) -> (Poll<Option<Result<Bytes, BodyError>>>, Option<Waker>) {
        match (self.next_piece(request), &mut self.body) {
            (Poll::Pending, Some(body)) => (Poll::Pending, replace(body.reader(), waker)),
            (polled, _) => (polled, Some(waker)),
        }
    }

    /// Drops the body and wakes the waiters of a finished request; returns work to do without the
    /// lock, usually none.
    #[inline]
    fn take_deferred(&mut self) -> Option<Deferred> {
        let no_waiters = self.writers.is_empty() && self.watchers.is_empty() && self.woken.is_empty();
        if no_waiters && !self.is_body_over() && !self.core.has_dropped() {
            return None;
        }
        Some(self.collect_deferred())
    }

    /// Returns whether the body is that of a request whose response is finished.
    fn is_body_over(&self) -> bool {
        let body = self.body.as_ref();
        body.is_some_and(|body| self.core.response_state(body.request()) == ResponseState::Finished)
    }

    fn collect_deferred(&mut self) -> Deferred {
        if self.is_body_over()
            && let Some(mut body) = self.body.take()
        {
            self.woken.extend(body.take_reader());
            self.woken.append(&mut self.writers);
            self.woken.append(&mut self.watchers);
        } else if !self.writers.is_empty() || !self.watchers.is_empty() {
            self.wake_stale();
        }
        Deferred { woken: std::mem::take(&mut self.woken), _dropped: self.core.take_dropped() }
    }

    /// Wakes the waiters of a finished request.
    #[cold]
    fn wake_stale(&mut self) {
        if self.core.current_request().is_none() {
            self.woken.append(&mut self.writers);
            self.woken.append(&mut self.watchers);
        }
    }
}
