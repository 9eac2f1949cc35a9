//! The error of a file that cannot be sent.

use core::fmt;
use std::io::ErrorKind;

use http::StatusCode;

/// The reason why a file cannot be sent. [`Plan::error`](crate::files::Plan::error) plans the
/// response.
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
    /// There is no such file, or its path is outside the root: 404. The response is the same for
    /// both.
    NotFound,
    /// The file exists but must not be read: 403.
    Forbidden,
    /// Opening or reading the file failed for a reason on the server: 500.
    Failed,
}

impl FileError {
    /// Returns the status of the response to this error.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Converts the error of opening a file or reading its metadata.
impl From<ErrorKind> for FileError {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            // Includes names that are too long, have a byte that the file system does not allow, or
            // are below a file.
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
