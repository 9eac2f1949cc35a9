//! The accept loop: accepts connections until the server is stopped, then waits for the open ones.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::connect::Connect;
use super::connection_limits::ConnectionLimits;
use super::socket_file::SocketFiles;
use crate::connection::{Accepted, Service};
use crate::lifecycle::{Command, Handle};
use crate::observe::Count;
use crate::observe::report::report;
use crate::runtime::{Listener, Runtime, Sleep};
use crate::tls::Tls;

/// Connections accepted in one turn before other tasks get a turn.
const TURN: usize = 64;
/// Turns in which a shutdown accepts the connections that wait: as many connections as the default
/// backlog.
const LAST_TURNS: usize = 16;
/// Delay after the process or the system ran out of descriptors or memory. Retrying at once would
/// spin, because the pending connection keeps the socket readable.
const EXHAUSTED: Duration = Duration::from_millis(100);

pin_project! {
    /// The accept loop of one worker; completes when the server was stopped and its connections
    /// have ended.
    pub(crate) struct Accepting<R: Runtime, H> {
        runtime: R,
        connect: Connect<R, H>,
        service: Arc<Service<H>>,
        // Declared before the sockets, because it must be dropped before them.
        files: SocketFiles,
        // The listeners, with their TLS settings.
        listeners: Vec<(R::Listener, Option<Tls>)>,
        limits: ConnectionLimits,
        handle: Handle,
        // The end of a pause or of the grace period.
        #[pin]
        sleep: Option<R::Sleep>,
        // The number of delayed shutdowns handled, the end of the delay, and its timer.
        delayed: usize,
        delay_end: Option<Duration>,
        #[pin]
        delay: Option<R::Sleep>,
        // The number of shutdown requests handled, and the end of the grace period.
        shutdowns: usize,
        grace_end: Option<Duration>,
        // True if the lack of descriptors or memory was logged.
        exhausted: bool,
    }
}

impl<R: Runtime, H> Accepting<R, H> {
    pub(crate) fn new(
        (runtime, connect, service): (R, Connect<R, H>, Arc<Service<H>>),
        listeners: Vec<(R::Listener, Option<Tls>)>,
        limits: ConnectionLimits,
        handle: Handle,
    ) -> Self {
        let files = SocketFiles::default();
        Self {
            runtime,
            connect,
            service,
            files,
            listeners,
            limits,
            handle,
            sleep: None,
            delayed: 0,
            delay_end: None,
            delay: None,
            shutdowns: 0,
            grace_end: None,
            exhausted: false,
        }
    }

    /// Adds socket files to remove when accepting stops.
    pub(crate) fn with_files(mut self, files: SocketFiles) -> Self {
        self.files = files;
        self
    }

    /// Starts the grace period after a shutdown request. A later request can only shorten it.
    fn limit_grace(self: Pin<&mut Self>) {
        let mut this = self.project();
        let (shutdowns, grace) = this.handle.registry.shutdowns();
        if std::mem::replace(this.shutdowns, shutdowns) == shutdowns && this.grace_end.is_some() {
            return;
        }
        let end = this.runtime.now().mono.saturating_add(grace);
        if this.grace_end.is_none_or(|known| end < known) {
            *this.grace_end = Some(end);
            this.sleep.set(Some(this.runtime.sleep_until(end)));
        }
    }

    /// Starts a delayed shutdown when its delay is over.
    fn end_delay(self: Pin<&mut Self>, context: &mut Context<'_>) {
        let mut this = self.project();
        let delayed = this.handle.registry.delayed();
        let count = delayed.count();
        if std::mem::replace(this.delayed, count) != count {
            let end = this.runtime.now().mono.saturating_add(delayed.delay());
            if this.delay_end.is_none_or(|known| end < known) {
                *this.delay_end = Some(end);
                this.delay.set(Some(this.runtime.sleep_until(end)));
            }
        }
        if this.delay.as_mut().as_pin_mut().is_some_and(|delay| delay.poll_elapsed(context).is_ready()) {
            this.delay.set(None);
            this.handle.registry.drain(delayed.grace());
        }
    }

