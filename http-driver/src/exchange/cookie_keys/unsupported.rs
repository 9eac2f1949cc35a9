//! Replacements for the keys of signed cookies when cookies are disabled.

use std::io;

#[derive(Debug)]
pub(crate) struct CookieKeys;

pub(crate) fn random_key() -> io::Result<CookieKeys> {
    Ok(CookieKeys)
}
