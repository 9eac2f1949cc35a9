//! Signed cookie values.

use core::fmt;
use core::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::{Cookie, CookieBuilder, SameSite};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::jar::Cookies;
use super::key_error::KeyError;
use super::set_cookie::needs_secure;
use crate::UnixTime;
use crate::message::request::RequestHead;
use crate::wire::grammar::decimal;

type HmacSha256 = Hmac<Sha256>;

/// The first part of every value; another format gets another one.
const VERSION: &str = "1";
/// Stands in no part: neither decimals nor base64url have it, and it needs no encoding.
const SEPARATOR: char = '.';
const MAC_SIZE: usize = 32;

/// The keys that sign and verify cookie values (`cookie_secret` in Pants, and
/// `set_signed_cookie`, `get_secure_cookie`). The first key signs, all of them verify: to
/// change keys, put the new one in front, and drop the old one when what it signed has expired.
///
/// A signed value can be read by the client, but not changed, moved to another cookie or kept
/// beyond its lifetime. It is `1.TIME.LIFETIME.VALUE.MAC`: decimal seconds, then base64url
/// without padding (RFC 4648 section 5). The MAC is HMAC-SHA-256 over version, name, time,
/// lifetime and value, each with its length before it. It covers the parts as they are spelled
/// in the cookie, so that there is one spelling for each value.
///
/// Verifying costs one HMAC for each key, and compares in constant time. The clock is the
/// caller's.
///
/// ```
/// use std::time::Duration;
///
/// use httpants_core::UnixTime;
/// use httpants_core::cookies::{KeyRing, VerifyError};
///
/// let at = UnixTime::from_secs;
/// let keys = KeyRing::new(["the new secret, 32 random bytes", "the one before"])?;
/// let signed = keys.sign("user", "alice", at(1_700_000_000), Duration::from_secs(60));
/// assert_eq!(keys.verify_text("user", signed.as_bytes(), at(1_700_000_059)).as_deref(), Ok("alice"));
/// assert_eq!(keys.verify("user", signed.as_bytes(), at(1_700_000_060)), Err(VerifyError::Expired));
/// assert_eq!(keys.verify("admin", signed.as_bytes(), at(1_700_000_000)), Err(VerifyError::Mac));
/// # Ok::<(), httpants_core::cookies::KeyError>(())
/// ```
#[derive(Clone)]
pub struct KeyRing {
    signing: HmacSha256,
    previous: Vec<HmacSha256>,
}

impl KeyRing {
    /// How long a signed value is good for by default: 30 days, as in Pants.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// How far in the future a value may have been signed: 60 seconds, so that servers which
    /// share their keys need not have the very same clock.
    pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

