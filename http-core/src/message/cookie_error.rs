//! The error of a cookie that cannot be set.

use core::fmt;

/// The error of a cookie that cannot be set, because its line would be malformed or because
/// browsers would drop it. It is an error of the caller, never of the peer, and nothing was
/// changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is not a token.
    Name,
    /// The value contains a control character or `;`, or begins or ends with white space.
    Value,
    /// The path contains a control character or `;`, or begins or ends with white space.
    Path,
    /// The domain contains a control character or `;`, or begins or ends with white space.
    Domain,
    /// `Expires` is before the year 1601.
    Expires,
    /// Name and value, or an attribute, are longer than browsers accept.
    TooLong,
    /// A name that begins with `__Secure-` without `Secure`.
    SecurePrefix,
    /// A name that begins with `__Host-` without `Secure`, without `Path=/`, or with a domain.
    HostPrefix,
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "a cookie's name must be a token",
            Self::Value => "a cookie's value must not hold control characters or `;`, nor begin or end with a space",
            Self::Path => "a cookie's path must not hold control characters or `;`, nor begin or end with a space",
            Self::Domain => "a cookie's domain must not hold control characters or `;`, nor begin or end with a space",
            Self::Expires => "a cookie's Expires must not be before the year 1601",
            Self::TooLong => "a cookie's name and value must not exceed 4,096 bytes, its path and domain 1,024 each",
            Self::SecurePrefix => "a cookie whose name begins with __Secure- must be Secure",
            Self::HostPrefix => "a cookie whose name begins with __Host- must be Secure and have Path=/ and no domain",
        })
    }
}

impl core::error::Error for CookieError {}
