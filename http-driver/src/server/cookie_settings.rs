//! The settings of a server for signed cookies.

use httpants_core::cookies::{KeyError, KeyRing};

use super::Server;
use crate::runtime::Runtime;

/// Settings for signed cookies, with the feature `cookies`.
impl<R: Runtime, H> Server<R, H> {
    /// Sets the secrets that sign and verify cookies (`cookie_secret` in Pants). The first signs,
    /// all verify, so that secrets can be rotated. Default: a random one, so signed cookies become
    /// invalid when the process ends.
    ///
    /// # Errors
    /// Returns [`KeyError`] if there is no secret or an empty one.
    pub fn cookie_secrets<S: AsRef<[u8]>>(self, secrets: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let keys = KeyRing::new(secrets)?;
        Ok(self.cookie_keys(keys))
    }

    /// Sets [`cookie_secrets`](Self::cookie_secrets) as a ring of keys, which several servers can
    /// share; [`KeyRing::from_file`](crate::KeyRingFile::from_file) reads one from a file.
    #[must_use]
    pub fn cookie_keys(mut self, keys: KeyRing) -> Self {
        self.parts.cookie_keys = Some(keys);
        self
    }
}
