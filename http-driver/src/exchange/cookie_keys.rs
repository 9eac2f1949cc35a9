//! The keys of signed cookies.

use std::io;

pub(crate) use httpants_core::cookies::KeyRing as CookieKeys;

/// Generates a secret that no other process knows, including later runs of the same program.
pub(crate) fn random_key() -> io::Result<CookieKeys> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)
        .map_err(|error| io::Error::other(format!("cannot generate a random cookie secret: {error}")))?;
    CookieKeys::new([secret]).map_err(io::Error::other)
}
