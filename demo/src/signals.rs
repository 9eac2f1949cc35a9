//! Signals that stop the program or reload certificates.

use std::io;
use std::thread;
use std::time::Duration;

use httpants_tokio::{Handle, Tls};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::signal::unix::{SignalKind, signal};

/// How long running requests may take to finish.
const GRACE: Duration = Duration::from_secs(30);

/// What signals act on: the first SIGINT drains the server, and so does SIGTERM after `delay`; a
/// signal in the delay ends it, and one after it closes all connections. SIGHUP reloads
/// certificates; without TLS it ends the program as usual.
#[derive(Clone)]
pub(crate) struct Controls {
    pub(crate) handle: Handle,
    pub(crate) delay: Duration,
    pub(crate) tls: Option<Tls>,
}

impl Controls {
    /// Obeys signals on a thread of their own.
    pub(crate) fn obey_on_thread(self) -> io::Result<()> {
        let mut signals = Signals::new(self.signals())?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            for number in signals.forever() {
                self.obey(number);
            }
        })?;
        Ok(())
    }

    /// Obeys signals in tasks of the current tokio runtime: threads share their descriptors, so a
    /// second one would make the system calls of the first dearer.
    pub(crate) fn obey_on_tokio(&self) -> io::Result<()> {
        for &number in self.signals() {
            let (controls, mut signal) = (self.clone(), signal(SignalKind::from_raw(number))?);
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    let controls = controls.clone();
                    match number {
                        // It reads files.
                        SIGHUP => drop(tokio::task::spawn_blocking(move || controls.obey(number)).await),
                        _ => controls.obey(number),
                    }
                }
            });
        }
        Ok(())
    }

    fn signals(&self) -> &'static [i32] {
        if self.tls.is_some() { &[SIGINT, SIGTERM, SIGHUP] } else { &[SIGINT, SIGTERM] }
    }

    fn obey(&self, signal: i32) {
        match (signal, &self.tls) {
            (SIGHUP, Some(tls)) => {
                if let Err(error) = tls.reload() {
                    tracing::error!(%error, "certificate reload failed; keeping the current certificates");
                }
            }
            _ if self.handle.is_draining() => self.handle.close(),
            (SIGTERM, _) if self.handle.is_ready() => self.handle.shutdown_after(self.delay, GRACE),
            _ => self.handle.shutdown(GRACE),
        }
    }
}
