//! Errors of certificates and keys.

use std::fmt;
use std::io;

/// An error of a certificate, a key or an authority, with its location. Converts to [`io::Error`].
#[derive(Debug)]
pub struct TlsError {
    place: String,
    kind: TlsErrorKind,
}

/// The cause of a [`TlsError`].
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsErrorKind {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// There is no `-----BEGIN` line; it may be DER.
    NotPem,
    /// The PEM is malformed.
    BrokenPem(String),
    /// The PEM contains no certificate.
    NoCertificate,
    /// The PEM contains no private key.
    NoKey,
    /// The private key is encrypted.
    EncryptedKey,
    /// The certificate is malformed.
    BadCertificate(rustls::Error),
    /// The private key is malformed or of a type that rustls does not support.
    BadKey(rustls::Error),
    /// The private key does not match the certificate in this location.
    KeyMismatch(String),
    /// The name is neither a host name nor `*.` and a host name.
    BadName(String),
    /// The certificate is not valid for this name.
    OtherName(String),
    /// rustls rejected the configuration.
    Config(rustls::Error),
    /// The settings were created from a rustls `ServerConfig`, whose certificates cannot be
    /// changed.
    OwnConfig,
}

impl TlsError {
    pub(super) fn new(place: impl Into<String>, kind: TlsErrorKind) -> Self {
        Self { place: place.into(), kind }
    }

    /// Returns the cause.
    #[must_use]
    pub fn kind(&self) -> &TlsErrorKind {
        &self.kind
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, kind } = self;
        write!(f, "{place}: {kind}")
    }
}

impl fmt::Display for TlsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NotPem => f.write_str("not PEM: no -----BEGIN line found"),
            Self::BrokenPem(error) => write!(f, "malformed PEM: {error}"),
            Self::NoCertificate => f.write_str("contains no certificate"),
            Self::NoKey => f.write_str("contains no private key"),
            Self::EncryptedKey => {
                f.write_str("the private key is encrypted: decrypt it first, for example with openssl pkey")
            }
            Self::BadCertificate(error) => write!(f, "the certificate is malformed: {error}"),
            Self::BadKey(error) => write!(f, "the private key cannot be used: {error}"),
            Self::KeyMismatch(certificate) => write!(f, "private key does not match the certificate in {certificate}"),
            Self::BadName(name) => write!(f, "invalid name {name:?}: expected a host name or *. followed by one"),
            Self::OtherName(name) => write!(f, "the certificate is not valid for {name}"),
            Self::Config(error) => write!(f, "rustls rejected the configuration: {error}"),
            Self::OwnConfig => f.write_str("made from a rustls ServerConfig: set its certificates there"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            TlsErrorKind::Unreadable(error) => Some(error),
            TlsErrorKind::BadCertificate(error) | TlsErrorKind::BadKey(error) | TlsErrorKind::Config(error) => {
                Some(error)
            }
            _ => None,
        }
    }
}

impl From<TlsError> for io::Error {
    fn from(error: TlsError) -> Self {
        let kind = match &error.kind {
            TlsErrorKind::Unreadable(cause) => cause.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
