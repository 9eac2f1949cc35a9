//! Reading cookie keys from files.

use std::io;
use std::path::Path;

use httpants_core::cookies::KeyRing;

/// An extension that reads a [`KeyRing`] from a file. Import it to call
/// [`KeyRing::from_file`](Self::from_file).
///
/// Needs the feature `cookies`.
pub trait KeyRingFile: Sized + sealed::Sealed {
    /// Reads a file with one secret per line. The first secret signs, all of them verify
    /// ([`KeyRing::from_lines`]).
    ///
    /// ```
    /// use httpants_driver::{KeyRing, KeyRingFile, Request, Server};
    /// use httpants_testkit::memory::Memory;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("secrets");
    /// // Written by `openssl rand -base64 32 > secrets`. To rotate, put a new line before the old
    /// // one and start the server again; remove the old one after 30 days.
    /// # std::fs::write(&path, "bqNlZ0CXzSPqT4rWPLp+KHxBxzH7t0dQ9n8C2m4s6Yk=\n")?;
    /// let keys = KeyRing::from_file(&path)?;
    /// let server = Server::with_runtime(Memory::new(), async |_: Request| "ok").cookie_keys(keys);
    /// # drop(server); Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Returns the errors of reading the file, and [`io::ErrorKind::InvalidData`] with a
    /// [`KeyError`](httpants_core::cookies::KeyError) if the file has no secret, or one that is too
    /// short or not text. All of them name the file, and none shows a secret.
    fn from_file(path: impl AsRef<Path>) -> io::Result<Self>;
}

mod sealed {
    /// Keeps other types from implementing the trait, so that methods can be added to it.
    pub trait Sealed {}

    impl Sealed for super::KeyRing {}
}

impl KeyRingFile for KeyRing {
    fn from_file(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let read = std::fs::read(path)
            .and_then(|text| Self::from_lines(text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)));
        read.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file_and_show_no_secret() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets");
        let failed = |text: Option<&str>| {
            text.map_or(Ok(()), |text| std::fs::write(&path, text)).unwrap();
            let error = KeyRing::from_file(&path).unwrap_err();
            assert!(error.to_string().starts_with(&format!("{}: ", path.display())), "{error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
            error.kind()
        };
        assert_eq!(failed(None), io::ErrorKind::NotFound);
        assert_eq!(failed(Some("")), io::ErrorKind::InvalidData);
        assert_eq!(failed(Some("hunter2\n")), io::ErrorKind::InvalidData);
        std::fs::write(&path, "k".repeat(32) + "\n").unwrap();
        assert!(KeyRing::from_file(&path).is_ok());
    }
}
