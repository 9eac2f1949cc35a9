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

/// The version of the format, which is the first part of every value.
const VERSION: &str = "1";
/// Occurs in no part, because it is neither a digit nor a character of base64url, and needs no
/// encoding in a cookie.
const SEPARATOR: char = '.';
const MAC_SIZE: usize = 32;

/// The keys that sign and verify cookie values (`cookie_secret`, `set_secure_cookie` and
/// `get_secure_cookie` in Pants). The first key signs, all of them verify. To rotate keys, insert
/// the new one as the first, and remove the old one when the values that it signed have expired.
///
/// A client can read a signed value, but cannot change it, move it to another cookie or use it
/// after its lifetime. Its format is `1.TIME.LIFETIME.VALUE.MAC`: time and lifetime are decimal
/// seconds, value and MAC are base64url without padding (RFC 4648 section 5). The MAC is
/// HMAC-SHA-256 over version, name, time, lifetime and value, each preceded by its length. It
/// covers the parts in their encoded form, so that each value has only one valid encoding.
///
/// Verification computes at most one HMAC per key and compares in constant time. The caller
/// provides the time.
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
    /// The default lifetime of a signed value: 30 days, as in Pants.
    pub const LIFETIME: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// Maximum time by which the signing time may be in the future: 60 seconds, so that the clocks
    /// of servers that share keys may differ.
    pub const CLOCK_SKEW: Duration = Duration::from_secs(60);

    /// Creates a key ring from secrets. The first one signs.
    ///
    /// Anyone who guesses a secret can forge every value: use at least 32 random bytes. Shorter
    /// secrets are accepted, because the length says little about the randomness. The driver's
    /// server generates a random secret at its start if none is set; its signed cookies are then
    /// invalid after a restart.
    ///
    /// # Errors
    /// [`KeyError::NoSecret`] if there is none, [`KeyError::EmptySecret`] if one is empty.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, KeyError> {
        let mut keys = secrets.into_iter().map(|secret| match secret.as_ref() {
            [] => Err(KeyError::EmptySecret),
            secret => HmacSha256::new_from_slice(secret).map_err(|_| KeyError::EmptySecret),
        });
        let signing = keys.next().ok_or(KeyError::NoSecret)??;
        Ok(Self { signing, previous: keys.collect::<Result<_, _>>()? })
    }

    /// Returns the signed form of a value for the cookie of this name. Text and bytes are signed
    /// unchanged.
    ///
    /// The lifetime is counted in whole seconds from `now`; with less than one second, the value
    /// never verifies. The result contains only letters, digits, `.`, `-` and `_`. With a value of
    /// more than about 2,900 bytes, the cookie is too long to be set.
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

    /// Returns a builder of a cookie with a signed value (`set_secure_cookie` in Pants). It has
    /// `HttpOnly`, `SameSite=Lax`, `Path=/` and a `Max-Age` of the lifetime, and `Secure` if the
    /// name begins with `__Host-` or `__Secure-`. For https requests, set `Secure` on the builder.
    /// Other attributes can be changed there, too; changing the name or the value invalidates the
    /// signature.
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

    /// Returns a builder of a cookie without a value and with the attributes that
    /// [`cookie`](Self::cookie) sets for this name, for [`cookies::remove`](super::remove).
    /// Attributes that were changed when the cookie was set, such as its path or domain, must be
    /// changed in the same way here.
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

    /// Returns the value of a signed cookie of a request (`get_secure_cookie` in Pants); `None` if
    /// it is absent or [`verify`](Self::verify) fails.
    #[must_use]
    #[doc(alias = "get_secure_cookie")]
    pub fn signed_cookie(&self, request: &RequestHead, name: &str) -> Option<Vec<u8>> {
        let value = Cookies::new(request.headers()).get(name)?;
        self.verify(name, value, request.received().wall).ok()
    }

    /// Returns the bytes that were signed, if `value` is the result of [`sign`](Self::sign) for
    /// this name with a key of this ring, and `now` is within its lifetime.
    ///
    /// # Errors
    /// [`VerifyError`] with the reason, for counters and tests. An application should treat every
    /// error like a missing cookie: `.ok()`.
    pub fn verify(&self, name: &str, value: &[u8], now: UnixTime) -> Result<Vec<u8>, VerifyError> {
        let (parts, mac) = Parts::parse(value).ok_or(VerifyError::Unsigned)?;
        let keys = core::iter::once(&self.signing).chain(&self.previous);
        if !keys.into_iter().any(|key| parts.mac(key, name).verify_slice(&mac).is_ok()) {
            return Err(VerifyError::Mac);
        }
        // From here on all parts are known to be as they were signed, so they are encoded
        // canonically.
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

    /// Returns the result of [`verify`](Self::verify) as text.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify), and [`VerifyError::NotText`] if the bytes are not UTF-8.
    pub fn verify_text(&self, name: &str, value: &[u8], now: UnixTime) -> Result<String, VerifyError> {
        String::from_utf8(self.verify(name, value, now)?).map_err(|_| VerifyError::NotText)
    }
}

/// Shows the number of keys, but not the keys.
impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys: ***)", 1 + self.previous.len())
    }
}

/// The parts between the version and the MAC, as they are encoded in the cookie.
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
        // The decoder refuses padding, characters outside the alphabet, and unused bits that are
        // set.
        let mut mac = [0; MAC_SIZE];
        let size = URL_SAFE_NO_PAD.decode_slice(encoded_mac, &mut mac).ok()?;
        (size == MAC_SIZE).then_some((Self { time, lifetime, value }, mac))
    }

    fn mac(&self, key: &HmacSha256, name: &str) -> HmacSha256 {
        let mut mac = key.clone();
        for part in [VERSION.as_bytes(), name.as_bytes(), self.time, self.lifetime, self.value] {
            // A usize has at most 64 bits.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

/// The error of a cookie value that fails verification. None of these means that the request is
/// faulty: clients may have values that are too old or whose key was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyError {
    /// The value does not have the format of a signed value.
    Unsigned,
    /// The value was altered, signed for another name, or signed with a key that is not in the
    /// ring.
    Mac,
    /// The lifetime of the value is over.
    Expired,
    /// The value was signed more than [`KeyRing::CLOCK_SKEW`] in the future.
    Future,
    /// The value is valid, but not UTF-8, and text was requested.
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
