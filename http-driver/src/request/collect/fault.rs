//! Why content was not taken, and what the client is told.

use std::io::{self, ErrorKind};

use httpants_core::forms::BadForm;

use super::Settings;
use crate::observe::Count;
use crate::response::Response;

#[derive(Debug)]
pub(super) enum Fault {
    /// The peer's.
    Form(BadForm),
    /// Ours.
    Disk(io::Error),
}

impl Fault {
    /// The answer. Where content was left unread it is the last one of the connection.
    pub(super) fn response(self, settings: &Settings, unread: bool) -> Box<Response> {
        let response = match self {
            Self::Form(fault) => {
                settings.disk.tally.one(Count::FormRefused);
                Response::from(fault)
            }
            Self::Disk(error) => {
                let directory = settings.disk.directory.display();
                tracing::error!(%directory, %error, "content could not be stored in a temporary file");
                let (code, text) = if is_full(&error) {
                    (507, "there is no room to store the content (RFC 4918 11.5)\n")
                } else {
                    (500, "the content could not be stored\n")
                };
                Response::text(text).with_status(code)
            }
        };
        Box::new(if unread { response.with_header("Connection", "close") } else { response })
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Memory;
    use crate::runtime::Runtime;

    #[test]
    fn a_full_disk_is_507_and_another_error_500() {
        let settings = Settings::new(Memory::new().blocking_pool());
        for (kind, code) in [
            (ErrorKind::StorageFull, 507),
            (ErrorKind::QuotaExceeded, 507),
            (ErrorKind::FileTooLarge, 507),
            (ErrorKind::PermissionDenied, 500),
            (ErrorKind::NotFound, 500),
        ] {
            let response = Fault::Disk(kind.into()).response(&settings, false);
            assert_eq!(response.head().status.as_u16(), code, "{kind}");
        }
    }
}
