//! The errors of opening a file.

use std::io;

use httpants_core::files::FileError;

use crate::descriptors::LoggedLack;
use crate::observe::report::report;

/// Converts the error of opening the file at this path, and logs it if it is an error of the
/// system. The lack of descriptors, which clients can cause, is logged once.
pub(super) fn of(error: &io::Error, path: &str) -> FileError {
    /// The lack of descriptors was logged.
    static LACK: LoggedLack = LoggedLack::new();
    #[cfg(unix)]
    {
        use rustix::io::Errno;

        // A cycle of links; a socket or device without a driver or peer.
        if let Some(Errno::LOOP | Errno::NXIO | Errno::NODEV) = Errno::from_io_error(error) {
            return FileError::NotFound;
        }
    }
    if LACK.is_repeated(error) {
        tracing::debug!(%error, "cannot open a file");
        return FileError::Failed;
    }
    let fault = FileError::from(error.kind());
    if fault == FileError::Failed {
        let path = path.escape_debug();
        report!("cannot open a file", error, path);
    }
    fault
}
