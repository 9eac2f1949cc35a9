//! What the task of a connection and the handles of its requests share.
//!
//! The handler, its streams and whatever they spawned reach the connection through an
//! [`Exchange`] and the id of their request, which the core checks: what belongs to a finished
//! request changes nothing of the next one.
//!
//! The lock is held for calls of the core alone. Handlers, streams, wakers, transports and
//! whatever else is not ours is called, polled, woken and dropped without it: see
//! [`Exchange::with`].

mod body_error;
mod body_queue;
mod environment;
#[cfg(feature = "json")]
mod json_error;
mod waiting;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use httpants_core::{CloseReason, Connection, Dropped, Event, Headers, Misuse, RequestHead, RequestId, ResponseState};

pub use self::body_error::BodyError;
use self::body_queue::BodyQueue;
pub(crate) use self::environment::Environment;
#[cfg(feature = "json")]
pub use self::json_error::JsonError;
use self::waiting::{Waiters, Wakers, replace};
use crate::tls::TlsSession;

/// A connection as its task and the handles of its requests see it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Mutex<Shared>,
    environment: Arc<Environment>,
    /// Once the transport is secured.
    tls: OnceLock<Box<TlsSession>>,
}

/// What is behind the lock.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) core: Connection,
    /// The body of the current request, where it has one that a handle may read.
    body: Option<Box<BodyQueue>>,
    /// The last request whose handler finished the response itself, by a responder.
    responded: Option<RequestId>,
    /// Who waits for room to send, and for the end of the peer's stream.
    writers: Waiters,
    watchers: Waiters,
    /// The connection's task, while it waits.
    task: Option<Waker>,
    /// A handle has changed something since the task looked.
    changed: bool,
    /// To be woken once the lock is free.
    woken: Wakers,
}

/// What is left to do once the lock is free, because it may run foreign code.
struct Unlocked {
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

    /// What the handshake agreed on.
    #[cfg_attr(not(feature = "_tls"), expect(dead_code, reason = "there is no handshake"))]
    pub(crate) fn tls(&self) -> Option<&TlsSession> {
        self.0.tls.get().map(|session| &**session)
    }

    pub(crate) fn secure(&self, session: TlsSession) {
        let _ = self.0.tls.set(Box::new(session));
    }

    /// Runs an operation on the core under the lock; what it wakes is woken, and what it drops
    /// is dropped, behind it. The operation must not call foreign code.
    pub(crate) fn with<T>(&self, operation: impl FnOnce(&mut Shared) -> T) -> T {
        let mut shared = self.0.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let result = operation(&mut shared);
        let unlocked = shared.settle();
        drop(shared);
        if let Some(unlocked) = unlocked {
            unlocked.woken.wake();
        }
        result
    }

    /// [`with`](Self::with) for the connection's own task, of which `own` is the waker: it is
    /// not woken, but learns whether it would have been. Where no request is handled, nobody
    /// else has the exchange, and nothing is locked.
    pub(crate) fn with_own<T>(&mut self, own: &Waker, operation: impl FnOnce(&mut Shared) -> T) -> (T, bool) {
        let (result, unlocked) = match Arc::get_mut(&mut self.0) {
            Some(inner) => {
                let shared = inner.shared.get_mut().unwrap_or_else(PoisonError::into_inner);
                (operation(shared), shared.settle())
            }
            None => {
                let mut shared = self.0.shared.lock().unwrap_or_else(PoisonError::into_inner);
                (operation(&mut shared), shared.settle())
            }
        };
        (result, unlocked.is_some_and(|unlocked| unlocked.woken.wake_others(own)))
    }

    /// The next piece of the body of this request.
    pub(crate) fn poll_body(
        &self,
        request: RequestId,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        let polled = self.with(|shared| shared.next_piece(request));
        if polled.is_ready() {
            return polled;
        }
        let waker = context.waker().clone();
        let (polled, replaced) = self.with(|shared| shared.await_piece(request, waker));
        drop(replaced);
        polled
    }

    /// Waits until there is room to send a response to this request; says whether it had to.
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

    /// Waits until the peer has ended its stream, or the request is over.
    pub(crate) async fn peer_closed(&self, request: RequestId) {
        let mut waiting = Waiting { exchange: self, waiters: |shared| &mut shared.watchers, number: None };
        let is_closed = |shared: &mut Shared| match shared.is_peer_closed(request) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        };
        poll_fn(|context| waiting.poll(context, is_closed)).await;
    }
}

