//! Parsing of certificates and keys in PEM (RFC 7468).

use std::path::PathBuf;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{TlsError, TlsErrorKind};

/// The contents of a PEM file or buffer, with its location for errors.
pub(super) struct Pem {
    place: String,
    bytes: Vec<u8>,
}

impl Pem {
    /// Reads a file.
    pub(super) fn read(path: &PathBuf) -> Result<Self, TlsError> {
        let place = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self { place, bytes }),
            Err(error) => Err(TlsError::new(place, TlsErrorKind::Unreadable(error))),
        }
    }

    pub(super) fn given(what: &str, bytes: &[u8]) -> Self {
        Self { place: format!("{what} passed as bytes"), bytes: bytes.into() }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn error(&self, fault: TlsErrorKind) -> TlsError {
        TlsError::new(&self.place, fault)
    }

    /// Returns all certificates, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(self.error(self.nothing(TlsErrorKind::NoCertificate))),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Returns the first private key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        // PKCS #8 marks an encrypted key in the label (RFC 7468 section 11), the older format in a
        // field after the label.
        if ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"].iter().any(|mark| self.has(mark)) {
            return Err(self.error(TlsErrorKind::EncryptedKey));
        }
        match PrivateKeyDer::from_pem_slice(&self.bytes) {
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) => Err(self.error(self.nothing(TlsErrorKind::NoKey))),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Returns the error for PEM without the expected item, or for input that is not PEM.
    fn nothing(&self, fault: TlsErrorKind) -> TlsErrorKind {
        if self.has("-----BEGIN ") { fault } else { TlsErrorKind::NotPem }
    }

    /// Returns the error for malformed PEM. It does not quote the text, which may be part of a key.
    fn broken(&self, error: &pem::Error) -> TlsError {
        self.error(TlsErrorKind::BrokenPem(match error {
            pem::Error::MissingSectionEnd { .. } => "missing -----END line".into(),
            pem::Error::IllegalSectionStart { .. } => "malformed -----BEGIN line".into(),
            pem::Error::Base64Decode(_) => "invalid base64 between the -----BEGIN and -----END lines".into(),
            _ => "invalid section".into(),
        }))
    }

    fn has(&self, mark: &str) -> bool {
        self.bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
    }
}

impl Drop for Pem {
    /// Overwrites the bytes, so that keys do not stay in memory longer than necessary.
    fn drop(&mut self) {
        self.bytes.fill(0);
    }
}