    fn sleep(self: Pin<&mut Self>, span: Duration) {
        let mut this = self.project();
        let at = this.runtime.now().mono.saturating_add(span);
        this.sleep.set(Some(this.runtime.sleep_until(at)));
    }

    fn is_asleep(self: Pin<&mut Self>, context: &mut Context<'_>) -> bool {
        let mut this = self.project();
        let asleep = this.sleep.as_mut().as_pin_mut().is_some_and(|sleep| sleep.poll_elapsed(context).is_pending());
        if !asleep {
            this.sleep.set(None);
        }
        asleep
    }

    /// Accepts the connections that the kernel has accepted before the sockets are closed, which would
    /// reset them.
    #[cold]
    fn accept_last(mut self: Pin<&mut Self>, context: &mut Context<'_>) {
        self.as_mut().project().listeners.iter_mut().for_each(|(listener, _)| listener.retry_accept());
        for _ in 0..LAST_TURNS {
            if self.as_mut().accept(context) < TURN {
                return;
            }
        }
    }

    /// Accepts pending connections, taking turns between the sockets; returns their number.
    fn accept(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> usize {
        let mut accepted = 0;
        loop {
            let before = accepted;
            let this = self.as_mut().project();
            let mut exhausted = None;
            let places = this.limits.places();
            for (listener, tls) in this.listeners.iter_mut() {
                let Some(place) = this.handle.registry.reserve(places, context) else {
                    // This task is woken when a place is released.
                    if this.handle.registry.has_become_full(places) {
                        this.handle.metrics.one(Count::AcceptPause);
                    }
                    // After the check, so that a connection that begins to linger from now on sees
                    // that the server is full.
                    this.handle.registry.evict_if_full();
                    return accepted;
                };
                match listener.poll_accept(context) {
                    Poll::Pending => {}
                    Poll::Ready(Ok((transport, peer))) => {
                        accepted += 1;
                        *this.exhausted = false;
                        this.handle.metrics.one(Count::Accepted);
                        let (registration, age) = (place.register(), this.limits.age());
                        let admission = this.limits.admit(&registration, &peer, &this.handle.metrics);
                        let accepted = Accepted { transport, peer, registration, admission, age };
                        (this.connect)(this.runtime, this.service, accepted, tls.as_ref());
                    }
                    Poll::Ready(Err(error)) if concerns_one_connection(&error) => accepted += 1,
                    Poll::Ready(Err(error)) => exhausted = Some(error),
                }
            }
            if let Some(error) = exhausted {
                this.handle.metrics.one(Count::AcceptError);
                // Logged once, because peers that hold all resources could otherwise fill the log.
                if !std::mem::replace(self.as_mut().project().exhausted, true) {
                    report!("accept failed; retrying ten times a second", error);
                }
                self.handle.registry.evict();
                self.as_mut().sleep(EXHAUSTED);
                // Registers the waker for the end of the pause.
                let _ = self.as_mut().is_asleep(context);
                return accepted;
            }
            if accepted == before {
                return accepted;
            }
            if accepted >= TURN {
                context.waker().wake_by_ref();
                return accepted;
            }
        }
    }
}

/// Returns whether the error concerns only the connection that was being accepted.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

impl<R: Runtime, H> Future for Accepting<R, H> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let registry = Arc::clone(&self.handle.registry);
        // Before the checks, so that no change in between is missed.
        registry.watch(context);
        if registry.command() == Command::Serve {
            self.as_mut().end_delay(context);
        }
        if registry.command() == Command::Serve {
            if !self.as_mut().is_asleep(context) {
                self.as_mut().accept(context);
            }
            return Poll::Pending;
        }
        if registry.command() == Command::Drain && !self.listeners.is_empty() && !self.as_mut().is_asleep(context) {
            self.as_mut().accept_last(context);
        }
        // Closes the listening sockets: new connections are refused from now on.
        let this = self.as_mut().project();
        *this.files = SocketFiles::default();
        this.listeners.clear();
        self.as_mut().limit_grace();
        if registry.command() == Command::Drain && !self.as_mut().is_asleep(context) {
            registry.send_command(Command::Close);
        }
        if registry.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}
