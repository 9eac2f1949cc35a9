//! Accepts connections until the server is stopped, then waits for the open ones.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::handle::Handle;
use super::socket_file::SocketFiles;
use crate::connection::registry::Command;
use crate::connection::{Serve, Service};
use crate::handler::Handler;
use crate::observe::Count;
use crate::observe::report::report;
use crate::runtime::{Listener, Runtime, Sleep, Spawn};
use crate::tls::Tls;

/// Connections accepted in one turn before other tasks get theirs.
const TURN: usize = 64;
/// How long to wait when the process or the machine is out of descriptors or memory: trying
/// again at once would spin, because the waiting connection keeps the socket readable.
const EXHAUSTED: Duration = Duration::from_millis(100);

pin_project! {
    /// Accepts for one worker; done when the server was stopped and its connections
    /// have ended.
    pub(crate) struct Accepting<R: Runtime, H: Handler> {
        runtime: R,
        service: Arc<Service<H>>,
        // In front of the sockets, because it is to be dropped before them.
        files: SocketFiles,
        // With what they speak TLS, where they do.
        listeners: Vec<(R::Listener, Option<Tls>)>,
        max_connections: usize,
        handle: Handle,
        // Until when nothing is accepted, or connections may finish.
        #[pin]
        sleep: Option<R::Sleep>,
        // How many shutdowns were seen, and until when connections may finish.
        shutdowns: usize,
        grace_end: Option<Duration>,
        // Whether the lack of descriptors or memory was logged already.
        exhausted: bool,
    }
}

impl<R, H> Accepting<R, H>
where
    R: Runtime + Spawn<Serve<R, H>>,
    R::Transport: Send,
    H: Handler,
{
    pub(crate) fn new(
        runtime: R,
        service: Arc<Service<H>>,
        listeners: Vec<(R::Listener, Option<Tls>)>,
        max_connections: usize,
        handle: Handle,
    ) -> Self {
        let files = SocketFiles::default();
        Self {
            runtime,
            service,
            files,
            listeners,
            max_connections,
            handle,
            sleep: None,
            shutdowns: 0,
            grace_end: None,
            exhausted: false,
        }
    }

    /// With files to be removed when nothing is accepted any more.
    pub(crate) fn with_files(mut self, files: SocketFiles) -> Self {
        self.files = files;
        self
    }

    /// Connections may finish until the grace ends that ends first.
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

    /// Accepts what waits, in turn from each socket.
    fn accept(mut self: Pin<&mut Self>, context: &mut Context<'_>) {
        let mut accepted = 0;
        loop {
            let before = accepted;
            let this = self.as_mut().project();
            let mut exhausted = None;
            for (listener, tls) in this.listeners.iter_mut() {
                let Some(place) = this.handle.registry.reserve(*this.max_connections, context) else {
                    // A place that becomes free wakes this task.
                    if this.handle.registry.has_become_full(*this.max_connections) {
                        this.handle.metrics.one(Count::AcceptPause);
                    }
                    // Behind that, so that one that begins to linger now sees it.
                    this.handle.registry.evict_if_full();
                    return;
                };
                match listener.poll_accept(context) {
                    Poll::Pending => {}
                    Poll::Ready(Ok((transport, peer))) => {
                        accepted += 1;
                        *this.exhausted = false;
                        this.handle.metrics.one(Count::Accepted);
                        let registration = place.register();
                        let service = Arc::clone(this.service);
                        let runtime = this.runtime.clone();
                        this.runtime.spawn(Serve::new(runtime, service, registration, transport, peer, tls.as_ref()));
                    }
                    Poll::Ready(Err(error)) if concerns_one_connection(&error) => accepted += 1,
                    Poll::Ready(Err(error)) => exhausted = Some(error),
                }
            }
            if let Some(error) = exhausted {
                this.handle.metrics.one(Count::AcceptError);
                // Once, or peers that hold what there is could fill the log.
                if !std::mem::replace(self.as_mut().project().exhausted, true) {
                    report!("cannot accept connections until others end", error);
                }
                self.handle.registry.evict();
                self.as_mut().sleep(EXHAUSTED);
                // Registers for the end of the pause.
                let _ = self.as_mut().is_asleep(context);
                return;
            }
            if accepted == before {
                return;
            }
            if accepted >= TURN {
                context.waker().wake_by_ref();
                return;
            }
        }
    }
}

/// The connection that was about to be accepted is gone; the socket is as good as before.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted)
}

impl<R, H> Future for Accepting<R, H>
where
    R: Runtime + Spawn<Serve<R, H>>,
    R::Transport: Send,
    H: Handler,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let registry = Arc::clone(&self.handle.registry);
        // Before anything is looked at, so that nothing in between is missed.
        registry.watch(context);
        if registry.command() == Command::Serve {
            if !self.as_mut().is_asleep(context) {
                self.as_mut().accept(context);
            }
            return Poll::Pending;
        }
        // Closes the listening sockets: new connections are refused from here on.
        let this = self.as_mut().project();
        *this.files = SocketFiles::default();
        this.listeners.clear();
        self.as_mut().limit_grace();
        if registry.command() == Command::Drain && !self.as_mut().is_asleep(context) {
            registry.give(Command::Close);
        }
        if registry.count() == 0 { Poll::Ready(()) } else { Poll::Pending }
    }
}
