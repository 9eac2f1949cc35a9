//! Certificates with their keys, and their selection by SNI.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error, InconsistentKeys, RootCertStore};

use super::error::{TlsError, TlsErrorKind};
use super::pem::Pem;

/// Parses a certificate chain and its key.
pub(super) fn certified(chain: &Pem, key: &Pem, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let certificates = chain.certificates()?;
    let key_der = key.key()?;
    // Parsed separately from the certificate, so that the error names the right file.
    provider
        .key_provider
        .load_private_key(key_der.clone_key())
        .map_err(|error| key.error(TlsErrorKind::BadKey(error)))?;
    match CertifiedKey::from_der(certificates, key_der, provider) {
        Ok(certified) => {
            warn_of_dates(&certified, chain)?;
            Ok(Arc::new(certified))
        }
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            Err(key.error(TlsErrorKind::KeyMismatch(chain.place().into())))
        }
        Err(error) => Err(chain.error(TlsErrorKind::BadCertificate(error))),
    }
}

/// Returns the server's own certificate; an error if it does not parse.
fn end_entity(certified: &CertifiedKey) -> Result<ParsedCertificate<'_>, Error> {
    certified.end_entity_cert().and_then(ParsedCertificate::try_from)
}

/// Warns of an expired or not yet valid certificate. It is served nevertheless, so that a server
/// with a late renewal still starts.
fn warn_of_dates(certified: &CertifiedKey, chain: &Pem) -> Result<(), TlsError> {
    let certificate = end_entity(certified).map_err(|error| chain.error(TlsErrorKind::BadCertificate(error)))?;
    // The verifier checks validity dates before trust. Without trust anchors it always fails, with
    // an error about the dates if they are wrong.
    let no_roots = RootCertStore::empty();
    let verdict = verify_server_cert_signed_by_trust_anchor(&certificate, &no_roots, &[], UnixTime::now(), &[]);
    let why = match verdict {
        Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            "has expired"
        }
        Err(Error::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. })) => {
            "is not valid yet"
        }
        _ => return Ok(()),
    };
    tracing::warn!(place = chain.place(), "the TLS certificate {why}");
    Ok(())
}

/// A name that clients request: a host name, or `*.` and a host name for each name directly below
/// it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(String);

impl Name {
    pub(super) fn new(text: &str) -> Option<Self> {
        let name = text.to_ascii_lowercase();
        let host = name.strip_prefix("*.").unwrap_or(&name);
        let is_host = matches!(ServerName::try_from(host), Ok(ServerName::DnsName(_)));
        is_host.then_some(Self(name))
    }

    /// Returns a host name that this name matches.
    fn example(&self) -> String {
        match self.0.strip_prefix('*') {
            Some(rest) => format!("any{rest}"),
            None => self.0.clone(),
        }
    }

    /// Returns whether clients accept this certificate for the name.
    pub(super) fn is_covered_by(&self, certified: &CertifiedKey) -> bool {
        let name = self.example();
        let Ok(name) = ServerName::try_from(name.as_str()) else { return false };
        end_entity(certified).is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The certificates, selected by the name that the client requests (SNI).
#[derive(Debug)]
pub(super) struct Certificates {
    /// The certificate for clients without a name or with an unknown one.
    pub(super) default: Arc<CertifiedKey>,
    pub(super) by_name: HashMap<Name, Arc<CertifiedKey>>,
}

impl Certificates {
    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = Name(name.to_ascii_lowercase());
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.0.split_once('.')?;
            self.by_name.get(&Name(format!("*.{parent}")))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().filter(|_| !self.by_name.is_empty()).and_then(|name| self.find(name));
        Some(Arc::clone(named.unwrap_or(&self.default)))
    }
}
