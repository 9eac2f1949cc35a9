//! Certificates and keys out of PEM (RFC 7468), with errors that a person can act on.

use std::path::PathBuf;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::error::{TlsError, TlsErrorKind};

/// PEM as it is, and where it comes from.
pub(super) struct Pem {
    place: String,
    bytes: Vec<u8>,
}

impl Pem {
    /// What a file holds at this moment.
    pub(super) fn read(path: &PathBuf) -> Result<Self, TlsError> {
        let place = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self { place, bytes }),
            Err(error) => Err(TlsError::new(place, TlsErrorKind::Unreadable(error))),
        }
    }

    pub(super) fn given(what: &str, bytes: &[u8]) -> Self {
        Self { place: format!("the {what} given"), bytes: bytes.into() }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn error(&self, fault: TlsErrorKind) -> TlsError {
        TlsError::new(&self.place, fault)
    }

    /// All certificates in it, of which there is at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match certificates {
            Ok(certificates) if certificates.is_empty() => Err(self.error(self.nothing(TlsErrorKind::NoCertificate))),
            Ok(certificates) => Ok(certificates),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// The first private key in it.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        // PKCS #8 says it in the label (RFC 7468 section 11), the older form in a field behind it.
        if ["BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED"].iter().any(|mark| self.has(mark)) {
            return Err(self.error(TlsErrorKind::EncryptedKey));
        }
        match PrivateKeyDer::from_pem_slice(&self.bytes) {
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) => Err(self.error(self.nothing(TlsErrorKind::NoKey))),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// There is nothing of the kind in it, or it is no PEM at all.
    fn nothing(&self, fault: TlsErrorKind) -> TlsErrorKind {
        if self.has("-----BEGIN ") { fault } else { TlsErrorKind::NotPem }
    }

    /// What is broken is named without what stands there: it may be of a key.
    fn broken(&self, error: &pem::Error) -> TlsError {
        self.error(TlsErrorKind::BrokenPem(match error {
            pem::Error::MissingSectionEnd { .. } => "an -----END line is missing".into(),
            pem::Error::IllegalSectionStart { .. } => "a -----BEGIN line is malformed".into(),
            pem::Error::Base64Decode(_) => "what is between the lines is not base64".into(),
            _ => "it does not parse".into(),
        }))
    }

    fn has(&self, mark: &str) -> bool {
        self.bytes.windows(mark.len()).any(|window| window == mark.as_bytes())
    }
}

impl Drop for Pem {
    /// Keys are not left in memory longer than they are needed.
    fn drop(&mut self) {
        self.bytes.fill(0);
    }
}
