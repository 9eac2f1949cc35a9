//! Why a body was not collected.

use std::io::{self, ErrorKind};

use httpants_core::forms::ParseFormError;

use super::settings::Disk;
use crate::observe::report::report;

/// Why the body of a request could not be collected.
#[derive(Debug)]
pub(crate) enum CollectError {
    /// The peer's fault; with `unread`, some of the body was not received.
    Form { fault: ParseFormError, unread: bool },
    /// Ours.
    Disk { error: io::Error, unread: bool },
    /// The connection ended first.
    Connection,
}

impl CollectError {
    pub(super) fn form(fault: ParseFormError) -> Self {
        Self::Form { fault, unread: true }
    }

    pub(super) fn disk(error: io::Error) -> Self {
        Self::Disk { error, unread: true }
    }

    /// The same, behind a body that was received to its end.
    pub(super) fn behind_the_end(self) -> Self {
        match self {
            Self::Form { fault, .. } => Self::Form { fault, unread: false },
            Self::Disk { error, .. } => Self::Disk { error, unread: false },
            error => error,
        }
    }

    /// Tells the operator of a failure of the disk.
    pub(super) fn log(&self, disk: &Disk) {
        if let Self::Disk { error, .. } = self {
            let directory = disk.directory.display();
            report!("a body could not be stored in a temporary file", directory, error);
        }
    }

    /// The status of a failure of the disk.
    pub(crate) fn disk_status(error: &io::Error) -> u16 {
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => 507,
            _ => 500,
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
    fn full_disk_is_507_and_another_error_500() {
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
