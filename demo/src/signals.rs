//! How the program is asked to end, and to read its certificates again.

use std::io;
use std::thread;
use std::time::Duration;

use httpants_tokio::{Handle, Tls};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long requests that are running may take to finish.
const GRACE: Duration = Duration::from_secs(30);

/// The first SIGINT or SIGTERM drains the server, the second drops what is left. SIGHUP reloads
/// certificates, and without any ends the program as usual.
pub(crate) fn obey(handle: Handle, tls: Option<Tls>) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    if tls.is_some() {
        signals.add_signal(SIGHUP)?;
    }
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in signals.forever() {
            match (signal, &tls) {
                (SIGHUP, Some(tls)) => {
                    if let Err(error) = tls.reload() {
                        tracing::error!(%error, "the certificates stay as they were");
                    }
                }
                _ if handle.is_draining() => handle.close(),
                _ => handle.shutdown(GRACE),
            }
        }
    })?;
    Ok(())
}
