//! The keys of signed cookies.

use std::io;

pub(crate) use httpants_core::cookies::KeyRing as CookieKeys;

/// Generates a random secret: no other process has the same, and neither does a later run of this
/// program.
pub(crate) fn random_key() -> io::Result<CookieKeys> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| io::Error::other(format!("cannot generate a random cookie secret: {error}")))?;
    CookieKeys::new([secret]).map_err(io::Error::other)
}
