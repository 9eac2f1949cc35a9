//! Replacements for the keys of signed cookies when the feature `cookies` is disabled.

use std::io;

#[derive(Debug)]
pub(crate) struct CookieKeys;

pub(crate) fn random_key() -> io::Result<CookieKeys> {
    Ok(CookieKeys)
}
