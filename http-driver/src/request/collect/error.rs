//! Errors of buffering a body.

use std::io::{self, ErrorKind};

use http::StatusCode;
use httpants_core::forms::ParseFormError;

use super::settings::Disk;
use crate::descriptors::LoggedLack;
use crate::exchange::BodyError;
use crate::observe::report::report;

/// The reason why the body of a request was not buffered.
#[derive(Debug)]
pub(crate) enum CollectError {
    /// The body is not acceptable. With `unread`, some of it was not received.
    Form { fault: ParseFormError, unread: bool },
    /// The temporary file could not be written.
    Disk { error: io::Error, unread: bool },
    /// The body cannot be decoded, or exceeds a limit when decoded.
    Decoding { error: BodyError, unread: bool },
    /// The connection ended first.
    Connection,
}

impl CollectError {
    pub(super) fn form(fault: ParseFormError) -> Self {
        Self::Form { fault, unread: true }
    }

    /// Returns the error of a body that could not be read.
    pub(super) fn body(error: BodyError) -> Self {
        match error {
            BodyError::Coding | BodyError::DecodedTooLarge => Self::Decoding { error, unread: true },
            _ => Self::Connection,
        }
    }

    pub(super) fn disk(error: io::Error) -> Self {
        Self::Disk { error, unread: true }
    }

    /// Returns the same error, for a body that was received to its end.
    pub(super) fn after_the_end(self) -> Self {
        match self {
            Self::Form { fault, .. } => Self::Form { fault, unread: false },
            Self::Disk { error, .. } => Self::Disk { error, unread: false },
            error => error,
        }
    }

    /// Logs a failure of the disk; the lack of descriptors, which many clients can cause, once.
    pub(super) fn log(&self, disk: &Disk) {
        /// The lack of descriptors was logged.
        static LACK: LoggedLack = LoggedLack::new();
        if let Self::Disk { error, .. } = self {
            if LACK.is_repeated(error) {
                tracing::debug!(%error, "cannot store a body in a temporary file");
                return;
            }
            let directory = disk.directory.display();
            report!("cannot store a body in a temporary file", directory, error);
        }
    }

    /// Returns the status for a failure of the disk.
    pub(crate) fn disk_status(error: &io::Error) -> StatusCode {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl From<ParseFormError> for CollectError {
    fn from(fault: ParseFormError) -> Self {
        Self::form(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_is_507_and_other_errors_are_500() {
        for (kind, code) in [
            (ErrorKind::StorageFull, 507),
            (ErrorKind::QuotaExceeded, 507),
            (ErrorKind::FileTooLarge, 507),
            (ErrorKind::PermissionDenied, 500),
            (ErrorKind::NotFound, 500),
        ] {
            assert_eq!(CollectError::disk_status(&kind.into()), code, "{kind}");
        }
    }
}
