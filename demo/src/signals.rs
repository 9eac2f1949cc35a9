//! Signals that stop the program or reload certificates.

use std::io;
use std::thread;
use std::time::Duration;

use httpants_tokio::{Handle, Tls};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long running requests may take to finish.
const GRACE: Duration = Duration::from_secs(30);

/// Handles signals on a thread: the first SIGINT drains the server, and so does SIGTERM after
/// `delay`; a signal in the delay ends it, and one after it closes all connections. SIGHUP reloads
/// certificates; without TLS it ends the program as usual.
pub(crate) fn obey(handle: Handle, delay: Duration, tls: Option<Tls>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if tls.is_some() {
        signals.add_signal(SIGHUP)?;
    }
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match (signal, &tls) {
                (SIGHUP, Some(tls)) => {
                    if let Err(error) = tls.reload() {
                        tracing::error!(%error, "certificate reload failed; keeping the current certificates");
                    }
                }
                _ if handle.is_draining() => handle.close(),
                (SIGTERM, _) if handle.is_ready() => handle.shutdown_after(delay, GRACE),
                _ => handle.shutdown(GRACE),
            }
        }
    })?;
    Ok(())
}
