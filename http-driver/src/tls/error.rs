//! What is wrong with certificates and keys.

use std::fmt;
use std::io;

/// Certificates, keys or authorities cannot be used: which, and why. It becomes an
/// [`io::Error`] by `?`.
#[derive(Debug)]
pub struct TlsError {
    place: String,
    fault: TlsErrorKind,
}

/// Why a [`TlsError`].
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsErrorKind {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// There is no `-----BEGIN` in it: perhaps it is DER.
    NotPem,
    /// What is between the lines of PEM is broken.
    BrokenPem(String),
    /// There is no certificate in it.
    NoCertificate,
    /// There is no private key in it.
    NoKey,
    /// The private key is encrypted.
    EncryptedKey,
    /// The certificate is malformed.
    BadCertificate(rustls::Error),
    /// The private key is malformed, or of a kind that rustls does not use.
    BadKey(rustls::Error),
    /// The private key is not that of the certificate in this place.
    KeyMismatch(String),
    /// Not a host name, nor `*.` and one.
    BadName(String),
    /// The certificate is not valid for this name.
    OtherName(String),
    /// rustls does not accept the configuration.
    Config(rustls::Error),
    /// It was made of a configuration of rustls, which has its own certificates.
    OwnConfig,
}

impl TlsError {
    pub(super) fn new(place: impl Into<String>, fault: TlsErrorKind) -> Self {
        Self { place: place.into(), fault }
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &TlsErrorKind {
        &self.fault
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, fault } = self;
        write!(f, "{place}: {fault}")
    }
}

impl fmt::Display for TlsErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Self::NotPem => f.write_str("is not PEM: it has no -----BEGIN line"),
            Self::BrokenPem(error) => write!(f, "is broken PEM: {error}"),
            Self::NoCertificate => f.write_str("holds no certificate"),
            Self::NoKey => f.write_str("holds no private key"),
            Self::EncryptedKey => f.write_str("the private key is encrypted; decrypt it before (openssl pkey)"),
            Self::BadCertificate(error) => write!(f, "the certificate is malformed: {error}"),
            Self::BadKey(error) => write!(f, "the private key cannot be used: {error}"),
            Self::KeyMismatch(certificate) => write!(f, "is not the key of the certificate in {certificate}"),
            Self::BadName(name) => write!(f, "{name:?} is neither a host name nor *. and a host name"),
            Self::OtherName(name) => write!(f, "the certificate is not valid for {name}"),
            Self::Config(error) => write!(f, "rustls does not accept it: {error}"),
            Self::OwnConfig => f.write_str("was made of a rustls configuration: its certificates are set there"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
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
        let kind = match &error.fault {
            TlsErrorKind::Unreadable(cause) => cause.kind(),
            _ => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
