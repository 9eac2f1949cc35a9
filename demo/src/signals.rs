//! Signals that stop the program or reload certificates.

use std::io;
use std::thread;
use std::time::Duration;

use httpants_tokio::{Handle, Tls};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::signal::unix::{SignalKind, signal};

/// Maximum time for running requests to finish.
const GRACE: Duration = Duration::from_secs(30);

/// The parts of the server that signals control. The first SIGINT drains the server, and SIGTERM
/// does so after `delay`; a signal during the delay ends the delay, and a later one closes all
/// connections. SIGHUP reloads certificates; without TLS it has its default effect and terminates
/// the program.
#[derive(Clone)]
pub(crate) struct Controls {
    pub(crate) handle: Handle,
    pub(crate) delay: Duration,
    pub(crate) tls: Option<Tls>,
}

impl Controls {
    /// Handles signals on a separate thread.
    pub(crate) fn handle_on_thread(self) -> io::Result<()> {
        let mut signals = Signals::new(self.signals())?;
        thread::Builder::new().name("signals".into()).spawn(move || {
            for number in signals.forever() {
                self.handle_signal(number);
            }
        })?;
        Ok(())
    }

    /// Handles signals in tasks of the current tokio runtime: threads share the descriptor table,
    /// so a second thread would make the system calls of the first slower.
    pub(crate) fn handle_on_tokio(&self) -> io::Result<()> {
        for &number in self.signals() {
            let (controls, mut signal) = (self.clone(), signal(SignalKind::from_raw(number))?);
            tokio::spawn(async move {
                while signal.recv().await.is_some() {
                    let controls = controls.clone();
                    match number {
                        // A reload reads files, which blocks.
                        SIGHUP => drop(tokio::task::spawn_blocking(move || controls.handle_signal(number)).await),
                        _ => controls.handle_signal(number),
                    }
                }
            });
        }
        Ok(())
    }

    fn signals(&self) -> &'static [i32] {
        if self.tls.is_some() { &[SIGINT, SIGTERM, SIGHUP] } else { &[SIGINT, SIGTERM] }
    }

    fn handle_signal(&self, signal: i32) {
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
