//! Why a file cannot be sent.

use core::fmt;
use std::io::ErrorKind;

use http::StatusCode;

/// The reason why there is no file to plan a response for; [`Plan::error`](crate::files::Plan::error)
/// is the response then.
///
/// ```
/// use httpants_core::files::FileError;
/// use std::io::ErrorKind;
///
/// assert_eq!(FileError::from(ErrorKind::PermissionDenied).status(), 403);
/// assert_eq!(FileError::from(ErrorKind::NotFound).status(), 404);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileError {
    /// There is no such file, or its name leads outside the root: 404, and the response does
    /// not tell the two apart.
    NotFound,
    /// The file is there and may not be read: 403.
    Forbidden,
    /// Opening or reading failed for a reason that is the server's own: 500.
    Failed,
}

impl FileError {
    /// Returns the status of the response to this fault.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// What opening a file, or reading its metadata, failed with.
impl From<ErrorKind> for FileError {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            // A name too long, with a byte the file system does not take, or below a file.
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput => Self::NotFound,
            ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Failed,
        }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "no such file under the root",
            Self::Forbidden => "the file may not be read",
            Self::Failed => "the file could not be read",
        })
    }
}

impl core::error::Error for FileError {}
