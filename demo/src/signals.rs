//! Signals that stop the program or reload certificates.

use std::future::poll_fn;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use httpants_driver::runtime::{Listener, Runtime, Transport};
use httpants_tokio::{Handle, Tls};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// How long running requests may take to finish.
const GRACE: Duration = Duration::from_secs(30);

/// Registered signals. Each is a byte on a connection of its own, so that a task of any runtime can
/// wait for them; a thread that did would make each system call of a server with one worker dearer,
/// because threads share their descriptors.
pub(crate) struct Registered {
    numbers: Vec<i32>,
    /// Has one connection for each of them, in this order.
    listener: UnixListener,
}

/// The same signals on a runtime.
pub(crate) struct Signals<R: Runtime> {
    runtime: R,
    sources: Vec<(i32, R::Transport)>,
}

impl Registered {
    /// Registers SIGINT and SIGTERM, and SIGHUP if there are certificates to reload; without TLS it
    /// ends the program as usual.
    pub(crate) fn new(has_tls: bool) -> io::Result<Self> {
        let mut numbers = vec![SIGINT, SIGTERM];
        numbers.extend(has_tls.then_some(SIGHUP));
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("signals");
        let listener = UnixListener::bind(&path)?;
        for &number in &numbers {
            pipe::register(number, UnixStream::connect(&path)?)?;
        }
        listener.set_nonblocking(true)?;
        Ok(Self { numbers, listener })
    }

    pub(crate) async fn on<R: Runtime>(self, runtime: R) -> io::Result<Signals<R>> {
        let Self { numbers, listener } = self;
        let mut listener = runtime.listen_unix(listener)?;
        let mut sources = Vec::new();
        for number in numbers {
            let (source, _) = poll_fn(|context| listener.poll_accept(context)).await?;
            sources.push((number, source));
        }
        Ok(Signals { runtime, sources })
    }

    /// Obeys the signals on a thread of their own.
    pub(crate) fn obey_on_thread<R>(
        self,
        runtime: R,
        handle: Handle,
        delay: Duration,
        tls: Option<Tls>,
    ) -> io::Result<()>
    where
        R: Runtime + Send,
    {
        let (opened, is_open) = mpsc::channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            runtime.block_on(async {
                let signals = self.on(runtime.clone()).await;
                let (signals, result) =
                    signals.map_or_else(|error| (None, Err(error)), |signals| (Some(signals), Ok(())));
                let _ = opened.send(result);
                if let Some(signals) = signals {
                    signals.obey(handle, delay, tls).await;
                }
            })
        })?;
        is_open.recv().unwrap_or_else(|_| Err(io::Error::other("the thread for signals ended")))
    }
}

impl<R: Runtime> Signals<R> {
    /// Obeys signals for ever: the first SIGINT drains the server, and so does SIGTERM after
    /// `delay`; a signal in the delay ends it, and one after it closes all connections. SIGHUP
    /// reloads certificates.
    pub(crate) async fn obey(mut self, handle: Handle, delay: Duration, tls: Option<Tls>) {
        loop {
            match (self.next().await, &tls) {
                (Ok(SIGHUP), Some(tls)) => self.reload(tls.clone()).await,
                (Ok(_), _) if handle.is_draining() => handle.close(),
                (Ok(SIGTERM), _) if handle.is_ready() => handle.shutdown_after(delay, GRACE),
                (Ok(_), _) => handle.shutdown(GRACE),
                (Err(error), _) => return tracing::error!(%error, "cannot wait for signals any more"),
            }
        }
    }

    /// Waits for the next signal. Several that come at once may count as one.
    async fn next(&mut self) -> io::Result<i32> {
        poll_fn(|context| {
            for (number, source) in &mut self.sources {
                match source.poll_recv(context, &mut [0; 16]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                    Poll::Ready(received) => return Poll::Ready(received.map(|_| *number)),
                    Poll::Pending => {}
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn reload(&mut self, tls: Tls) {
        let reloaded = self.runtime.unblock(move || tls.reload().map_err(io::Error::other)).await;
        if let Err(error) = reloaded.and_then(|reloaded| reloaded) {
            tracing::error!(%error, "certificate reload failed; keeping the current certificates");
        }
    }
}
