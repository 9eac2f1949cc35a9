//! How the program is asked to end.

use std::io;
use std::thread;
use std::time::Duration;

use httpants_tokio::Handle;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long requests that are running may take to finish.
const GRACE: Duration = Duration::from_secs(30);

/// The first signal drains the server, the second drops what is left.
pub(crate) fn drain(handle: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        let mut pending = signals.forever();
        if pending.next().is_some() {
            handle.shutdown(GRACE);
        }
        if pending.next().is_some() {
            handle.close();
        }
    })?;
    Ok(())
}
