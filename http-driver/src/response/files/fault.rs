//! The errors of opening a file.

use std::io;

use httpants_core::files::FileError;

use crate::observe::report::report;

/// Converts the error of opening the file at this path, and logs it if it is an error of the
/// system. The lack of descriptors, which clients can cause, is logged once.
pub(super) fn of(error: &io::Error, path: &str) -> FileError {
    #[cfg(unix)]
    {
        use std::sync::atomic::{AtomicBool, Ordering};

        use rustix::io::Errno;

        /// True if the lack of descriptors was logged.
        static EXHAUSTED: AtomicBool = AtomicBool::new(false);
        match Errno::from_io_error(error) {
            // A cycle of links; a socket or device without a driver or peer.
            Some(Errno::LOOP | Errno::NXIO | Errno::NODEV) => return FileError::NotFound,
            Some(Errno::MFILE | Errno::NFILE) if EXHAUSTED.swap(true, Ordering::Relaxed) => {
                tracing::debug!(%error, "cannot open a file");
                return FileError::Failed;
            }
            _ => {}
        }
    }
    let fault = FileError::from(error.kind());
    if fault == FileError::Failed {
        let path = path.escape_debug();
        report!("cannot open a file", error, path);
    }
    fault
}