/// Waits for a condition of the core; takes its waker back when it is dropped.
struct Waiting<'a> {
    exchange: &'a Exchange,
    waiters: fn(&mut Shared) -> &mut Waiters,
    /// Once it had to wait.
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
    /// The next event that is not for a handle of the current request alone.
    #[inline]
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        loop {
            match self.core.poll_event()? {
                Event::Data(_, data) => self.receive(data),
                Event::End(_, trailers) => self.end_body(Ok(trailers)),
                Event::Expect100(_) => self.expect_continue(),
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

    /// The current request has a body that a handle reads, up to `max_body` bytes where that is
    /// not as usual. Nothing of it is received before it is asked for.
    ///
    /// # Errors
    /// Where the client asks whether it may send more than that: it is refused then.
    pub(crate) fn open_body(&mut self, head: &RequestHead, max_body: Option<u64>) -> Result<(), Misuse> {
        let request = head.id();
        self.body = Some(Box::new(BodyQueue::new(head)));
        // Fails only where the connection has ended, and then nothing is received.
        let _ = self.core.pause(request);
        if let Some(max_body) = max_body {
            let _ = self.core.set_max_body_size(request, max_body);
        }
        self.core.check_expectation(request)
    }

    /// The trailers of this request, once its body was received to the end.
    pub(crate) fn trailers(&self, request: RequestId) -> Option<Headers> {
        let body = self.body.as_deref().filter(|body| body.request() == request)?;
        body.trailers().cloned()
    }

    /// Whether the peer has ended its stream, or the request is over.
    pub(crate) fn is_peer_closed(&self, request: RequestId) -> bool {
        self.core.is_peer_closed() || self.core.response_state(request).is_over()
    }

    /// The handler of this request finished the response itself.
    pub(crate) fn set_responded(&mut self, request: RequestId) {
        self.responded = Some(request);
    }

    pub(crate) fn has_responded(&self, request: RequestId) -> bool {
        self.responded == Some(request)
    }

    /// Lets the connection's task look at the core.
    pub(crate) fn notify(&mut self) {
        self.changed = true;
        self.woken.extend(self.task.take());
    }

    /// The task runs and looks: what changes from here on is noticed by [`park`](Self::park).
    /// Returns the waker that it waited with.
    pub(crate) fn begin_look(&mut self) -> Option<Waker> {
        self.changed = false;
        self.task.take()
    }

    /// Registers the task, unless a handle has changed something since it looked; gives the
    /// waker back then.
    pub(crate) fn park(&mut self, waker: Waker) -> Result<(), Waker> {
        if self.changed {
            return Err(waker);
        }
        self.task = Some(waker);
        Ok(())
    }

    fn receive(&mut self, data: Bytes) {
        // The piece holds the block that it was received in, which may be larger than usual: for a
        // large head, or where `recv_buffer` is larger.
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

    fn expect_continue(&mut self) {
        let Some(body) = &mut self.body else { return };
        if !body.expect_continue() {
            // Refused by this very call where it is too large; the event that says so follows.
            let _ = self.core.send_continue(body.request());
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

    /// Ends what belongs to a request that is over, and takes out what is to be done without
    /// the lock: usually nothing.
    #[inline]
    fn settle(&mut self) -> Option<Unlocked> {
        let no_waiters = self.writers.is_empty() && self.watchers.is_empty() && self.woken.is_empty();
        if no_waiters && self.body.is_none() && !self.core.has_dropped() {
            return None;
        }
        Some(self.settle_waiting())
    }

    fn settle_waiting(&mut self) -> Unlocked {
        if let Some(body) = &mut self.body
            && self.core.response_state(body.request()) == ResponseState::Finished
        {
            self.woken.extend(body.take_reader());
            self.body = None;
            self.woken.append(&mut self.writers);
            self.woken.append(&mut self.watchers);
        } else if !self.writers.is_empty() || !self.watchers.is_empty() {
            self.wake_stale();
        }
        Unlocked { woken: std::mem::take(&mut self.woken), _dropped: self.core.take_dropped() }
    }

    /// Wakes those who wait for a request that is over.
    #[cold]
    fn wake_stale(&mut self) {
        if self.core.current_request().is_none() {
            self.woken.append(&mut self.writers);
            self.woken.append(&mut self.watchers);
        }
    }
}