    /// Makes a ring of secrets, the signing one first.
    ///
    /// Somebody who guesses a secret can forge every value: use at least 32 random bytes. Shorter
    /// ones are taken, because their length says little about how they were made. A server
    /// that is given no secret makes a random one at its start, and then its signed cookies do
    /// not outlive it.
    ///
    /// # Errors
    /// No secret at all, or an empty one: the caller's fault.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let mut keys = secrets.into_iter().map(|secret| match secret.as_ref() {
            [] => Err(KeyError::EmptySecret),
            secret => HmacSha256::new_from_slice(secret).map_err(|_| KeyError::EmptySecret),
        });
        let signing = keys.next().ok_or(KeyError::NoSecret)??;
        Ok(Self { signing, previous: keys.collect::<Result<_, _>>()? })
    }

    /// Signs a value for the cookie of this name. Text and bytes are taken as they are; JSON is
    /// text to this call.
    ///
    /// The lifetime counts in whole seconds from `now`; under one second it never verifies.
    /// The result holds only letters, digits, `.`, `-` and `_`. A value of more than about 2,900
    /// bytes makes a cookie that is too long to be set.
    #[must_use]
    pub fn sign(&self, name: &str, value: impl AsRef<[u8]>, now: UnixTime, lifetime: Duration) -> String {
        let (time, lifetime) = (now.as_secs().to_string(), lifetime.as_secs().to_string());
        let mut signed = format!("{VERSION}{SEPARATOR}{time}{SEPARATOR}{lifetime}{SEPARATOR}");
        let encoded = URL_SAFE_NO_PAD.encode(value);
        let parts = Parts { time: time.as_bytes(), lifetime: lifetime.as_bytes(), value: encoded.as_bytes() };
        let mac = parts.mac(&self.signing, name).finalize().into_bytes();
        signed.push_str(&encoded);
        signed.push(SEPARATOR);
        URL_SAFE_NO_PAD.encode_string(mac, &mut signed);
        signed
    }

    /// Makes the cookie for a signed value (`set_secure_cookie` in Pants): `HttpOnly`,
    /// `SameSite=Lax`, `Path=/` and a `Max-Age` of the lifetime; `Secure` where the name begins
    /// with `__Host-` or `__Secure-`. For a request by https set `Secure` on what is returned. The
    /// other attributes can be changed there, too; a change of name or value breaks the signature.
    #[must_use]
    pub fn cookie(
        &self,
        name: &str,
        value: impl AsRef<[u8]>,
        now: UnixTime,
        lifetime: Duration,
    ) -> CookieBuilder<'static> {
        let max_age = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        Self::with_attributes(name, self.sign(name, value, now, lifetime))
            .max_age(cookie::time::Duration::seconds(max_age))
    }

    /// Makes a cookie without a value and with the attributes that [`cookie`](Self::cookie) gives
    /// to this name, for [`cookies::remove`](super::remove). What was changed when the cookie was
    /// set, such as its path or domain, has to be changed in the same way here.
    ///
    /// ```
    /// use httpants_core::FieldLines;
    /// use httpants_core::cookies::{self, KeyRing};
    ///
    /// let mut fields = FieldLines::new();
    /// cookies::remove(&mut fields, KeyRing::removal("__Host-user"))?;
    /// let line = fields.get("Set-Cookie").unwrap();
    /// assert!(line.starts_with(b"__Host-user=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0"));
    /// # Ok::<(), httpants_core::cookies::CookieError>(())
    /// ```
    #[must_use]
    pub fn removal(name: &str) -> CookieBuilder<'static> {
        Self::with_attributes(name, String::new())
    }

    fn with_attributes(name: &str, value: String) -> CookieBuilder<'static> {
        let cookie = Cookie::build((name.to_owned(), value)).http_only(true).same_site(SameSite::Lax).path("/");
        if needs_secure(name) { cookie.secure(true) } else { cookie }
    }

    /// Returns the value of a signed cookie of a request (`get_secure_cookie` in Pants); `None`
    /// where it is absent or [`verify`](Self::verify) refuses it.
    #[must_use]
    #[doc(alias = "get_secure_cookie")]
    pub fn signed_cookie(&self, request: &RequestHead, name: &str) -> Option<Vec<u8>> {
        let value = Cookies::new(request.headers()).get(name)?;
        self.verify(name, value, request.received().wall).ok()
    }

    /// Returns the bytes that were signed, if `value` is what
    /// [`sign`](Self::sign) made for this name with a key of this ring, and `now` is within
    /// its lifetime.
    ///
    /// # Errors
    /// Why it is not to be trusted, for counters and tests. To the application each of these
    /// means that there is no such cookie: `.ok()`.
    pub fn verify(&self, name: &str, value: &[u8], now: UnixTime) -> Result<Vec<u8>, VerifyError> {
        let (parts, mac) = Parts::parse(value).ok_or(VerifyError::Unsigned)?;
        let keys = core::iter::once(&self.signing).chain(&self.previous);
        if !keys.into_iter().any(|key| parts.mac(key, name).verify_slice(&mac).is_ok()) {
            return Err(VerifyError::Mac);
        }
        // From here on all parts are as they were signed, so they have one spelling.
        let time = decimal(parts.time).ok_or(VerifyError::Unsigned)?;
        let lifetime = decimal(parts.lifetime).ok_or(VerifyError::Unsigned)?;
        if time.saturating_sub(now.as_secs()) > Self::CLOCK_SKEW.as_secs() {
            return Err(VerifyError::Future);
        }
        if now.as_secs().saturating_sub(time) >= lifetime {
            return Err(VerifyError::Expired);
        }
        URL_SAFE_NO_PAD.decode(parts.value).map_err(|_| VerifyError::Unsigned)
    }

    /// Returns [`verify`](Self::verify) as text.
    ///
    /// # Errors
    /// Those of [`verify`](Self::verify), and [`VerifyError::NotText`] where the bytes are not
    /// UTF-8.
    pub fn verify_text(&self, name: &str, value: &[u8], now: UnixTime) -> Result<String, VerifyError> {
        String::from_utf8(self.verify(name, value, now)?).map_err(|_| VerifyError::NotText)
    }
}

/// Shows how many keys there are, and nothing of them.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys: ***)", 1 + self.previous.len())
    }
}

/// What stands between the version and the MAC, as it is spelled in the cookie.
struct Parts<'a> {
    time: &'a [u8],
    lifetime: &'a [u8],
    value: &'a [u8],
}

impl<'a> Parts<'a> {
    fn parse(signed: &'a [u8]) -> Option<(Self, [u8; MAC_SIZE])> {
        let mut parts = signed.split(|&byte| byte == SEPARATOR as u8);
        let version = parts.next()?;
        let (time, lifetime, value, encoded_mac) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version != VERSION.as_bytes() || parts.next().is_some() {
            return None;
        }
        // The decoder refuses padding, foreign characters and unused bits that are set.
        let mut mac = [0; MAC_SIZE];
        let size = URL_SAFE_NO_PAD.decode_slice(encoded_mac, &mut mac).ok()?;
        (size == MAC_SIZE).then_some((Self { time, lifetime, value }, mac))
    }

    fn mac(&self, key: &HmacSha256, name: &str) -> HmacSha256 {
        let mut mac = key.clone();
        for part in [VERSION.as_bytes(), name.as_bytes(), self.time, self.lifetime, self.value] {
            // usize never has more than 64 bits.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// The reason not to trust the value of a cookie. None of these is a fault of the request: clients
/// hold values that are too old, or whose key is gone, and do not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// It has not the form of a signed value.
    Unsigned,
    /// It was altered, signed for another name, or signed with a key that is not in the ring.
    Mac,
    /// Its lifetime is over.
    Expired,
    /// It was signed in the future.
    Future,
    /// It is good, but not UTF-8 where text was asked for.
    NotText,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsigned => "the cookie's value is not a signed one",
            Self::Mac => "the cookie's value was altered, signed for another name or with an unknown key",
            Self::Expired => "the lifetime of the cookie's value is over",
            Self::Future => "the cookie's value was signed in the future",
            Self::NotText => "the cookie's value is not UTF-8 text",
        })
    }
}

impl core::error::Error for VerifyError {}

#[cfg(test)]
mod tests;
